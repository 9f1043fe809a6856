"""`tunekit metrics`."""

from __future__ import annotations

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.errors import UsageError
from tunekit.views import metrics as view

_PAGE = 20


@click.command(epilog=options.example("tunekit metrics quickstart --plot"))
@options.name
@click.option("--plot", is_flag=True, help="Draw the loss curve in the terminal.")
@click.option(
    "--metric", "chosen", multiple=True, metavar="SERIES", help="Only this series; repeatable."
)
@click.option("--all", "has_all", is_flag=True, help=f"Every step, not about {_PAGE}.")
@options.with_app(("table", "json", "yaml", "csv"))
def command(app: App, name: str, plot: bool, chosen: tuple[str, ...], has_all: bool) -> None:
    """Show a job's training metrics, as a table or a curve.

    The table spreads its rows over the job; epoch ends are always among them.
    """
    if plot and app.format != "table":
        raise UsageError("--plot draws in the terminal; leave -o out")
    _, job = app.job(name)
    for warning in app.observer().refresh([job], with_metrics=True):
        app.say(f"warning: {warning}")
    points = app.registry.points(job.id)
    known = sorted({point.metric for point in points})
    for series in chosen:
        if series not in known:
            raise UsageError(f"--metric {series}: this job has {', '.join(known) or 'none yet'}")
    if chosen:
        points = [point for point in points if point.metric in chosen]
    title = job.title
    match app.format:
        case "json" | "yaml":
            app.output.data("metrics", {"job": title, **view.metrics_json(points)})
        case "csv":
            fields, rows = view.csv_rows(points)
            app.output.csv(rows, fields)
        case _ if not points:
            app.say(f"{title}: no metrics yet; the job is {job.state}")
        case _ if plot:
            view.plot(app.output, title, points)
        case _:
            view.print_metrics(app.output, points, limit=None if has_all else _PAGE)
