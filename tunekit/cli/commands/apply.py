"""`tunekit apply`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tunekit.apply import Applied, Applier, Failure
from tunekit.cli import applying, options, pins, waiting
from tunekit.cli.context import App
from tunekit.errors import SpecError, StalePlan, TunekitError
from tunekit.model import RecordedTrial
from tunekit.outlook import with_outlook
from tunekit.plan import Action, Plan
from tunekit.refusals import preflight, refusals
from tunekit.views.jobs import job_json
from tunekit.views.plan import plan_json, print_plan

# How long an apply without --wait waits for a cancelled job's end before its replacement.
_PATIENCE_S = 60.0


@click.command(epilog=options.example("tunekit apply --wait"))
@options.files
@options.selector
@click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--wait", "is_waiting", is_flag=True, help="Follow the jobs until they end.")
@click.option("--prune", is_flag=True, help="Cancel running jobs that no file names any more.")
@click.option("--retry", multiple=True, metavar="NAME", help="Submit it again; repeatable.")
@click.option("--expect", metavar="CHECKSUM", help="Refuse any plan but the reviewed one.")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for another apply.",
)
@options.with_app(("table", "json", "yaml"))
def command(
    app: App,
    files: tuple[str, ...],
    wanted: tuple[str, ...],
    is_agreed: bool,
    is_waiting: bool,
    prune: bool,
    retry: tuple[str, ...],
    expect: str | None,
    lock_timeout: float,
) -> None:
    """Make it so: submit, replace and cancel jobs as the files say.

    Shows the plan and asks. A second apply changes nothing. Ctrl-C detaches: jobs go on.
    """
    scope = applying.scope(app, files=files, wanted=wanted, prune=prune, retry=retry)
    applier = scope.applier(app, actor=app.actor(), lock_timeout_s=lock_timeout)
    with app.lock(lock_timeout):
        for warning in applier.observer.refresh():
            app.say(f"warning: {warning}")
        for note in pins.moved(app, scope.experiments()):
            app.say(note)
        failures = applier.resolve_intents()
        made = with_outlook(applier.plan(), app.registry, app.provider_of)
        _review(app, applier, made, expect=expect)
        if made.has_changes and not app.confirm(
            "Apply this plan?",
            is_agreed=is_agreed,
            otherwise="review with `tunekit plan`, then `tunekit apply -y`",
        ):
            app.say("Nothing was done.")
            raise click.exceptions.Exit(1)
        applied = applier.carry_out([step for step in made.steps if step.is_change])
        applied.failures[:0] = failures
    _settle(app, applier, applied, is_waiting=is_waiting)
    _report(app, applier, made, applied, is_waiting=is_waiting)


def _review(app: App, applier: Applier, made: Plan, *, expect: str | None) -> None:
    """Show the plan and stop where it may not be carried out."""
    if expect is not None and made.checksum() != expect:
        raise StalePlan(
            f"this plan is {made.checksum()}, not the reviewed {expect}: files, data or jobs "
            "have changed since; run `tunekit plan` and review again"
        )
    print_plan(app.output if app.format == "table" else app.notes, made)
    problems = preflight(made.steps, applier.observer)
    for problem in problems:
        app.say(str(problem))
    if refusals(problems) or made.is_refused:
        refused = [step.name for step in made.steps if step.action is Action.REFUSE]
        because = f" because of {', '.join(refused)}" if refused else ""
        app.say(f"Nothing was done{because}; -f or -l applies the others alone.")
        raise click.exceptions.Exit(SpecError.exit_code)


def _settle(app: App, applier: Applier, applied: Applied, *, is_waiting: bool) -> None:
    try:
        if is_waiting:
            more = waiting.settle(app, applier, {step.name for step in applied.done})
        else:
            more = applier.settle(until_ended=False, patience_s=_PATIENCE_S)
    except KeyboardInterrupt:
        app.say(
            "\nDetached; the jobs go on. `tunekit status -w` follows them, "
            "`tunekit cancel NAME` ends one."
        )
        raise
    applied.done += more.done
    applied.failures += more.failures


def _report(app: App, applier: Applier, made: Plan, applied: Applied, *, is_waiting: bool) -> None:
    trials = _mine(applier)
    for failure in applied.failures:
        app.say(f"{failure.name}: {failure.error}")
    if app.format != "table":
        app.output.data("apply", _json(made, applied, trials))
    elif not made.has_changes and not applied.failures and not is_waiting:
        app.say("Nothing to do.")
    elif not is_waiting:
        _next(app, trials)
    if applied.failures:
        raise click.exceptions.Exit(_worst(applied.failures))
    if is_waiting:
        raise click.exceptions.Exit(waiting.exit_code(trials))


def _next(app: App, trials: Sequence[RecordedTrial]) -> None:
    """Say what to type next."""
    is_leaving = [t.name for t in trials if (job := t.current()) and job.state == "CANCELLING"]
    if is_leaving:
        app.say(
            f"Still being cancelled: {', '.join(is_leaving)}. "
            "Run `tunekit apply` again to submit what replaces it."
        )
    if any(job.is_open and job.name for t in trials if (job := t.current())):
        app.say("Next: `tunekit status -w` follows the jobs, `tunekit wait` ends with them.")


def _mine(applier: Applier) -> list[RecordedTrial]:
    names = {trial.name for trial in applier.desired}
    return [t for t in applier.observer.registry.trials() if t.name in names]


def _json(made: Plan, applied: Applied, trials: Sequence[RecordedTrial]) -> dict[str, Any]:
    return {
        "plan": plan_json(made),
        "done": [step.to_json() for step in applied.done],
        "failures": [{"name": f.name, "error": str(f.error)} for f in applied.failures],
        "jobs": [job_json(job) for trial in trials if (job := trial.current())],
    }


def _worst(failures: Sequence[Failure]) -> int:
    """Return the code of the one kind of failure there was, 1 for several kinds."""
    codes = {failure.error.exit_code for failure in failures}
    return codes.pop() if len(codes) == 1 else TunekitError.exit_code
