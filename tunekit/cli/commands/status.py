"""`tunekit status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from tunekit.cli import choosing, options, watching
from tunekit.cli.context import App
from tunekit.cli.tables import Narrowing
from tunekit.errors import UsageError
from tunekit.model import RecordedTrial
from tunekit.views.jobs import left_out, status_json, status_table
from tunekit.views.output import Table

_PAGE = 50
_FIELDS = (
    *("name", "job", "provider", "base_model", "state", "percent", "completed_steps"),
    *("total_steps", "loss", "submitted_s", "started_s", "ended_s", "detail", "error"),
)


@click.command(epilog=options.example("tunekit status --state RUNNING --since 7d --sort -loss"))
@options.names
@options.narrowing([field for field in _FIELDS if field != "job"])
@click.option("-w", "--watch", is_flag=True, help="Follow until no job is open any more.")
@click.option("--all", "has_all", is_flag=True, help=f"Every row, not the first {_PAGE}.")
@click.option("--refresh/--no-refresh", default=True, help="Ask providers first.  [default: ask]")
@options.with_app(("table", "json", "yaml", "csv"))
def command(
    app: App,
    names: tuple[str, ...],
    narrow: Narrowing,
    watch: bool,
    has_all: bool,
    refresh: bool,
) -> None:
    """Show every experiment's current job.

    What runs comes first, then what is newest, unless --sort says otherwise.
    """
    if not app.has_registry:
        app.say("Nothing was applied yet; start with `tunekit plan`.")
        if app.format in ("json", "yaml"):
            app.output.data("status", {"trials": []})
        return
    if watch:
        if app.format != "table":
            raise UsageError("-w draws; for a script use `tunekit wait` or `status -o json`")
        watching.watch(app, lambda: _trials(app, choosing.current_jobs(app, names, narrow)))
        if not app.output.is_live:
            _print(app, choosing.current_jobs(app, names, narrow), has_all=has_all)
        return
    if refresh:
        for warning in app.observer().refresh():
            app.say(f"warning: {warning}")
    _print(app, choosing.current_jobs(app, names, narrow), has_all=has_all)


def _print(app: App, rows: Sequence[Mapping[str, Any]], *, has_all: bool) -> None:
    if app.format == "table":
        if rows:
            app.output.table(_table(app, rows, limit=None if has_all else _PAGE))
        else:
            app.say("No experiment to show.")
        return
    jobs = app.registry.jobs_of([row["id"] for row in rows if row["id"] is not None])
    trials = status_json(rows, jobs)
    if app.format == "csv":
        # A job's own `name` is the provider's word for it; here it is the experiment's.
        app.output.csv([{**(t["job"] or {}), "name": t["name"]} for t in trials], _FIELDS)
    else:
        app.output.data("status", {"trials": trials})


def _table(app: App, rows: Sequence[Mapping[str, Any]], *, limit: int | None) -> Table:
    """Return the table of the first rows, in their order; the others are counted."""
    page = rows[:limit]
    table = status_table(_trials(app, page), now_s=app.clock.now_s(), limit=None)
    drawn = {row["name"]: row for row in table.rows}
    shown = [drawn[row["name"]] for row in page]
    return replace(table, rows=shown, more=left_out(rows, len(page)))


def _trials(app: App, rows: Sequence[Mapping[str, Any]]) -> list[RecordedTrial]:
    return app.registry.trials_of([(row["of_experiment"], row["of_trial"]) for row in rows])
