"""`tunekit validate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from tunekit.cli import desired, options
from tunekit.cli.context import App
from tunekit.errors import SpecError, UsageError
from tunekit.model import Problem
from tunekit.views.text import plural


@click.command(epilog=options.example("tunekit validate -f experiments/quickstart.yaml"))
@options.files
@options.with_app(("table", "json", "yaml"))
def command(app: App, files: tuple[str, ...]) -> None:
    """Check experiment files; report every problem at once.

    Checks the YAML, the schema, what the values mean, what the provider takes, and that the data
    set has the columns that the prompt uses. Submits nothing and writes nothing.
    """
    found, problems = desired.read(app, files)
    errors, warnings = desired.split_problems(problems)
    if app.format != "table":
        app.output.data(
            "validate",
            {
                "experiments": [e.name for e in found],
                "problems": [_problem_json(problem) for problem in problems],
            },
        )
        if errors:
            raise click.exceptions.Exit(SpecError.exit_code)
        return
    for warning in warnings:
        app.say(str(warning))
    if errors:
        raise SpecError(errors)
    if not found:
        raise UsageError("no experiments found; give -f PATH, or start with `tunekit init`")
    app.output.text(f"{plural(len(found), 'experiment')} valid.")


def _problem_json(problem: Problem) -> dict[str, Any]:
    data = asdict(problem)
    data["severity"] = problem.severity.value
    data["text"] = str(problem)
    return data
