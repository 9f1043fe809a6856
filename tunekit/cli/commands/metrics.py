"""`tunekit metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.cli.writing import written_whole
from tunekit.errors import UsageError
from tunekit.evaluate.advice import advice_for
from tunekit.evaluate.curves import epochs_of
from tunekit.model import Job
from tunekit.views.curves import Measured
from tunekit.views.metrics import print_advice, print_metrics
from tunekit.views.plot import plot as draw
from tunekit.views.points import SUFFIXES, csv_rows, file_of, metrics_json
from tunekit.views.text import plural

_PAGE = 20


@click.command(epilog=options.example("tunekit metrics quickstart --plot --out curve.png"))
@options.some_jobs
@click.option("--plot", is_flag=True, help="Draw the loss curves in the terminal.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Write a file, by its suffix: {', '.join(SUFFIXES)}.",
)
@click.option(
    "--by",
    type=click.Choice(("step", "epoch")),
    default="step",
    show_default=True,
    help="Every step, or the mean of each epoch.",
)
@click.option(
    "--smooth",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Draw means of so many steps, 1 for none; default: a fiftieth of the curve.",
)
@click.option(
    "--metric", "chosen", multiple=True, metavar="SERIES", help="Only this series; repeatable."
)
@click.option("--all", "has_all", is_flag=True, help=f"Every step, not about {_PAGE}.")
@options.with_app(("table", "json", "yaml", "csv"))
def command(
    app: App,
    names: tuple[str, ...],
    plot: bool,
    out: Path | None,
    by: str,
    smooth: int | None,
    chosen: tuple[str, ...],
    has_all: bool,
) -> None:
    """Show training metrics as a table or a curve, and what they advise.

    Several jobs are drawn over each other. The table spreads its rows over the job; epoch ends
    are always among them. Below it is what the curve says, by rule: plateau, overfit, falling,
    noise, divergence, few-rows.
    """
    if plot and app.format != "table":
        raise UsageError("--plot draws in the terminal; leave -o out")
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {out}: name a file that ends in {', '.join(SUFFIXES)}")
    jobs = list({job.id: job for job in (app.job(name)[1] for name in names)}.values())
    wanted = {job.id for job in jobs}
    for warning in app.observer().refresh(jobs, with_metrics=True, live=wanted):
        app.say(f"warning: {warning}")
    subjects = [_measured(app, app.registry.job(job.id), by) for job in jobs]
    if chosen:
        subjects = _only(subjects, chosen)
    if out is not None:
        _write(app, out, subjects, smooth)
    match app.format:
        case "json" | "yaml":
            app.output.data("metrics", metrics_json(subjects))
        case "csv":
            fields, rows = csv_rows(subjects)
            app.output.csv(rows, fields)
        case _:
            _show(app, subjects, plot=plot, smooth=smooth, is_written=out is not None, all_=has_all)


def _measured(app: App, job: Job, by: str) -> Measured:
    """Return a job's points and what they say. UsageError where its epochs are not known."""
    points = app.registry.points(job.id)
    revision = app.registry.revision(job)
    epochs = epochs_of(job, revision, points)
    whole = Measured(job.title, points, epochs=epochs, advice=advice_for(job, revision, points))
    if by == "step" or not points:
        return whole
    if epochs is None:
        raise UsageError(
            f"--by epoch: {job.title} does not tell its epochs; set tuning.epochs, or leave it out"
        )
    return whole.each_epoch(steps=job.total_steps)


def _only(subjects: Sequence[Measured], chosen: Sequence[str]) -> list[Measured]:
    known = sorted({point.metric for subject in subjects for point in subject.points})
    for series in chosen:
        if series not in known:
            what = "this job has" if len(subjects) == 1 else "these jobs have"
            raise UsageError(f"--metric {series}: {what} {', '.join(known) or 'none yet'}")
    return [replace(s, points=[p for p in s.points if p.metric in chosen]) for s in subjects]


def _show(
    app: App,
    subjects: Sequence[Measured],
    *,
    plot: bool,
    smooth: int | None,
    is_written: bool,
    all_: bool,
) -> None:
    for subject in subjects:
        if not subject.points:
            app.say(f"{subject.title}: no metrics yet")
    measured = [subject for subject in subjects if subject.points]
    if plot and measured:
        draw(app.output, measured, window=smooth)
    elif not is_written:
        for subject in measured:
            if len(subjects) > 1:
                app.output.text(subject.title)
            print_metrics(app.output, subject, limit=None if all_ else _PAGE)
    print_advice(app.output, subjects)


def _write(app: App, path: Path, subjects: Sequence[Measured], smooth: int | None) -> None:
    """Write the file whole or not at all."""
    content = file_of(subjects, path.suffix.lower(), window=smooth)
    with written_whole(path, flag="--out") as file:
        file.write(content)
    app.say(f"Wrote {path}: {plural(len(subjects), 'job')}, {len(content):,} bytes")
