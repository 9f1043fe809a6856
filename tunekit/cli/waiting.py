"""Following jobs until they end, for `apply --wait`, `wait` and `status -w`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunekit.cli.context import App
from tunekit.model import JobState, RecordedTrial
from tunekit.views.jobs import counts
from tunekit.views.text import number

if TYPE_CHECKING:
    from tunekit.apply import Applied, Applier

SUCCEEDED, FAILED, TIMED_OUT, CANCELLED = 0, 100, 101, 103
LOOK_EVERY_S = 1.0
_MOST_SAID = 5


def settle(app: App, applier: Applier) -> Applied:
    """Carry on with the plan until every job has ended, showing how they move."""
    names = {trial.name for trial in applier.desired}
    registry, clock = applier.observer.registry, applier.observer.clock
    with app.follower() as follower:
        applier.say = follower.say
        applier.tick = lambda: follower.show(_named(registry.trials(), names), clock.now_s())
        applied = applier.settle(until_ended=True)
    say_ends(app, _named(registry.trials(), names))
    return applied


def until_ended(
    app: App, names: set[str], *, timeout_s: float | None
) -> list[RecordedTrial] | None:
    """Follow jobs until all have ended and return their trials; None when time ran out."""
    registry, clock = app.registry, app.clock
    observer = app.observer()
    began_s = clock.now_s()
    with app.follower() as follower:
        while True:
            trials = _named(registry.trials(), names)
            open_jobs = [job for t in trials if (job := t.current()) and job.is_open]
            for warning in observer.refresh(open_jobs, with_metrics=True):
                follower.say(f"warning: {warning}")
            trials = _named(registry.trials(), names)
            follower.show(trials, clock.now_s())
            if not any(job.is_open for t in trials if (job := t.current())):
                return trials
            if timeout_s is not None and clock.now_s() - began_s >= timeout_s:
                return None
            clock.sleep(LOOK_EVERY_S)


def _named(trials: Sequence[RecordedTrial], names: set[str]) -> list[RecordedTrial]:
    return [trial for trial in trials if trial.name in names]


def exit_code(trials: Sequence[RecordedTrial]) -> int:
    """Return the one code for how jobs ended: failed before cancelled before succeeded."""
    states = {job.state for trial in trials if (job := trial.current())}
    if JobState.FAILED in states:
        return FAILED
    return CANCELLED if JobState.CANCELLED in states else SUCCEEDED


def say_ends(app: App, trials: Sequence[RecordedTrial]) -> None:
    """Print how each job ended, and what to type next; of many, those that ended badly."""
    if len(trials) > _MOST_SAID:
        app.say(f"{counts(trials)}. Next: `tunekit status`")
        trials = [t for t in trials if (job := t.current()) and job.state is JobState.FAILED]
    for trial in trials[:_MOST_SAID]:
        job = trial.current()
        if job is None:
            continue
        text = f"{trial.name}: job {job.number} {job.state}"
        if job.loss is not None:
            text += f", last loss {number(job.loss)}"
        if job.error:
            text += f": {job.error}"
        app.say(text)
        if job.state is JobState.SUCCEEDED:
            app.say(f"Next: `tunekit metrics {trial.name} --plot`, `tunekit evaluate {trial.name}`")
        elif job.state is JobState.FAILED:
            app.say(f"Next: `tunekit show {trial.name}`, `tunekit apply --retry {trial.name}`")
