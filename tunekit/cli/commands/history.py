"""`tunekit history`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.cli.tables import Narrowing
from tunekit.errors import UsageError
from tunekit.views.jobs import history_json, history_table

_PAGE = 50
_FIELDS = (
    *("job", "phase", "state", "submitted_s", "ended_s", "took_s", "who", "command", "commit"),
    *("is_dirty", "provider", "base_model", "attempt", "loss", "cost_usd", "is_cost_counted"),
    *("why", "outcome"),
)


@click.command(
    epilog=options.example("tunekit history --since 30d -l team=privacy --sort -cost_usd")
)
@options.names
@options.narrowing([field for field in _FIELDS if field != "outcome"])
@click.option("--all", "has_all", is_flag=True, help=f"Every job, not the first {_PAGE}.")
@click.option("--events", is_flag=True, help="Every recorded event instead of every job.")
@options.with_app(("table", "json", "yaml", "csv"))
def command(
    app: App, names: tuple[str, ...], narrow: Narrowing, has_all: bool, events: bool
) -> None:
    """Show every job ever: who, when, which commit, why, what it cost, how it ended.

    The newest first, unless --sort says otherwise. The registry appends events and never changes
    one. A cost with a ~ is an estimate; without, the service counted the tokens. `show NAME@NUMBER`
    shows one of the jobs.
    """
    if not app.has_registry:
        app.say("Nothing was applied yet; start with `tunekit plan`.")
        if app.format in ("json", "yaml"):
            app.output.data("history", {"jobs": []})
        return
    experiments = list(dict.fromkeys(app.recorded(name).experiment for name in names))
    if events:
        _print_events(app, experiments, narrow)
        return
    is_page = app.format == "table" and not has_all
    # Whatever is filtered or sorted is so among all jobs; what is not need not be read.
    limit = _PAGE if is_page and not narrow.is_asked else None
    recorded = app.registry.job_history(experiments, limit=limit)
    rows = narrow.rows(recorded, now_s=app.clock.now_s())
    count = app.registry.count_jobs(experiments) if limit else len(rows)
    match app.format:
        case "table" if not rows:
            app.say("No such job." if recorded else "No job yet.")
        case "table":
            page = rows[:_PAGE] if is_page else rows
            app.output.table(history_table(_full(app, page), left=count - len(page)))
        case "csv":
            app.output.csv(_full(app, rows), _FIELDS)
        case _:
            app.output.data("history", {"jobs": _full(app, rows)})


def _full(app: App, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return history_json(rows, app.registry.jobs_of([row["id"] for row in rows]))


def _print_events(app: App, experiments: Collection[str], narrow: Narrowing) -> None:
    from tunekit.views.jobs import EVENT_FIELDS, events_table

    if narrow.sort or narrow.states or narrow.tags:
        raise UsageError("--events takes --since only; -o csv is for whatever sorts and filters")
    happened = [
        e for e in app.registry.events() if not experiments or e["experiment"] in experiments
    ]
    shown = narrow.rows(happened, now_s=app.clock.now_s(), at="at_s")
    match app.format:
        case "table":
            app.output.table(events_table(shown))
        case "csv":
            app.output.csv(shown, EVENT_FIELDS)
        case _:
            app.output.data("events", {"events": shown})
