"""Desired x recorded -> Plan. Pure: reads no clock, no file, no network.

Every case stands in `decide`; the README prints the same table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from tunekit.model import Job, JobState, Lifecycle, Phase, RecordedTrial, Trial, digest


class Action(StrEnum):
    """What apply will do about one trial."""

    SUBMIT = "submit"  # a first job
    RETUNE = "retune"  # a new revision's job; the old one has ended or is cancelled first
    RETRY = "retry"  # another attempt of the same revision
    REUSE = "reuse"  # a former job of this very revision stands in; nothing is paid again
    UPDATE = "update"  # only the record changes
    CANCEL = "cancel"
    RESOLVE = "resolve"  # a submit was interrupted: find out, then go on
    WAIT = "wait"  # something must end first
    HOLD = "hold"  # a person must decide
    REFUSE = "refuse"  # the spec forbids what the spec asks for
    UNMANAGED = "unmanaged"  # recorded, but in no file any more
    NOOP = "noop"


_SYMBOLS = {
    Action.SUBMIT: "+",
    Action.RETUNE: "-/+",
    Action.RETRY: "+",
    Action.REUSE: "~",
    Action.UPDATE: "~",
    Action.CANCEL: "-",
    Action.RESOLVE: "?",
    Action.WAIT: "…",
    Action.HOLD: "!",
    Action.REFUSE: "!",
    Action.UNMANAGED: "!",
    Action.NOOP: "=",
}

# These start a job at a provider, so they cost money.
_SUBMITS = frozenset({Action.SUBMIT, Action.RETUNE, Action.RETRY, Action.RESOLVE})


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the plan. `cancels` is the job to be ended, `reuses` the one that stays."""

    action: Action
    name: str
    reason: str
    trial: Trial | None = None
    recorded: RecordedTrial | None = None
    attempt: int = 1
    cancels: Job | None = None
    reuses: Job | None = None
    changes: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self.action]

    @property
    def starts_job(self) -> bool:
        return self.action in _SUBMITS

    @property
    def is_change(self) -> bool:
        """True where apply would do something; holding and waiting are not doing."""
        return self.starts_job or self.action in (Action.REUSE, Action.UPDATE, Action.CANCEL)

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain data."""
        return {
            "name": self.name,
            "action": self.action.value,
            "reason": self.reason,
            "changes": list(self.changes),
            "attempt": self.attempt if self.starts_job else None,
            "revision": self.trial.digest if self.trial else None,
            "cancels": self.cancels.number if self.cancels else None,
            "reuses": self.reuses.number if self.reuses else None,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What apply would do, in order."""

    steps: tuple[Step, ...]

    @property
    def has_changes(self) -> bool:
        return any(step.is_change for step in self.steps)

    @property
    def is_refused(self) -> bool:
        return any(step.action is Action.REFUSE for step in self.steps)

    def counts(self) -> dict[str, int]:
        """Return how many jobs start, records change, jobs are cancelled, and what stays."""
        return {
            "submit": sum(step.starts_job for step in self.steps),
            "update": sum(step.action in (Action.UPDATE, Action.REUSE) for step in self.steps),
            "cancel": sum(step.cancels is not None for step in self.steps),
            "hold": sum(
                step.action in (Action.HOLD, Action.REFUSE, Action.WAIT, Action.UNMANAGED)
                for step in self.steps
            ),
            "unchanged": sum(step.action is Action.NOOP for step in self.steps),
        }

    def checksum(self) -> str:
        """Hash the steps: a reviewed plan and the one applied are the same where this is."""
        return digest([step.to_json() for step in self.steps])[:16]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line adds to the specs. `retry` holds the names that --retry gave."""

    prune: bool = False
    retry: frozenset[str] = field(default_factory=frozenset)


def plan(
    desired: Sequence[Trial],
    recorded: Sequence[RecordedTrial],
    *,
    now_s: float,
    options: Options | None = None,
) -> Plan:
    """Return what would make `recorded` become `desired`, in order of name."""
    options = options or Options()
    known = {trial.name: trial for trial in recorded}
    wanted = {trial.name: trial for trial in desired}
    names = sorted(known.keys() | wanted.keys())
    steps = (decide(n, wanted.get(n), known.get(n), now_s=now_s, options=options) for n in names)
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
    CANCELLED = "cancelled"


def decide(
    name: str,
    trial: Trial | None,
    recorded: RecordedTrial | None,
    *,
    now_s: float,
    options: Options,
) -> Step | None:
    """Return the step for one trial, None where there is nothing at all to say.

    This is the whole table of (desired x recorded); the first case that fits decides.
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
    paths = changes(recorded, trial) if recorded and trial else ()
    because = retune_reason(paths, former if has_former else None)
    the_job = f"job {job.number}" if job else "no job"

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
    only_recorded = f"{_sections(paths)} only, nothing re-tunes"
    unprotect = "apply lifecycle.protect: false first with the rest unchanged"

    match (want, stand, is_same):
        # A submit was interrupted, and now the job is not wanted: first find out.
        case (Want.CANCELLED, Stand.INTERRUPTED, _):
            return step(
                Action.RESOLVE,
                reason="a submit was interrupted; looks for its job, cancels it if there is one",
            )

        # In no file. Deleting a file never cancels by itself.
        case (Want.NOTHING, Stand.NONE | Stand.SUCCEEDED | Stand.FAILED | Stand.CANCELLED, _):
            return None
        case (Want.NOTHING, Stand.CANCELLING, _):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.NOTHING, _, _) if not options.prune:
            return step(
                Action.UNMANAGED,
                reason=f"in no file, but {the_job} still runs; `tunekit apply --prune` cancels it",
            )
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
        case (Want.CANCELLED, Stand.SUCCEEDED | Stand.FAILED | Stand.CANCELLED, _) if paths:
            return update(reason=f"{the_job} has ended; {only_recorded}")
        case (Want.CANCELLED, Stand.SUCCEEDED | Stand.FAILED | Stand.CANCELLED, _):
            return noop(reason=f"{stand}; lifecycle.state is cancelled")
        case (Want.CANCELLED, Stand.CANCELLING, _):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.CANCELLED, _, _) if is_protected:
            return refuse(
                reason=f"lifecycle.state is cancelled, but {the_job} is protected; {unprotect}"
            )
        case (Want.CANCELLED, _, _):
            return cancel(reason="lifecycle.state: cancelled")

        # lifecycle.state: tuned, and nothing yet
        case (Want.TUNED, Stand.NONE, _):
            return submit(reason="new")

        # tuned, and the current job is of this very revision
        case (Want.TUNED, Stand.INTERRUPTED, True):
            return step(
                Action.RESOLVE,
                attempt=job.attempt if job else attempt,
                reason="a submit was interrupted; looks for its job, submits if there is none",
            )
        case (Want.TUNED, Stand.OVERDUE, True):
            return cancel(reason=f"{the_job} ran longer than limits.max_duration")
        case (Want.TUNED, Stand.CANCELLING, True):
            return wait(reason=f"{the_job} is still being cancelled")
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True) if is_retry_asked:
            return retry(reason=f"{the_job} {_ENDED[stand]}; --retry asks for another")
        case (Want.TUNED, Stand.FAILED, True) if failures <= lifecycle.retries:
            return retry(reason=f"{the_job} failed; retry {failures} of {lifecycle.retries}")
        case (Want.TUNED, Stand.CANCELLED, True) if was_cancelled:
            return retry(reason="lifecycle.state is tuned again")
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True) if paths:
            return update(reason=f"{only_recorded}; {the_job} {_ENDED[stand]} and stays so")
        case (Want.TUNED, Stand.FAILED | Stand.CANCELLED, True):
            return hold(
                reason=f"{the_job} {_ENDED[stand]}; change the spec, "
                f"or `tunekit apply --retry {name}` to submit it again"
            )
        case (Want.TUNED, Stand.OPEN | Stand.SUCCEEDED, True) if paths:
            return update(reason=only_recorded)
        case (Want.TUNED, Stand.SUCCEEDED, True):
            return noop(reason="tuned")
        case (Want.TUNED, Stand.OPEN, True):
            return noop(reason=f"{the_job} is {job.state.lower() if job else 'open'}")

        # tuned, and the current job is of another revision
        case (Want.TUNED, Stand.SUCCEEDED | Stand.FAILED | Stand.CANCELLED, False):
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
        case (Want.TUNED, Stand.OPEN, False) if lifecycle.on_change == "finish":
            return wait(reason=f"{because}, once {the_job} has ended (on_change: finish)")
        case (Want.TUNED, Stand.OPEN | Stand.OVERDUE, False):
            return change(reason=f"{because}; cancels {the_job} first", cancels=job)
        case _:
            raise AssertionError(f"the table lacks {want}, {stand}, same={is_same}")


