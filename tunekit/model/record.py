"""Trials and jobs as the registry remembers them, and who did what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tunekit.model.cost import Cost, DataStats
from tunekit.model.providers import Checkpoint, JobState, Observation
from tunekit.model.trial import trial_name


class Phase(StrEnum):
    """How far tunekit got in submitting a job."""

    INTENT = "INTENT"  # written down before the provider is called
    BOUND = "BOUND"  # the provider's name for the job is known
    ABSENT = "ABSENT"  # the provider never had it: the intent was given up


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt of one revision as the registry knows it."""

    id: int
    experiment: str
    trial: str
    revision: str
    number: int  # counts the experiment's jobs from 1; what people say: NAME@3
    attempt: int
    token: str
    provider: str
    base_model: str
    phase: Phase
    state: JobState
    reason: str
    submitted_s: float
    place: str | None = None  # where its submit went; None where that was not written down
    name: str | None = None
    detail: str = ""
    error: str = ""
    model: str | None = None
    endpoint: str | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    completed_steps: int | None = None
    total_steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    created_s: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    observed_s: float | None = None
    cancel_asked_s: float | None = None
    cancel_why: str | None = None
    missing_since_s: float | None = None  # first time that the provider did not have it
    has_all_points: bool = False  # it has ended and every metric point was fetched
    data_stats: DataStats | None = None
    estimate: Cost | None = None  # of when it was submitted

    @property
    def title(self) -> str:
        """What people call it: NAME@NUMBER."""
        return f"{trial_name(self.experiment, self.trial)}@{self.number}"

    @property
    def answers_at(self) -> str | None:
        """What `generate` takes to ask the tuned model."""
        return self.endpoint or self.model

    @property
    def is_lost(self) -> bool:
        """True once the provider has been without it for so long that it counts as failed."""
        return self.state is JobState.FAILED and self.missing_since_s is not None

    @property
    def is_open(self) -> bool:
        """True while it may still run, or while nobody knows whether it does."""
        return self.phase is not Phase.ABSENT and not self.state.is_terminal

    def is_seen_as(self, seen: Observation) -> bool:
        """True where an observation is of this very job.

        A name decides once there is one: a copy of a job may carry the same token. The operation
        that makes a model has a name below the model's.
        """
        if self.name is None:
            return seen.token == self.token
        return self.name == seen.name or f"{self.name}/".startswith(f"{seen.name}/")


@dataclass(frozen=True, slots=True)
class RecordedTrial:
    """What the registry remembers of one trial. `jobs` oldest first."""

    experiment: str
    key: str
    revision: str | None
    document: Mapping[str, Any]
    jobs: tuple[Job, ...]
    is_protected: bool = False
    desired_state: str = "tuned"
    training_identity: Mapping[str, Any] | None = None
    base_model: str | None = None  # what the current revision was tuned from

    @property
    def name(self) -> str:
        return trial_name(self.experiment, self.key)

    def current(self) -> Job | None:
        """Return the newest job of the revision that was last applied."""
        return self.latest(self.revision)

    def failures(self, revision: str) -> int:
        """Return how many jobs of a revision have failed by themselves."""
        mine = [j for j in self.jobs if j.revision == revision and j.phase is Phase.BOUND]
        return sum(j.state is JobState.FAILED and j.cancel_asked_s is None for j in mine)

    def unanswered(self, revision: str) -> Job | None:
        """Return a revision's newest attempt if it never reached the provider."""
        mine = [job for job in self.jobs if job.revision == revision]
        return mine[-1] if mine and mine[-1].phase is Phase.ABSENT else None

    def latest(self, revision: str | None = None) -> Job | None:
        """Return the newest job, of one revision where given; given-up intents do not count."""
        for job in reversed(self.jobs):
            if job.phase is not Phase.ABSENT and revision in (None, job.revision):
                return job
        return None


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, handed down so that nothing below the command line reads it by itself."""

    now_s: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]  # between 0 and 1


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, by which command, on which commit; None where git could not say."""

    who: str
    command: str
    commit: str | None = None
    is_dirty: bool | None = None
