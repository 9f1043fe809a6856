"""`tunekit evaluate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tunekit.cli import asking, desired, options
from tunekit.cli.context import App
from tunekit.cli.scoring import Asking, Session
from tunekit.errors import DataError, RegistryError, StalePlan, UsageError
from tunekit.evaluate.junit import junit
from tunekit.evaluate.results import Evaluated, Result, evaluated, require_known
from tunekit.evaluate.run import questions
from tunekit.evaluate.scores import Record, Scorer, custom_scores
from tunekit.model import Experiment, Job, PreparedDataset
from tunekit.model.gate import Gate
from tunekit.views.evaluation import print_answers, print_evaluated
from tunekit.views.text import plural

# The exit code where the model is not good enough.
NOT_PROMOTED = 102
# How many --wrong prints where --show gives no number.
_WRONG_SHOWN = 20


@click.command(
    epilog=options.example("tunekit evaluate quickstart --target tuned --target base --show 5")
)
@options.name
@asking.target_option(several=True)
@click.option("--split", help="The split to ask about; default: the spec's evaluate.split.")
@click.option("--rows", type=click.IntRange(min=1), help="Only the first so many rows.")
@click.option("--show", type=click.IntRange(min=0), default=0, help="Print so many answers.")
@click.option("--wrong", "only_wrong", is_flag=True, help="Print only wrong answers.")
@click.option(
    "--max-rows", type=click.IntRange(min=1), help="Ask for so many answers at most, then stop."
)
@click.option("--again", is_flag=True, help="Ask every row again, also those answered before.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    help="Ask so many rows at once; default: what the provider takes.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Ask at most so often a minute; default: evaluate.max_requests_per_minute.",
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the verdict as a JUnit file, for a build server.",
)
@options.generation_flags
@options.with_app(("table", "json", "yaml"))
def command(
    app: App,
    name: str,
    target: tuple[str, ...],
    split: str | None,
    rows: int | None,
    show: int,
    only_wrong: bool,
    max_rows: int | None,
    again: bool,
    concurrency: int | None,
    rate: float | None,
    junit_file: Path | None,
    **sampling: Any,
) -> None:
    """Score a tuned model on held-out rows.

    Runs the held-out split through the model and records its scores, each with a 95% interval,
    beside two that need no model: the input copied unchanged, and always the most frequent answer.
    Rows that were answered before, by the same model with the same settings, are not asked again:
    an evaluation that was interrupted goes on. Several targets are compared on the same rows.

    Of an answer the registry keeps a hash and scores, its text only where the spec says
    evaluate.keep_answers; --show prints texts of this run and kept ones. Ends with 102 where
    evaluate.promote_if is not met.
    """
    if again and max_rows is not None:
        raise UsageError(
            "--again asks anew in every run, so with --max-rows it would never be done; "
            "give --rows to ask about fewer rows"
        )
    if junit_file is not None:
        _require_writable(junit_file)  # before anything is asked and paid for
    trial, job = app.job(name)
    app.observer().refresh([job])
    job = app.registry.job(job.id)
    targets = asking.targets_of(app, job, target)
    if app.registry.is_readonly:
        raise RegistryError(f"{app.registry.path}: is read-only, so scores can't be recorded")
    experiment, data = _data_of(app, asking.candidates(app, trial, job), job)
    wanted = experiment.evaluate
    if edited := asking.unapplied(app, trial, wanted):
        app.say(f"warning: {edited}")
    split = split or wanted.split
    if split not in data.splits:
        raise UsageError(
            f"{experiment.name} has no split {split!r}, it has: {', '.join(data.splits)}; "
            "hold rows out with dataset.split"
        )
    held_out = list(data.read(split))
    try:
        scorer = Scorer(wanted.metrics, held_out, custom=custom_scores(wanted.custom_metrics))
    except DataError as error:
        raise DataError(f"{experiment.name}, split {split}: {error}") from error
    gate = Gate.parse(wanted.promote_if) if wanted.promote_if else None
    asked = held_out[:rows]
    baselines = scorer.baselines(asked)  # first: what can't be computed is found before it is paid
    scored = baselines["copy"].scores()  # which metrics have a value depends on the rows alone
    if none := [metric for metric in scorer.metrics if metric not in scored]:
        app.say(f"No {', '.join(none)}: the rows asked about have nothing to be masked.")
    if gate is not None:
        require_known(gate, scorer.metrics, scorer.kinds(asked), scored)
        if gate.reads_base:  # then it can't be left out
            targets = [t for t in targets if t.name != asking.BASE]
            targets += asking.targets_of(app, job, [asking.BASE])
    if any(example.turns for example in asked):
        app.say("warning: conversations are asked about as one text, not turn by turn")
    settings = asking.generation(experiment, **sampling)
    capabilities = app.provider_of(job.provider).capabilities
    session = Session(
        app,
        job,
        scorer,
        questions(asked),
        Asking(
            settings=settings,
            spec=wanted,
            at_once=concurrency or capabilities.asks_at_once,
            per_minute=rate or wanted.max_requests_per_minute,
            most_rows=max_rows,
            asks_again=again,
        ),
    )
    records = session.records(targets)
    found = evaluated(
        {t.name: (t.model, scorer.measured(kept, asked)) for t, kept in records.items()},
        baselines,
        gate,
        split_rows=len(held_out),
    )
    about = {
        "split": split,
        "split_digest": data.splits[split].digest,
        "generation": asdict(settings),
        "promote_if": wanted.promote_if,
    }
    for one, result in zip(records, found.results, strict=True):
        _record(app, job, result, found, {**about, "asking": session.asking(one)}, session)
        if odd := session.odd_endings(one):
            said = ", ".join(f"{word} {count:,}" for word, count in sorted(odd.items()))
            app.say(f"warning: answers of {one.name} that did not end by themselves: {said}")
    if junit_file is not None:
        _write(junit_file, junit(found, name=job.title, split=split))
    _print(app, session, found, records, split=split, show=show, only_wrong=only_wrong)
    if found.main.is_met is False:
        raise click.exceptions.Exit(NOT_PROMOTED)


def _record(
    app: App, job: Job, result: Result, found: Evaluated, about: dict[str, Any], session: Session
) -> None:
    plain = result.to_json()
    columns = ("target", "model", "scores", "intervals", "confusion", "entities", "differences")
    values = {**about, **{name: plain[name] for name in (*columns, "verdict")}}
    values["baselines"] = found.to_json()["baselines"]
    app.registry.record_evaluation(
        job,
        values=values,
        rows=[(q.example.line, q.key) for q in session.questions],
        at_s=app.clock.now_s(),
        actor=app.actor(),
    )


def _print(
    app: App,
    session: Session,
    found: Evaluated,
    records: dict[asking.Target, list[Record]],
    *,
    split: str,
    show: int,
    only_wrong: bool,
) -> None:
    main = next(target for target in records if target.name == found.main.target)
    show = show or (_WRONG_SHOWN if only_wrong else 0)
    shown = session.shown(main, records[main], count=show, only_wrong=only_wrong)
    title = session.job.title
    if app.format == "table":
        print_answers(app.output, shown)
        of = ", ".join(target.name for target in records)
        app.output.text(f"{title}: {of}, on {plural(found.rows, 'row')} of {split}")
        print_evaluated(app.output, found)
        return
    answers = [
        {"line": s.example.line, "expected": s.example.response, "answered": s.text} for s in shown
    ]
    content = {"job": title, "split": split, "asked": session.asked, **found.to_json()}
    app.output.data("evaluate", {**content, **({"answers": answers} if show else {})})


def _require_writable(path: Path) -> None:
    """UsageError where no file can be put there."""
    if not path.parent.is_dir():
        raise UsageError(f"--junit {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"--junit {path}: the folder {path.parent} is not writable")


def _write(path: Path, text: str) -> None:
    """Put a whole file in place of another: a build server never reads half a one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _data_of(
    app: App, experiments: Sequence[Experiment], job: Job
) -> tuple[Experiment, PreparedDataset]:
    """Return the first spec whose training rows are those that the job was tuned on, and its data.

    StalePlan where none is: a split of other data could hold rows that the model has seen.
    """
    tuned_on = app.registry.revision(job)["identity"]["dataset"]
    fault: Exception | None = None
    for experiment in experiments:
        try:
            data = desired.prepared(app, experiment)
        except DataError as error:
            fault = error
            continue
        if data.training_identity() == tuned_on:
            return experiment, data
    if fault is not None:
        raise fault
    raise StalePlan(
        f"{experiments[-1].dataset.source}: its training rows are not those that {job.title} was "
        "tuned on, so its other rows may not be held out; restore the data, or `tunekit apply` "
        "and evaluate the new job"
    )
