"""`tunekit emulator`."""

from __future__ import annotations

from typing import Any

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.errors import MissingExtra, UsageError

SHARE = click.FloatRange(0, 1)
SECONDS = click.FloatRange(min=0)


@click.command(epilog=options.example("tunekit emulator --port 8085 --time-scale 100 &"))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Listen on this port; 0 takes a free one and says which.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Listen on this address of the machine."
)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0.001),
    default=20.0,
    show_default=True,
    metavar="X",
    help="Let simulated waits pass X times as fast as a published job's.",
)
@click.option(
    "--max-concurrent",
    type=click.IntRange(min=0),
    metavar="N",
    help="Refuse a Vertex job (429) while N of its project have not ended.",
)
@click.option(
    "--drop-after-accept",
    type=SHARE,
    default=0.0,
    metavar="P",
    help="Close the connection after this share of creates and cancels took effect.",
)
@click.option(
    "--error-429", type=SHARE, default=0.0, metavar="P", help="Answer this share of calls with 429."
)
@click.option(
    "--error-503", type=SHARE, default=0.0, metavar="P", help="Answer this share of calls with 503."
)
@click.option(
    "--truncate",
    type=SHARE,
    default=0.0,
    metavar="P",
    help="Cut this share of answers in half.",
)
@click.option(
    "--fail-rate",
    type=SHARE,
    default=0.0,
    metavar="P",
    help="Let this share of calls meet a 429, a 503, half an answer, or none.",
)
@click.option(
    "--delay", type=SECONDS, default=0.0, metavar="S", help="Hold every answer back for S seconds."
)
@click.option(
    "--list-lag",
    type=SECONDS,
    default=0.0,
    metavar="S",
    help="Keep what is new out of lists for S seconds.",
)
@click.option(
    "--deny-project",
    "denied",
    multiple=True,
    metavar="ID",
    help="Answer calls for this project with 403; repeatable.",
)
@click.option("--require-auth", is_flag=True, help="Answer calls without a credential with 401.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Repeat the same faults and trainings."
)
@options.output_option(("table", "json"))
def command(
    port: int,
    host: str,
    time_scale: float,
    max_concurrent: int | None,
    denied: tuple[str, ...],
    require_auth: bool,
    seed: int,
    output: str,
    **shares: Any,
) -> None:
    """Serve Vertex AI tuning, Gemini API tuning and Cloud Storage on this machine.

    Its jobs really train, on small local models. It prints its URL and the environment variables
    that point Google's clients at it; Ctrl-C ends it. Nothing of it outlives the process.
    """
    try:
        from tunekit.emulator import Emulator, Faults, Settings
    except ModuleNotFoundError as error:
        raise MissingExtra(needs=str(error.name), extra="emulator") from error
    faults = Faults(
        drop_after_accept=shares["drop_after_accept"],
        error_429=shares["error_429"],
        error_503=shares["error_503"],
        truncate=shares["truncate"],
        fail_rate=shares["fail_rate"],
        delay_s=shares["delay"],
        list_lag_s=shares["list_lag"],
        denied_projects=denied,
        require_auth=require_auth,
        max_concurrent=max_concurrent,
    )
    settings = Settings(host=host, port=port, time_scale=time_scale, seed=seed, faults=faults)
    try:
        emulator = Emulator(settings)
    except OSError as error:
        raise UsageError(f"{host}:{port}: {error.strerror or error}; try --port 0") from error
    try:
        _announce(App(format=output), emulator.url, emulator.environment)
        emulator.run()
    except KeyboardInterrupt:
        # Pressed before the server took the signals over; Ctrl-C is the normal end.
        emulator.close()


def _announce(app: App, url: str, environment: dict[str, str]) -> None:
    if app.format == "json":
        app.output.data("emulator", {"url": url, "environment": environment})
    else:
        app.output.text(f"Listening on {url}")
        for name, value in environment.items():
            app.output.text(f"export {name}={value}")
    app.output.stream.flush()
    app.say("Ctrl-C ends it, and everything it holds.")
