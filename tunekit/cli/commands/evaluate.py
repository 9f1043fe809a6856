"""`tunekit evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import Any

import click

from tunekit.cli import asking, desired, options
from tunekit.cli.context import App
from tunekit.errors import DataError, RegistryError, StalePlan, UsageError
from tunekit.evaluate import evaluate
from tunekit.model import Experiment, Job, PreparedDataset
from tunekit.views.evaluation import print_answers, print_scores
from tunekit.views.text import plural

# How many --wrong prints where --show gives no number.
_WRONG_SHOWN = 20


@click.command(epilog=options.example("tunekit evaluate quickstart --show 5"))
@options.name
@click.option("--split", help="The split to ask about; default: the spec's evaluate.split.")
@click.option("--rows", type=click.IntRange(min=1), help="Only the first so many rows.")
@click.option("--show", type=click.IntRange(min=0), default=0, help="Print so many answers.")
@click.option("--wrong", "only_wrong", is_flag=True, help="Print only wrong answers.")
@click.option("--checkpoint", metavar="ID", help="Ask this checkpoint, not the final model.")
@options.generation_flags
@options.with_app(("table", "json", "yaml"))
def command(
    app: App,
    name: str,
    split: str | None,
    rows: int | None,
    show: int,
    only_wrong: bool,
    checkpoint: str | None,
    **sampling: Any,
) -> None:
    """Score a tuned model on held-out rows.

    Runs the held-out split through the model, prints and records its scores beside two that need
    no model: the input copied unchanged, and always the most frequent answer. Answers are printed
    with --show and stored nowhere.
    """
    trial, job = app.job(name)
    app.observer().refresh([job])
    job = app.registry.job(job.id)
    model = asking.model_of(job, checkpoint)
    if app.registry.is_readonly:
        raise RegistryError(f"{app.registry.path}: is read-only, so scores can't be recorded")
    experiment, data = _data_of(app, asking.candidates(app, trial, job), job)
    split = split or experiment.evaluate.split
    if split not in data.splits:
        raise UsageError(
            f"{experiment.name} has no split {split!r}, it has: {', '.join(data.splits)}; "
            "hold rows out with dataset.split"
        )
    examples = list(islice(data.read(split), rows))
    settings = asking.generation(experiment, **sampling)
    with asking.remedied(job), _progress(app, len(examples)) as advance:
        evaluated = evaluate(
            lambda prompts: app.ask(job.provider, model, prompts, settings),
            model,
            examples,
            metrics=experiment.evaluate.metrics,
            on_answer=advance,
        )
    scores = {
        **evaluated.scores,
        **{f"copy.{key}": value for key, value in evaluated.copy.items()},
        **{f"majority.{key}": value for key, value in evaluated.majority.items()},
    }
    app.registry.record_evaluation(
        job,
        model=model,
        split=split,
        split_digest=data.splits[split].digest,
        rows=len(examples),
        generation=asdict(settings),
        scores=scores,
        at_s=app.clock.now_s(),
        actor=app.actor(),
    )
    title = job.title
    show = show or (_WRONG_SHOWN if only_wrong else 0)
    chosen = [a for a in evaluated.answers if not only_wrong or not a.is_right][:show]
    if app.format == "table":
        print_answers(app.output, chosen)
        app.output.text(f"{title} ({model}) on {plural(len(examples), 'row')} of {split}:")
        print_scores(app.output, evaluated)
        return
    shown = [
        {"line": a.example.line, "expected": a.example.response, "answered": a.text} for a in chosen
    ]
    content = {"job": title, "model": model, "split": split, **evaluated.to_json()}
    app.output.data("evaluate", {**content, **({"answers": shown} if show else {})})


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


@contextmanager
def _progress(app: App, total: int) -> Iterator[Any]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not app.notes.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=app.notes.console(), transient=True) as progress:
        task = progress.add_task("asking", total=total)
        yield lambda: progress.advance(task)
