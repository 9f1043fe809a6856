"""`tunekit plan`."""

from __future__ import annotations

import click

from tunekit.cli import applying, options, pins
from tunekit.cli.context import App
from tunekit.errors import SpecError, TunekitError
from tunekit.model import Problem
from tunekit.outlook import with_outlook
from tunekit.plan import Plan
from tunekit.refusals import preflight, refusals
from tunekit.views.plan import plan_json, print_plan

HAS_CHANGES = 2


@click.command(epilog=options.example("tunekit plan -f experiments/quickstart.yaml"))
@options.files
@options.selector
@click.option("--prune", is_flag=True, help="Also plan to cancel running jobs that no file names.")
@click.option("--retry", multiple=True, metavar="NAME", help="Plan another attempt; repeatable.")
@click.option("--refresh/--no-refresh", default=True, help="Ask providers first.  [default: ask]")
@click.option("--all", "has_all", is_flag=True, help="Also list what stays as it is.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 for changes, 1 for errors.")
@options.with_app(("table", "json", "yaml"))
def command(
    app: App,
    files: tuple[str, ...],
    wanted: tuple[str, ...],
    prune: bool,
    retry: tuple[str, ...],
    refresh: bool,
    has_all: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what apply would do, and why. Changes nothing.

    + submits a job, -/+ replaces one, ~ changes the record only, - cancels, ! wants a decision.
    The checksum that -o json prints makes `apply --expect CHECKSUM` do exactly this plan or
    nothing.
    """
    try:
        made, problems, notes = _plan(
            app, files=files, wanted=wanted, prune=prune, retry=retry, refresh=refresh
        )
    except TunekitError as error:
        if not detailed_exitcode:
            raise
        # Here 2 means changes and nothing else.
        app.say(str(error))
        raise click.exceptions.Exit(TunekitError.exit_code) from error
    for note in notes:
        app.say(note)
    if app.format == "table":
        print_plan(app.output, made, has_all=has_all)
        for problem in problems:
            app.say(str(problem))
        if refusals(problems):
            app.say("`tunekit apply` does none of this before that is mended.")
    else:
        said = {"problems": [str(problem) for problem in problems], "notes": notes}
        app.output.data("plan", {**plan_json(made), **said})
    if refusals(problems) or made.is_refused:
        code = TunekitError.exit_code if detailed_exitcode else SpecError.exit_code
        raise click.exceptions.Exit(code)
    if detailed_exitcode and made.has_changes:
        raise click.exceptions.Exit(HAS_CHANGES)


def _plan(
    app: App,
    *,
    files: tuple[str, ...],
    wanted: tuple[str, ...],
    prune: bool,
    retry: tuple[str, ...],
    refresh: bool,
) -> tuple[Plan, list[Problem], list[str]]:
    scope = applying.scope(app, files=files, wanted=wanted, prune=prune, retry=retry)
    applier = scope.applier(app)
    if refresh:
        for warning in applier.observer.refresh():
            app.say(f"warning: {warning}")
    notes = list(pins.moved(app, scope.experiments())) if refresh else []
    made = with_outlook(applier.plan(), app.registry, app.provider_of)
    return made, preflight(made.steps, applier.observer), notes
