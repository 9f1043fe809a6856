"""`tunekit export`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.cli.tables import Narrowing
from tunekit.errors import UsageError
from tunekit.model import Phase
from tunekit.views.text import plural

_SORT_KEYS = ("job", "submitted_s")
_FIELDS = ("job", "where", "points", "is_new")
_OPEN_WITH = {
    "mlflow": "mlflow ui --backend-store-uri {address}",
    "tensorboard": "tensorboard --logdir {address}",
}


@click.command(epilog=options.example("tunekit export mlflow --to runs"))
@click.argument("tool", type=click.Choice(["mlflow", "tensorboard"]))
@options.jobs
@click.option(
    "--to",
    required=True,
    metavar="FOLDER|URI",
    help="A folder; for MLflow also a .db file or a tracking server's address.",
)
@options.narrowing(_SORT_KEYS)
@options.with_app(("table", "json", "yaml", "csv"))
def command(app: App, tool: str, names: tuple[str, ...], to: str, narrow: Narrowing) -> None:
    """Write jobs into the tools people already open: MLflow, TensorBoard.

    Parameters, tags, every metric point and every score; no rows, no prompts, no answers. NAME
    means all jobs of an experiment, none all jobs. Whatever was exported before is brought up to
    date and never doubled. The extras `mlflow` and `tensorboard` bring the libraries.
    """
    rows = _chosen(app, names, narrow)
    if not rows:
        app.say("No such job.")
    module = import_module(f"tunekit.export.{tool}")
    address = module.address_of(to)
    if address == module.address_of(str(app.registry.path)):
        raise UsageError(f"--to {to} is the registry itself; name another place")
    written = []
    for done in module.write(_runs(app, rows), to) if rows else ():
        written.append(asdict(done))
    match app.format:
        case "table":
            fresh = sum(done["is_new"] for done in written)
            points = sum(done["points"] for done in written)
            app.output.text(
                f"{plural(fresh, 'job')} new, {len(written) - fresh:,} known, "
                f"{plural(points, 'point')} written to {module.shown(to)}"
            )
            if written:
                app.say(f"Open: {_OPEN_WITH[tool].format(address=module.shown(address))}")
        case "csv":
            app.output.csv(written, _FIELDS)
        case _:
            app.output.data("export", {"tool": tool, "to": module.shown(to), "jobs": written})


def _chosen(app: App, names: Sequence[str], narrow: Narrowing) -> list[Mapping[str, Any]]:
    """Return rows of jobs that a provider has had, oldest first."""
    if not app.has_registry:
        raise UsageError("nothing was applied yet; start with `tunekit plan`")
    ids: set[int] = set()
    for name in names:
        if "@" in name:
            ids.add(app.job(name)[1].id)
        else:
            ids |= {job.id for job in app.recorded(name).jobs}
    rows = [
        row
        for row in reversed(app.registry.job_history())
        if row["phase"] == Phase.BOUND and (not names or row["id"] in ids)
    ]
    return narrow.rows(rows, now_s=app.clock.now_s())


def _runs(app: App, rows: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    from tunekit.export import run_of

    records = app.registry.experiments()
    for row in rows:
        job = app.registry.job(row["id"])
        yield run_of(
            job,
            revision=app.registry.revision(job),
            record=records[job.experiment],
            asked=row,
            points=app.registry.points(job.id),
            evaluations=app.registry.evaluations(job.id),
        )
