"""`tunekit report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tunekit.cli import options, reporting
from tunekit.cli.context import App
from tunekit.cli.tables import Since
from tunekit.cli.writing import written_whole
from tunekit.errors import UsageError
from tunekit.report import Gatherer, page_of
from tunekit.views.text import plural


@click.command(epilog=options.example("tunekit report --since 7d -o report.html"))
@options.names
@options.selector
@options.since
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write; - for standard output.",
)
@click.option(
    "--all", "has_all", is_flag=True, help=f"Every job, not the newest {reporting.MOST_JOBS}."
)
@click.option("--refresh/--no-refresh", default=True, help="Ask providers first.  [default: ask]")
@options.with_app()
def command(
    app: App,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    since: Since | None,
    target: Path,
    has_all: bool,
    refresh: bool,
) -> None:
    """Write everything that was tuned as one HTML file to share.

    The file needs nothing else: no network, no server. It holds curves, advice, scores, lineage,
    specs and a comparison picker; prompts of specs are in it, rows of data only where a spec says
    `evaluate.keep_answers: true`. NAME@JOB takes one job, NAME all jobs of an experiment.
    """
    if not app.has_registry:
        raise UsageError("nothing was applied yet, so there is nothing to report; `tunekit plan`")
    if refresh:
        for warning in app.observer().refresh(with_metrics=True):
            app.say(f"warning: {warning}")
    report = reporting.gathered(app, Gatherer(app.registry), names, wanted, since, has_all=has_all)
    page = page_of(report)
    if target == Path("-"):
        sys.stdout.buffer.write(page)
        return
    with written_whole(target, flag="-o", is_private=True) as file:
        file.write(page)
    left = f", {plural(report.left_out, 'older job')} left out (--all)" if report.left_out else ""
    app.say(f"{target}: {plural(len(report.jobs), 'job')}{left}, {len(page) / 1000:,.0f} kB")
