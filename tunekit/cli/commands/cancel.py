"""`tunekit cancel`."""

from __future__ import annotations

from functools import partial

import click

from tunekit.apply import Applier
from tunekit.cli import options, waiting
from tunekit.cli.context import App
from tunekit.errors import ProviderError, UsageError
from tunekit.plan import Options
from tunekit.retry import patiently
from tunekit.views.jobs import job_json


@click.command(epilog=options.example("tunekit cancel quickstart --wait"))
@options.names
@click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait until they have ended.")
@options.with_app(("table", "json", "yaml"))
def command(app: App, names: tuple[str, ...], is_agreed: bool, is_waiting: bool) -> None:
    """Cancel running jobs.

    A cancelled job is not submitted again by a later apply unless --retry asks for it. To keep an
    experiment cancelled in the files, write `lifecycle: {state: cancelled}` instead.
    """
    if not names:
        raise UsageError("name what to cancel; `tunekit status` lists the experiments")
    observer = app.observer(app.actor())
    found = [app.job(name) for name in dict.fromkeys(names)]
    failures: list[ProviderError] = []
    for warning in observer.refresh([job for _, job in found]):
        app.say(f"warning: {warning}")
    found = [(trial, app.registry.job(job.id)) for trial, job in found]
    for trial, job in found:
        if trial.is_protected and job.is_open:
            raise UsageError(
                f"{trial.name} is protected; apply lifecycle.protect: false first, then cancel"
            )
    still_open = [job for _, job in found if job.is_open]
    for _, job in found:
        if not job.is_open:
            app.say(f"{job.title} has already ended ({job.state})")
    if still_open:
        listed = ", ".join(job.title for job in still_open)
        if not app.confirm(f"Cancel {listed}?", is_agreed=is_agreed, otherwise="give -y"):
            app.say("Nothing was cancelled.")
            raise click.exceptions.Exit(1)
        applier = Applier(observer, [], Options(), app.lock, app.say, is_whole=False)
        for job in still_open:
            try:
                cancel = partial(applier.cancel, job, why="tunekit cancel")
                patiently(cancel, app.clock, say=app.say)
            except ProviderError as error:
                failures.append(error)
                app.say(str(error))
    if is_waiting and not failures:
        waiting.until_ended(
            app, waiting.named(app, {trial.name for trial, _ in found}), timeout_s=None
        )
    if app.format != "table":
        jobs = [job_json(app.registry.job(job.id)) for _, job in found]
        app.output.data("cancel", {"jobs": jobs})
    if failures:
        raise click.exceptions.Exit(ProviderError.exit_code)
