"""`tunekit show`."""

from __future__ import annotations

from typing import Any

import click

from tunekit import dataset, spec
from tunekit.cli import asking, desired, options, pins
from tunekit.cli.context import App, unknown_name
from tunekit.errors import UsageError
from tunekit.model import Example, Experiment, Job, RecordedTrial, placed, trial_key
from tunekit.views import show as view


@click.command(epilog=options.example("tunekit show quickstart --rows 3"))
@options.name
@options.files
@click.option("--rows", type=click.IntRange(min=0), default=0, help="Print so many examples.")
@click.option("--split", default="train", show_default=True, help="The split of --rows.")
@options.with_app(("table", "json", "yaml"))
def command(app: App, name: str, files: tuple[str, ...], rows: int, split: str) -> None:
    """Show one experiment, its job and its rendered examples.

    --rows prints examples exactly as a provider would get them, also before the first apply.
    NAME@JOB shows a former job with the spec it was submitted with.
    """
    plain, _, number = name.partition("@")
    trial = _recorded(app, plain)
    experiment = None if number else desired.of_name(app, files, plain)
    if trial is None and experiment is None:
        raise UsageError(unknown_name(plain, _known(app)))
    job = _job(app, name, trial)
    if experiment is None and trial is not None and job is not None:
        experiment = asking.experiment_of(app, trial, job)
    examples = _examples(app, experiment, rows=rows, split=split)
    revision = app.registry.revision(job) if job else None
    scores = app.registry.evaluations(job.id) if job else []
    dropped = _dropped(app, job)
    if app.format == "table":
        view.print_shown(
            app.output,
            experiment=experiment,
            job=job,
            revision=revision,
            evaluations=scores,
            dropped_rows=dropped,
            now_s=app.clock.now_s(),
        )
        view.print_examples(app.output, examples, split=split)
        return
    content: dict[str, Any] = {
        "name": plain,
        "spec": experiment.document if experiment else None,
        "where": str(experiment.where) if experiment else None,
        "job": view.job_json(job) if job else None,
        "revision": revision,
        "evaluations": scores,
        "dropped_rows": dropped,
    }
    if rows:
        content["examples"] = [_example_json(example) for example in examples]
    app.output.data("show", content)


def _example_json(example: Example) -> dict[str, Any]:
    """Return an example as plain data; a ready-made line is told by its texts."""
    found = {**example._asdict(), "turns": [turn._asdict() for turn in example.turns]}
    del found["raw"]
    return found


def _recorded(app: App, name: str) -> RecordedTrial | None:
    if not app.has_registry:
        return None
    return next(iter(app.registry.trials_of([trial_key(name)])), None)


def _known(app: App) -> list[str]:
    return app.registry.names() if app.has_registry else []


def _job(app: App, name: str, trial: RecordedTrial | None) -> Job | None:
    if trial is None or (trial.current() is None and "@" not in name):
        return None
    _, job = app.job(name)
    app.observer().refresh([job])
    return app.registry.job(job.id)


def _dropped(app: App, job: Job | None) -> list[dict[str, Any]]:
    """Return the rows that the service says it left out, each with its place in the source."""
    stats = job.data_stats if job else None
    if job is None or stats is None or not stats.dropped_rows:
        return []
    revision = app.registry.revision(job)
    rows = app.registry.rows(revision["dataset"]["splits"]["train"]["digest"])
    source = spec.from_document(revision["document"]).dataset.source
    name = source.objects().get("train", str(source))
    found = []
    for row in stats.dropped_rows:
        is_known = rows is not None and row.number <= len(rows)
        at = rows.lines[row.number - 1] if rows is not None and is_known else None
        where = str(placed(at, revision["dataset"].get("files", ()), source=name)) if at else None
        found.append({"number": row.number, "where": where, "reason": row.reason})
    return found


def _examples(app: App, experiment: Experiment | None, *, rows: int, split: str) -> list[Example]:
    if not rows or experiment is None:
        return []
    experiment = pins.pinned(app, experiment)
    return dataset.preview(experiment, root=app.project.root, rows=rows, split=split)
