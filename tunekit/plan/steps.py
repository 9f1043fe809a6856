"""What a plan is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tunekit.model import Cost, Job, RecordedTrial, Trial, digest
from tunekit.plan.changes import values
from tunekit.plan.rows import DataChange


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
    """One line of the plan. `cancels` is the job to be ended, `reuses` the one that stays.

    `cost` and `data` are for people to see; nothing is decided by them here.
    """

    action: Action
    name: str
    reason: str
    trial: Trial | None = None
    recorded: RecordedTrial | None = None
    attempt: int = 1
    cancels: Job | None = None
    reuses: Job | None = None
    changes: tuple[str, ...] = ()
    cost: Cost | None = None
    data: DataChange | None = None

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

    def values(self) -> dict[str, list[Any]]:
        """Return what each changed path held before and holds now."""
        if self.recorded is None or self.trial is None:
            return {}
        return values(self.recorded, self.trial, self.changes)

    def identity(self) -> list[Any]:
        """Return all that matters of what the step does, as plain data."""
        return [
            self.action.value,
            self.name,
            self.trial.digest if self.trial else None,
            self.trial.experiment.document if self.trial else None,
            self.attempt if self.starts_job else None,
            self.cancels.number if self.cancels else None,
            self.reuses.number if self.reuses else None,
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain data."""
        return {
            "name": self.name,
            "action": self.action.value,
            "reason": self.reason,
            "changes": list(self.changes),
            "values": self.values(),
            "attempt": self.attempt if self.starts_job else None,
            "revision": self.trial.digest if self.trial else None,
            "cancels": self.cancels.number if self.cancels else None,
            "reuses": self.reuses.number if self.reuses else None,
            "cost": self.cost.to_json() if self.cost else None,
            "dataset": self.data.to_json() if self.data else None,
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
        """Hash what would be done: plans with equal checksums do the same, specs included."""
        return digest([step.identity() for step in self.steps if step.is_change])[:16]


@dataclass(frozen=True, slots=True)
class Options:
    """What the specs leave open. `retry` holds the names that --retry gave, `cannot_cancel` the
    providers that let no job be cancelled.
    """

    prune: bool = False
    retry: frozenset[str] = field(default_factory=frozenset)
    cannot_cancel: frozenset[str] = field(default_factory=frozenset)
