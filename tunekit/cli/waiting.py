"""Following jobs until they end, for `apply --wait`, `wait` and `status -w`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tunekit.cli.context import App
from tunekit.errors import UsageError
from tunekit.model import JobState, Phase, RecordedTrial
from tunekit.observe import Pace
from tunekit.views.jobs import counts
from tunekit.views.text import number

if TYPE_CHECKING:
    from tunekit.apply import Applied, Applier
    from tunekit.views.follow import Levels

SUCCEEDED, FAILED, TIMED_OUT, CANCELLED = 0, 100, 101, 103
_MOST_SAID = 5
# So long another process may be submitting the job that is waited for.
_SUBMITTING_S = 30.0


def settle(app: App, applier: Applier, touched: set[str]) -> Applied:
    """Carry on with the plan until every job has ended, showing how they move.

    `touched` names what this apply has changed already.
    """
    names = {trial.name for trial in applier.desired}
    registry, clock = applier.observer.registry, applier.observer.clock
    # What had ended before needs no words.
    moving = {t.name for t in _named(registry.trials(), names) if _is_open(t)} | touched

    def tick() -> set[int]:
        trials = _named(registry.trials(), names)
        moving.update(trial.name for trial in trials if _is_open(trial))
        shown = _named(trials, moving)
        follower.show(shown, clock.now_s(), levels(app))
        return follower.drawn(shown)

    with app.follower() as follower:
        applier.say = follower.say
        applier.tick = tick
        applied = applier.settle(until_ended=True)
    say_ends(app, _named(registry.trials(), moving))
    return applied


def _is_open(trial: RecordedTrial) -> bool:
    job = trial.current()
    return job is not None and job.is_open


def levels(app: App) -> Levels:
    """Return how a follower learns how losses went."""
    return lambda ids, count: app.registry.loss_tails(ids, count=count)


def named(app: App, names: set[str]) -> Callable[[], list[RecordedTrial]]:
    """Return what reads the trials of these names afresh."""
    return lambda: _named(app.registry.trials(), names)


def until_ended(
    app: App, choose: Callable[[], Sequence[RecordedTrial]], *, timeout_s: float | None
) -> list[RecordedTrial] | None:
    """Follow jobs until all have ended and return their trials; None when time ran out.

    `choose` reads the trials afresh. UsageError where one's submit was interrupted: no waiting
    ends that.
    """
    clock = app.clock
    pace = Pace(app.observer())
    began_s = clock.now_s()
    warned: set[str] = set()
    trials = choose()
    with app.follower() as follower:
        while True:
            open_jobs = [job for t in trials if (job := t.current()) and job.is_open]
            drawn = follower.drawn(trials)
            for warning in pace.refresh(open_jobs, with_metrics=True, drawn=drawn):
                if warning not in warned:
                    warned.add(warning)
                    follower.say(f"warning: {warning}")
            trials = choose()
            follower.show(trials, clock.now_s(), levels(app))
            if not any(job.is_open for t in trials if (job := t.current())):
                return list(trials)
            if clock.now_s() - began_s > _SUBMITTING_S:
                _refuse_interrupted(trials)
            if timeout_s is not None and clock.now_s() - began_s >= timeout_s:
                return None
            clock.sleep(pace.pause_s({job.provider for job in open_jobs}))


def _refuse_interrupted(trials: Sequence[RecordedTrial]) -> None:
    for trial in trials:
        job = trial.current()
        if job is not None and job.phase is Phase.INTENT:
            raise UsageError(
                f"{job.title}: its submit was interrupted; `tunekit apply` finds out and goes on"
            )


def _named(trials: Sequence[RecordedTrial], names: set[str]) -> list[RecordedTrial]:
    return [trial for trial in trials if trial.name in names]


def exit_code(trials: Sequence[RecordedTrial]) -> int:
    """Return the one code for how jobs ended: failed before cancelled before succeeded.

    A job that the files want cancelled, and that is, counts as a success.
    """
    states = {
        job.state
        for trial in trials
        if (job := trial.current())
        and not (trial.desired_state == "cancelled" and job.state is JobState.CANCELLED)
    }
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
        text = f"{job.title} {job.state}"
        if job.loss is not None:
            text += f", last loss {number(job.loss)}"
        if job.error:
            text += f": {job.error}"
        app.say(text)
        if job.state is JobState.SUCCEEDED:
            app.say(f"Next: `tunekit metrics {trial.name} --plot`, `tunekit evaluate {trial.name}`")
        elif job.state is JobState.FAILED:
            app.say(f"Next: `tunekit show {trial.name}`, `tunekit apply --retry {trial.name}`")
