"""Observing: whose answer is whose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.unit.test_apply import World, world
from tests.unit.test_plan import trial
from tunekit.model import JobState, Observation

__all__ = ["world"]


def test_a_copy_of_a_job_with_its_token_does_not_take_its_place(world: World) -> None:
    world.apply(*(trial("A", name=name) for name in ("a", "b", "c", "d")))
    first = world.registry.jobs()[0]
    plain = world.cloud.list

    def listed() -> Iterator[Observation]:
        yield replace(world.cloud.seen(first.token), name="jobs/copy", state=JobState.FAILED)
        yield from plain()

    world.cloud.list = listed  # type: ignore[method-assign]
    world.observer.refresh()
    now = world.registry.job(first.id)
    assert (now.name, now.state) == (first.name, JobState.RUNNING)


def test_a_model_is_known_by_the_operation_that_makes_it(world: World) -> None:
    world.apply(trial("A"))
    job = replace(world.registry.jobs()[0], name="tunedModels/a/operations/1")
    assert job.is_seen_as(Observation("tunedModels/a", None, JobState.RUNNING))
    assert not job.is_seen_as(Observation("tunedModels/ab", None, JobState.RUNNING))
