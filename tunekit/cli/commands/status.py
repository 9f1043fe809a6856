"""`tunekit status`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tunekit.cli import options, watching
from tunekit.cli.context import App, unknown_name
from tunekit.cli.labels import has_labels, labels
from tunekit.errors import UsageError
from tunekit.model import JobState, RecordedTrial
from tunekit.views.jobs import status_json, status_table

_PAGE = 50
_FIELDS = (
    *("name", "job", "provider", "base_model", "state", "percent", "completed_steps"),
    *("total_steps", "loss", "submitted_s", "started_s", "ended_s", "detail", "error"),
)


@click.command(epilog=options.example("tunekit status -w"))
@options.names
@options.selector
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([s.value for s in JobState], case_sensitive=False),
    help="Only jobs in this state; repeatable.",
)
@click.option("-w", "--watch", is_flag=True, help="Follow until no job is open any more.")
@click.option("--all", "has_all", is_flag=True, help=f"Every row, not the first {_PAGE}.")
@click.option("--refresh/--no-refresh", default=True, help="Ask providers first.  [default: ask]")
@options.with_app(("table", "json", "yaml", "csv"))
def command(
    app: App,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    states: tuple[str, ...],
    watch: bool,
    has_all: bool,
    refresh: bool,
) -> None:
    """Show every experiment's current job.

    What runs comes first, then the newest. Ctrl-C ends watching; it never cancels a job.
    """
    if not app.has_registry:
        app.say("Nothing was applied yet; start with `tunekit plan`.")
        if app.format != "table":
            _print(app, [], has_all=has_all)
        return
    if watch:
        if app.format != "table":
            raise UsageError("-w draws; for a script use `tunekit wait` or `status -o json`")
        watching.watch(app, lambda: _chosen(app, names, wanted, states))
        if not app.output.is_live:
            _print(app, _chosen(app, names, wanted, states), has_all=has_all)
        return
    if refresh:
        for warning in app.observer().refresh():
            app.say(f"warning: {warning}")
    _print(app, _chosen(app, names, wanted, states), has_all=has_all)


def _chosen(
    app: App, names: Sequence[str], wanted: Sequence[str], states: Sequence[str]
) -> list[RecordedTrial]:
    trials = app.registry.trials()
    known = [trial.name for trial in trials]
    for name in names:
        if name not in known:
            raise UsageError(unknown_name(name, known))
    tags = labels(wanted)
    if tags:
        records = app.registry.experiments()
        trials = [t for t in trials if has_labels(records[t.experiment]["tags"], tags)]
    if states:
        trials = [t for t in trials if (job := t.current()) and job.state.value in states]
    return [t for t in trials if not names or t.name in names]


def _print(app: App, trials: Sequence[RecordedTrial], *, has_all: bool) -> None:
    match app.format:
        case "table" if not trials:
            app.say("No experiment to show.")
        case "table":
            limit = None if has_all else _PAGE
            app.output.table(status_table(trials, now_s=app.clock.now_s(), limit=limit))
        case "csv":
            # A job's own `name` is the provider's word for it; here it is the experiment's.
            rows = [{**(t["job"] or {}), "name": t["name"]} for t in status_json(trials)["trials"]]
            app.output.csv(rows, _FIELDS)
        case _:
            app.output.data("status", status_json(trials))
