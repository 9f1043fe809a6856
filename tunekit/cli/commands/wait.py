"""`tunekit wait`."""

from __future__ import annotations

import click

from tunekit.cli import options, waiting
from tunekit.cli.context import App
from tunekit.views.jobs import job_json


@click.command(
    epilog=options.example("tunekit wait quickstart --timeout 600 && tunekit evaluate quickstart")
)
@options.names
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Give up after so long; the jobs go on.",
)
@options.with_app(("table", "json", "yaml"))
def command(app: App, names: tuple[str, ...], timeout: float | None) -> None:
    """Wait until jobs have ended.

    Without NAME it waits for all that are open.

    Exit codes: 0 all succeeded, 100 one failed, 103 one was cancelled, 101 time ran out.
    """
    if names:
        chosen = {app.job(name)[0].name for name in names}
    else:
        trials = app.registry.trials() if app.has_registry else []
        chosen = {t.name for t in trials if (job := t.current()) and job.is_open}
        if not chosen:
            app.say("No job is open.")
            if app.format != "table":
                app.output.data("wait", {"jobs": []})
            return
    try:
        ended = waiting.until_ended(app, chosen, timeout_s=timeout)
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
