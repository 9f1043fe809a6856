"""`tunekit history`."""

from __future__ import annotations

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.views.jobs import history_rows, print_history

_PAGE = 50
_FIELDS = (
    *("job", "phase", "state", "submitted_s", "ended_s", "who", "command", "commit", "is_dirty"),
    *("provider", "base_model", "attempt", "loss", "why", "outcome"),
)


@click.command(epilog=options.example("tunekit history quickstart"))
@options.names
@click.option("--all", "has_all", is_flag=True, help=f"Every job, not the newest {_PAGE}.")
@click.option("--events", is_flag=True, help="Every recorded event instead of every job.")
@options.with_app(("table", "json", "yaml", "csv"))
def command(app: App, names: tuple[str, ...], has_all: bool, events: bool) -> None:
    """Show every job ever: who, when, which commit, why, how it ended.

    The registry appends events and never changes one.
    """
    if not app.has_registry:
        app.say("Nothing was applied yet; start with `tunekit plan`.")
        if app.format in ("json", "yaml"):
            app.output.data("history", {"jobs": []})
        return
    chosen = {app.recorded(name).experiment for name in names}
    happened = [e for e in app.registry.events() if not chosen or e["experiment"] in chosen]
    if events:
        _print_events(app, happened)
        return
    jobs = [job for job in app.registry.jobs() if not chosen or job.experiment in chosen]
    rows = history_rows(jobs, happened)
    match app.format:
        case "table" if not rows:
            app.say("No job yet.")
        case "table":
            print_history(app.output, rows, limit=None if has_all else _PAGE)
        case "csv":
            app.output.csv(rows, _FIELDS)
        case _:
            app.output.data("history", {"jobs": rows})


def _print_events(app: App, happened: list[dict[str, object]]) -> None:
    from tunekit.views.jobs import EVENT_FIELDS, events_table

    match app.format:
        case "table":
            app.output.table(events_table(happened))
        case "csv":
            app.output.csv(happened, EVENT_FIELDS)
        case _:
            app.output.data("events", {"events": happened})
