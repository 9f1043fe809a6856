"""`tunekit validate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from tunekit.cli import desired, options
from tunekit.cli.context import App
from tunekit.errors import SpecError, UsageError
from tunekit.model import Experiment, Finding, Problem, Severity
from tunekit.views.text import plural


@click.command(epilog=options.example("tunekit validate --data -f experiments/quickstart.yaml"))
@options.files
@click.option("--data", "has_data", is_flag=True, help="Also look at every row of the data.")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="Exit 2 from this gravity on.",
)
@options.with_app(("table", "json", "yaml"))
def command(app: App, files: tuple[str, ...], has_data: bool, fail_on: str) -> None:
    """Check experiment files; report every problem at once.

    Checks the YAML, the schema, what the values mean, what the provider takes, and that the data
    set has the columns that the prompt uses; with --data, every row of it by the rules that the
    README lists. Submits nothing and writes nothing.
    """
    found, problems = desired.read(app, files)
    findings = _findings(app, found, problems) if has_data else {}
    told = [*problems, *_said(findings)]
    errors, warnings = desired.split_problems(told)
    is_refused = bool(errors or (fail_on == Severity.WARNING and warnings))
    if app.format != "table":
        content: dict[str, Any] = {
            "experiments": [e.name for e in found],
            "problems": [_problem_json(problem) for problem in problems],
        }
        if has_data:
            content["findings"] = [
                {"experiment": name, **_finding_json(finding)}
                for name, of_one in findings.items()
                for finding in of_one
            ]
        app.output.data("validate", content)
        if is_refused:
            raise click.exceptions.Exit(SpecError.exit_code)
        return
    for warning in warnings:
        app.say(str(warning))
    if errors:
        raise SpecError(errors)
    if not found:
        raise UsageError("no experiments found; give -f PATH, or start with `tunekit init`")
    if is_refused:
        app.say(f"{plural(len(warnings), 'warning')}, which --fail-on refuses.")
        raise click.exceptions.Exit(SpecError.exit_code)
    app.output.text(f"{plural(len(found), 'experiment')} valid.")


def _findings(
    app: App, found: list[Experiment], problems: list[Problem]
) -> dict[str, list[Finding]]:
    """Return findings by experiment. A spec with an error has no data that could be rendered."""
    if desired.split_problems(problems)[0]:
        return {}
    from tunekit.cli.examine import examine

    return {experiment.name: examine(app, experiment) for experiment in found}


def _said(findings: dict[str, list[Finding]]) -> list[Problem]:
    """Return each finding once: experiments may share their data."""
    told = (finding.problem() for of_one in findings.values() for finding in of_one)
    return list(dict.fromkeys(told))


def _finding_json(finding: Finding) -> dict[str, Any]:
    data = asdict(finding)
    data["severity"] = finding.severity.value
    data["text"] = str(finding.problem())
    return data


def _problem_json(problem: Problem) -> dict[str, Any]:
    data = asdict(problem)
    data["severity"] = problem.severity.value
    data["text"] = str(problem)
    return data