_ENDED = {Stand.FAILED: "failed", Stand.CANCELLED: "was cancelled"}
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
    return want, Stand.OVERDUE if is_overdue else _STANDS[job.state], is_same


def next_attempt(recorded: RecordedTrial | None, revision: str) -> int:
    """Return the number of the next attempt of a revision: one more than the highest used."""
    if recorded is None:
        return 1
    used = (job.attempt for job in recorded.jobs if job.revision == revision)
    return max(used, default=0) + 1


def changes(recorded: RecordedTrial, trial: Trial) -> tuple[str, ...]:
    """Return the dotted paths whose value differs, and `dataset rows` where only data moved."""
    before, after = _flatten(recorded.document), _flatten(trial.experiment.document)
    paths = [p for p in sorted(before.keys() | after.keys()) if before.get(p) != after.get(p)]
    data = recorded.training_identity
    rendered_differs = data is not None and data != trial.dataset.training_identity()
    if rendered_differs and not any(map(_shapes_training_data, paths)):
        paths.append("dataset rows")
    return tuple(paths)


def retune_reason(paths: Iterable[str], former: Job | None = None) -> str:
    """Say which changes make a new revision, or that a former job already tuned it."""
    if former is not None:
        return f"back to the revision that job {former.number} tuned, nothing re-tunes"
    training = [p for p in paths if not p.startswith(_NEVER_TRAINS)]
    return f"re-tunes: {_listed(training)} changed" if training else "re-tunes: new revision"


_NEVER_TRAINS = ("name", "description", "tags", "evaluate", "limits", "lifecycle")


def _shapes_training_data(path: str) -> bool:
    return path.startswith("dataset") and path != "dataset.split.test"


def _sections(paths: Iterable[str]) -> str:
    tops = dict.fromkeys(
        path if path.startswith(("dataset", "tuning")) else path.split(".")[0] for path in paths
    )
    return _listed(list(tops))


def _listed(words: Sequence[str]) -> str:
    if len(words) > 4:
        return ", ".join(words[:3]) + f" and {len(words) - 3} more"
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _flatten(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        flat: dict[str, Any] = {}
        for key, inner in value.items():
            flat |= _flatten(inner, f"{path}.{key}" if path else str(key))
        return flat
    return {path: value}
