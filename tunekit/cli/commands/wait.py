"""`tunekit wait`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from tunekit.cli import options, waiting
from tunekit.cli.context import App
from tunekit.model import RecordedTrial
from tunekit.views.jobs import job_json


@click.command(
    epilog=options.example("tunekit wait quickstart --timeout 600 && tunekit evaluate quickstart")
)
@options.jobs
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Give up after so long; the jobs go on.",
)
@options.with_app(("table", "json", "yaml"))
def command(app: App, names: tuple[str, ...], timeout: float | None) -> None:
    """Wait until jobs have ended.

    NAME is an experiment's current job, NAME@NUMBER one of its earlier ones. Without any it waits
    for all that are open. On a terminal the jobs are drawn as they move, in a pipe and in a log
    told in lines.

    Exit codes: 0 all succeeded, 100 one failed, 103 one was cancelled, 101 time ran out.
    """
    choose = _chosen(app, names)
    if not choose():
        app.say("No job is open.")
        if app.format != "table":
            app.output.data("wait", {"jobs": []})
        return
    try:
        ended = waiting.until_ended(app, choose, timeout_s=timeout)
    except KeyboardInterrupt:
        app.say("\nDetached; the jobs go on.")
        raise
    if ended is None:
        app.say(f"Not ended after {timeout:g} s; the jobs go on.")
        raise click.exceptions.Exit(waiting.TIMED_OUT)
    if app.format == "table":
        waiting.say_ends(app, ended)
    else:
        jobs = [job_json(job) for t in ended if (job := t.current())]
        app.output.data("wait", {"jobs": jobs})
    raise click.exceptions.Exit(waiting.exit_code(ended))


def _chosen(app: App, names: Sequence[str]) -> Callable[[], list[RecordedTrial]]:
    """Return what reads the jobs to wait for: those named, else all that are open by now."""
    if not app.has_registry and not names:
        return list
    found = [app.job(name) for name in names]
    # A number means that very job, whatever the experiment's current one becomes.
    fixed = {
        (trial.name, job.id) for name, (trial, job) in zip(names, found, strict=True) if "@" in name
    }
    current = {trial.name for name, (trial, _) in zip(names, found, strict=True) if "@" not in name}
    if not names:
        current = {t.name for t in app.registry.trials() if (job := t.current()) and job.is_open}

    def choose() -> list[RecordedTrial]:
        trials = app.registry.trials()
        chosen = [trial for trial in trials if trial.name in current]
        chosen += [
            replace(trial, jobs=(job,), revision=job.revision)
            for trial in trials
            for job in trial.jobs
            if (trial.name, job.id) in fixed
        ]
        return chosen

    return choose
