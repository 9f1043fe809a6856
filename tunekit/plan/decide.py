"""Desired x recorded -> Plan. Pure: reads no clock, no file, no network.

Every case stands in `decide`; the README prints the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

from tunekit.model import Job, JobState, Lifecycle, Phase, RecordedTrial, Trial
from tunekit.plan.bases import Points, with_bases
from tunekit.plan.changes import changes, retune_reason, sections
from tunekit.plan.steps import Action, Options, Plan, Step


def plan(
    desired: Sequence[Trial],
    recorded: Sequence[RecordedTrial],
    *,
    now_s: float,
    options: Options | None = None,
    points: Points | None = None,
) -> Plan:
    """Return what would make `recorded` become `desired`, in order of name.

    `points` holds those of the jobs that `measured_parents` names.
    """
    options = options or Options()
    based = with_bases(desired, recorded, points or {})
    known = {trial.name: trial for trial in recorded}
    wanted = {trial.name: trial for trial in based.trials}
    names = sorted(known.keys() | wanted.keys())
    steps = (
        decide(
            name,
            wanted.get(name),
            known.get(name),
            now_s=now_s,
            options=options,
            waits_for=based.waits.get(name, ""),
        )
        for name in names
    )
    return Plan(tuple(step for step in steps if step is not None))


class Want(StrEnum):
    """What the files ask for."""

    TUNED = "tuned"
    CANCELLED = "cancelled"
    NOTHING = "nothing"


class Stand(StrEnum):
    """Where the current job stands."""

    NONE = "none"
    INTERRUPTED = "interrupted"  # an intent without an answer: nobody knows
    OPEN = "open"  # pending, running or unknown
    OVERDUE = "overdue"  # running for longer than limits.max_duration
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"  # the provider has had no such job for a while
    CANCELLED = "cancelled"


def decide(
    name: str,
    trial: Trial | None,
    recorded: RecordedTrial | None,
    *,
    now_s: float,
    options: Options,
    waits_for: str = "",
) -> Step | None:
    """Return the step for one trial, None where there is nothing at all to say.

    `waits_for` says why the tuned model that it continues from is not there yet. This is the
    whole table of (desired x recorded); the first case that fits decides.
    """
    job = recorded.current() if recorded else None
    want, stand, is_same = situation(trial, job, now_s)
    lifecycle = trial.experiment.lifecycle if trial else Lifecycle()
    is_protected = recorded is not None and recorded.is_protected
    was_cancelled = recorded is not None and recorded.desired_state == "cancelled"
    is_retry_asked = name in options.retry
    failures = recorded.failures(trial.digest) if recorded and trial else 0
    former = recorded.latest(trial.digest) if recorded and trial else None
    has_former = former is not None and former.state is JobState.SUCCEEDED
    unanswered = recorded.unanswered(trial.digest) if recorded and trial else None
    paths = changes(recorded, trial) if recorded and trial else ()
    because = retune_reason(paths, former if has_former else None)
    if unanswered and not has_former:
        because = f"job {unanswered.number} was never accepted; submits it again"
    the_job = f"job {job.number}" if job else "no job"
    why = f" ({job.cancel_why})" if job and job.cancel_why else ""

    step = partial(Step, name=name, trial=trial, recorded=recorded, changes=paths)
    attempt = next_attempt(recorded, trial.digest if trial else "")
    submit = partial(step, Action.SUBMIT, attempt=attempt)
    retry = partial(step, Action.RETRY, attempt=attempt)
    if has_former:
        change = partial(step, Action.REUSE, reuses=former)
    else:
        change = partial(step, Action.RETUNE, attempt=attempt)
    cancel = partial(step, Action.CANCEL, cancels=job)
    wait, hold, refuse = (partial(step, a) for a in (Action.WAIT, Action.HOLD, Action.REFUSE))
    noop, update = partial(step, Action.NOOP), partial(step, Action.UPDATE)
    only_recorded = f"{sections(paths)} only, nothing re-tunes"
    is_stuck = job is not None and job.provider in options.cannot_cancel
    let_end = f"{job.provider if job else ''} can't cancel jobs, so {the_job} must end by itself"
    unprotect = "apply lifecycle.protect: false first with the rest unchanged"

    match (want, stand, is_same):
        # A submit was interrupted, and now the job is not wanted: first find out.
        case (Want.CANCELLED, Stand.INTERRUPTED, _):
            return step(
                Action.RESOLVE,
                reason="a submit was interrupted; looks for its job, cancels it if there is one",
            )

        # In no file. Deleting a file never cancels by itself.
        case (Want.NOTHING, Stand.NONE, _):
            return None
        case (Want.NOTHING, _, _) if stand in _IS_ENDED:
            return None
        case (Want.NOTHING, Stand.CANCELLING, _):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.NOTHING, _, _) if not options.prune:
            return step(
                Action.UNMANAGED,
                reason=f"in no file, but {the_job} still runs; `tunekit apply --prune` cancels it",
            )
        case (Want.NOTHING, _, _) if is_stuck:
            return hold(reason=f"in no file any more, but {let_end}")
        case (Want.NOTHING, _, _) if is_protected:
            return refuse(
                reason=f"--prune would cancel {the_job}, but it is protected; restore its file "
                "with lifecycle.protect: false and apply that first"
            )
        case (Want.NOTHING, _, _):
            return cancel(reason="in no file any more (--prune)")

        # lifecycle.state: cancelled
        case (Want.CANCELLED, Stand.NONE, _):
            return noop(reason="lifecycle.state is cancelled; nothing was ever submitted")
        case (Want.CANCELLED, _, _) if stand in _IS_ENDED and paths:
            return update(reason=f"{the_job} has ended; {only_recorded}")
        case (Want.CANCELLED, _, _) if stand in _IS_ENDED:
            return noop(reason=f"{stand}; lifecycle.state is cancelled")
        case (Want.CANCELLED, Stand.CANCELLING, _):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.CANCELLED, _, _) if is_stuck:
            return hold(reason=f"lifecycle.state is cancelled, but {let_end}")
        case (Want.CANCELLED, _, _) if is_protected:
            return refuse(
                reason=f"lifecycle.state is cancelled, but {the_job} is protected; {unprotect}"
            )
        case (Want.CANCELLED, _, _):
            return cancel(reason="lifecycle.state: cancelled")

        # The tuned model that it continues from is not there yet; a limit holds all the same.
        case (Want.TUNED, Stand.OVERDUE, _) if waits_for and not is_protected:
            return cancel(reason="ran longer than limits.max_duration")
        case (Want.TUNED, _, _) if waits_for and stand is not Stand.INTERRUPTED:
            return wait(reason=f"waits for its base model: {waits_for}")

        # lifecycle.state: tuned, and nothing yet
        case (Want.TUNED, Stand.NONE, _) if has_former:
            return change(reason=because)
        case (Want.TUNED, Stand.NONE, _):
            return submit(reason=because if unanswered else "new")

        # tuned, and the current job is of this very revision
        case (Want.TUNED, Stand.INTERRUPTED, True):
            return step(
                Action.RESOLVE,
                attempt=job.attempt if job else attempt,
                reason="a submit was interrupted; looks for its job, submits if there is none",
            )
        case (Want.TUNED, Stand.OVERDUE, True) if is_stuck:
            return hold(reason=f"{the_job} ran longer than limits.max_duration, but {let_end}")
        case (Want.TUNED, Stand.OVERDUE, True) if is_protected:
            return hold(
                reason=f"{the_job} ran longer than limits.max_duration, but it is protected; "
                f"let it end, or {unprotect}"
            )
        case (Want.TUNED, Stand.OVERDUE, True):
            return cancel(reason="ran longer than limits.max_duration")
        case (Want.TUNED, Stand.CANCELLING, True):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.TUNED, _, True) if stand in _IS_ENDED and is_retry_asked:
            return retry(reason=f"{the_job} {_ENDED[stand]}; --retry asks for another")
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True) if unanswered:
            return retry(reason=because)
        case (Want.TUNED, Stand.LOST, True):
            return hold(
                reason=f"{the_job} is lost: the provider does not have it; look there first, "
                f"then `tunekit apply --retry {name}` submits it again"
            )
        case (Want.TUNED, Stand.FAILED, True) if failures <= lifecycle.retries:
            return retry(reason=f"{the_job} failed; retry {failures} of {lifecycle.retries}")
        case (Want.TUNED, Stand.CANCELLED, True) if was_cancelled:
            return retry(reason="lifecycle.state is tuned again")
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True) if paths:
            return update(
                reason=f"{only_recorded}; {the_job} {_ENDED[stand]}{why} and stays so "
                f"without `--retry {name}`"
            )
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True):
            return hold(
                reason=f"{the_job} {_ENDED[stand]}{why}; change the spec, "
                f"or `tunekit apply --retry {name}` to submit it again"
            )
        case (Want.TUNED, Stand.OPEN | Stand.SUCCEEDED, True) if paths:
            return update(reason=only_recorded)
        case (Want.TUNED, Stand.SUCCEEDED, True):
            return noop(reason="tuned")
        case (Want.TUNED, Stand.OPEN, True):
            return noop(reason=f"{the_job} is {job.state.lower() if job else 'open'}")

        # tuned, and the current job is of another revision
        case (Want.TUNED, _, False) if stand in _IS_ENDED:
            return change(reason=because)
        case (Want.TUNED, Stand.INTERRUPTED, False):
            return step(
                Action.RESOLVE,
                reason=f"a submit was interrupted; looks for its job, then {because}",
            )
        case (Want.TUNED, Stand.CANCELLING, False):
            return change(reason=f"{because}, once {the_job} has ended", cancels=job)
        case (Want.TUNED, _, False) if is_protected:
            return refuse(
                reason=f"{because}, but {the_job} still runs and is protected; "
                f"let it end, or {unprotect}"
            )
        case (Want.TUNED, Stand.OPEN | Stand.OVERDUE, False) if is_stuck:
            return wait(reason=f"{because}, once {the_job} has ended ({let_end})")
        case (Want.TUNED, Stand.OPEN, False) if lifecycle.on_change == "finish":
            return wait(reason=f"{because}, once {the_job} has ended (on_change: finish)")
        case (Want.TUNED, Stand.OPEN | Stand.OVERDUE, False):
            return change(reason=f"{because}; cancels {the_job} first", cancels=job)
        case _:
            raise AssertionError(f"the table lacks {want}, {stand}, same={is_same}")


_ENDED = {
    Stand.SUCCEEDED: "succeeded",
    Stand.FAILED: "failed",
    Stand.LOST: "is lost",
    Stand.CANCELLED: "was cancelled",
}
_IS_ENDED = (Stand.SUCCEEDED, Stand.FAILED, Stand.LOST, Stand.CANCELLED)
_STANDS = {
    JobState.PENDING: Stand.OPEN,
    JobState.RUNNING: Stand.OPEN,
    JobState.UNKNOWN: Stand.OPEN,
    JobState.CANCELLING: Stand.CANCELLING,
    JobState.SUCCEEDED: Stand.SUCCEEDED,
    JobState.FAILED: Stand.FAILED,
    JobState.CANCELLED: Stand.CANCELLED,
}


def situation(trial: Trial | None, job: Job | None, now_s: float) -> tuple[Want, Stand, bool]:
    """Return what is wanted, where the job stands, and whether it is of the wanted revision."""
    want = Want(trial.experiment.lifecycle.state) if trial else Want.NOTHING
    if job is None:
        return want, Stand.NONE, False
    is_same = trial is not None and job.revision == trial.digest
    if job.phase is Phase.INTENT:
        return want, Stand.INTERRUPTED, is_same
    limit = trial.experiment.limits.max_duration_s if trial else None
    is_overdue = (
        job.state is JobState.RUNNING
        and limit is not None
        and job.started_s is not None
        and now_s - job.started_s > limit
    )
    if is_overdue:
        return want, Stand.OVERDUE, is_same
    if job.is_lost:
        return want, Stand.LOST, is_same
    if job.state is JobState.FAILED and job.cancel_asked_s is not None:
        # Some providers call a job FAILED that ended because it was told to.
        return want, Stand.CANCELLED, is_same
    return want, _STANDS[job.state], is_same


def next_attempt(recorded: RecordedTrial | None, revision: str) -> int:
    """Return the number of the next attempt of a revision: one more than the highest used.

    An attempt that never reached the provider is made again, under the same token.
    """
    if recorded is None:
        return 1
    if (unanswered := recorded.unanswered(revision)) is not None:
        return unanswered.attempt
    used = (job.attempt for job in recorded.jobs if job.revision == revision)
    return max(used, default=0) + 1
