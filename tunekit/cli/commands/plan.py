"""`tunekit plan`."""

from __future__ import annotations

import click

from tunekit.apply import preflight, refusals
from tunekit.cli import applying, options
from tunekit.cli.context import App
from tunekit.errors import SpecError
from tunekit.views.plan import plan_json, print_plan

HAS_CHANGES = 2


@click.command(epilog=options.example("tunekit plan -f experiments/quickstart.yaml"))
@options.files
@options.selector
@click.option("--prune", is_flag=True, help="Also plan to cancel running jobs that no file names.")
@click.option("--retry", multiple=True, metavar="NAME", help="Plan another attempt; repeatable.")
@click.option("--refresh/--no-refresh", default=True, help="Ask providers first.  [default: ask]")
@click.option("--all", "has_all", is_flag=True, help="Also list what stays as it is.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there are changes.")
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
    scope = applying.scope(app, files=files, wanted=wanted, prune=prune, retry=retry)
    applier = scope.applier(app)
    if refresh:
        for warning in applier.observer.refresh():
            app.say(f"warning: {warning}")
    made = applier.plan()
    problems = preflight(made.steps, applier.observer)
    if app.format == "table":
        print_plan(app.output, made, has_all=has_all)
        for problem in problems:
            app.say(str(problem))
    else:
        app.output.data("plan", {**plan_json(made), "problems": [str(p) for p in problems]})
    if refusals(problems) or made.is_refused:
        raise click.exceptions.Exit(SpecError.exit_code)
    if detailed_exitcode and made.has_changes:
        raise click.exceptions.Exit(HAS_CHANGES)
