"""Adopting jobs into the registry: what was given up, what carries a copied token."""

from __future__ import annotations

import pytest

from tests.unit.test_plan import trial
from tests.unit.test_registry import ACTOR, intend, registry, seen
from tunekit.errors import RegistryError
from tunekit.model import Job, JobState, Observation, Phase
from tunekit.registry import Registry

__all__ = ["registry"]


def given_up(registry: Registry) -> Job:
    job = intend(registry)
    registry.give_up_intent(job, error="403", at_s=2.0, actor=ACTOR)
    return registry.job(job.id)


def adopt(registry: Registry, found: Observation, *, revision: str = "A", attempt: int = 1) -> Job:
    return registry.adopt_job(trial(revision), found, attempt=attempt, at_s=3.0, actor=ACTOR)


@pytest.mark.parametrize("token", [None, "tk-of-another-registry"])
def test_a_strangers_job_is_adopted_after_a_submit_that_was_refused(
    registry: Registry, token: str | None
) -> None:
    refused = given_up(registry)
    job = adopt(registry, Observation("jobs/7", token=token, state=JobState.SUCCEEDED))
    assert (job.name, job.state, job.attempt) == ("jobs/7", JobState.SUCCEEDED, 2)
    assert registry.job(refused.id).phase is Phase.ABSENT
    assert registry.trials()[0].current() == job


def test_a_given_up_job_that_arrived_is_bound_to_its_own_attempt(registry: Registry) -> None:
    late = given_up(registry)
    job = adopt(registry, seen(late.token, JobState.RUNNING))
    assert (job.id, job.phase, job.state) == (late.id, Phase.BOUND, JobState.RUNNING)
    assert registry.trials()[0].current() == job
    with pytest.raises(RegistryError, match="recorded already, as x@1"):
        adopt(registry, seen(late.token, JobState.RUNNING))


def test_a_job_with_a_copied_token_is_another_job(registry: Registry) -> None:
    first = intend(registry)
    registry.record_observation(first, seen(first.token, JobState.SUCCEEDED), at_s=2, actor=ACTOR)
    copy = Observation("jobs/copy", token=first.token, state=JobState.RUNNING)
    job = adopt(registry, copy, revision="B")
    assert (job.name, job.number) == ("jobs/copy", 2)
    assert job.token != first.token
