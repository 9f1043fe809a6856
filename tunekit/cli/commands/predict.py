"""`tunekit predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from tunekit import dataset
from tunekit.cli import asking, options
from tunekit.cli.context import App
from tunekit.cli.labels import labels
from tunekit.errors import UsageError


@click.command(epilog=options.example("tunekit predict quickstart 'Call me at 555-0142, Ana'"))
@options.name
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--raw", is_flag=True, help="TEXT is the whole prompt: apply no template.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=VALUE",
    help="A template value, where the prompt has several; repeatable.",
)
@asking.target_option(several=False)
@options.generation_flags
@options.with_app(("table", "json", "yaml"))
def command(
    app: App,
    name: str,
    texts: tuple[str, ...],
    raw: bool,
    columns: tuple[str, ...],
    target: str,
    **sampling: Any,
) -> None:
    """Ask a tuned model.

    TEXT takes the place of {input} in the experiment's prompt. Without TEXT, every line of
    standard input is one. Nothing of it is stored.
    """
    trial, job = app.job(name)
    app.observer().refresh([job])
    job = app.registry.job(job.id)
    model = asking.model_of(app, job, target)
    experiment = asking.experiment_of(app, trial, job)
    given = labels(columns, "--column")
    asked = list(texts) or _standard_input(app, is_needed=not given)
    if raw:
        prompts: Sequence[str] = asked
    elif asked:
        prompts = [dataset.render(experiment, given, text=text) for text in asked]
    else:
        prompts = [dataset.render(experiment, given)]
    settings = asking.generation(experiment, **sampling)
    with asking.remedied(job, target):
        answers = app.ask(job.provider, model, prompts, settings)
        if app.format == "table":
            for answer in answers:
                app.output.text(answer.text)
            return
        texts_out = [answer.text for answer in answers]
    app.output.data("predict", {"model": model, "answers": texts_out})


def _standard_input(app: App, *, is_needed: bool) -> list[str]:
    if not is_needed:
        return []
    if sys.stdin.isatty():
        app.say("Type a text a line; Ctrl-D ends.")
    lines = [line.rstrip("\r\n") for line in sys.stdin]
    if not lines:
        raise UsageError("standard input is empty; give TEXT, or a text a line")
    return lines
