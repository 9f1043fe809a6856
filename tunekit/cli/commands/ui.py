"""`tunekit ui`."""

from __future__ import annotations

from dataclasses import replace

import click

from tunekit.cli import options, reporting
from tunekit.cli.context import App
from tunekit.cli.tables import Since
from tunekit.errors import UsageError
from tunekit.observe import Pace
from tunekit.report import Gatherer, LiveServer, Report, data_of, wrapped

_WATCHED_S = 15.0
_LOOK_EVERY_S = 1.0


@click.command(epilog=options.example("tunekit ui --port 8800"))
@options.names
@options.selector
@options.since
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Listen on this port; 0 takes a free one and says which.",
)
@click.option(
    "--all", "has_all", is_flag=True, help=f"Every job, not the newest {reporting.MOST_JOBS}."
)
@click.option("--refresh/--no-refresh", default=True, help="Ask providers, too.  [default: ask]")
@options.with_app(("table", "json"))
def command(
    app: App,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    since: Since | None,
    port: int,
    has_all: bool,
    refresh: bool,
) -> None:
    """Serve the report live on this machine.

    It listens on loopback only; the address it prints holds a random token, so keep it to
    yourself. The page follows jobs as they run and can change nothing. Ctrl-C ends it, no job.
    """
    if not app.has_registry:
        raise UsageError("nothing was applied yet, so there is nothing to show; `tunekit plan`")
    gatherer = Gatherer(app.registry)
    try:
        server = LiveServer(port, now_s=app.clock.now_s)
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror or error}; try --port 0") from error
    shown: Report | None = None
    pace = Pace(app.observer())
    said: set[str] = set()
    try:
        while True:
            # Nothing is asked and nothing is read while nobody looks.
            if shown is None or _is_watched(app, server):
                if refresh:
                    _ask(app, pace, said)
                report = reporting.gathered(app, gatherer, names, wanted, since, has_all=has_all)
                if shown is None or replace(report, made_s=shown.made_s) != shown:
                    _publish(server, report)
                if shown is None:
                    server.start()
                    _announce(app, server.url)
                shown = report
            app.clock.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return  # the normal end
    finally:
        server.close()


def _is_watched(app: App, server: LiveServer) -> bool:
    return server.asked_s is not None and app.clock.now_s() - server.asked_s < _WATCHED_S


def _ask(app: App, pace: Pace, said: set[str]) -> None:
    warnings = set(pace.refresh(app.registry.unsettled_jobs(), with_metrics=True)) - said
    said |= warnings
    for warning in sorted(warnings):
        app.say(f"warning: {warning}")


def _publish(server: LiveServer, report: Report) -> None:
    data = data_of(report)
    server.publish(wrapped(data, title=report.title, is_live=True), data.encode())


def _announce(app: App, url: str) -> None:
    if app.format == "json":
        app.output.data("ui", {"url": url})
    else:
        app.output.text(f"Open {url}")
    app.output.stream.flush()
    app.say("Ctrl-C ends it; jobs go on.")
