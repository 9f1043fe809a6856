"""Observing: whose answer is whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from tests.unit.test_apply import World, world
from tests.unit.test_plan import trial
from tunekit.model import JobState, MetricPoint, Observation
from tunekit.observe import Pace

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


def test_of_many_jobs_in_sight_a_few_curves_are_asked_for_at_a_time(world: World) -> None:
    world.apply(*(trial("A", name=f"n{number}") for number in range(10)))
    jobs = world.registry.jobs()
    asked: Counter[str] = Counter()

    def metrics(name: str, after_step: int) -> Iterator[MetricPoint]:
        asked[name] += 1
        return iter([MetricPoint("/train_total_loss", 1, 0.5)])

    world.cloud.metrics = metrics  # type: ignore[method-assign]
    pace = Pace(world.observer)

    def look(drawn: set[int]) -> int:
        before = asked.total()
        pace.refresh(world.registry.jobs(), with_metrics=True, drawn=drawn)
        world.time.sleep(60)
        return asked.total() - before

    assert look(set()) == 0
    in_sight = {job.id for job in jobs[:8]}
    assert [look(in_sight) for _ in range(4)] == [4, 4, 4, 4]
    # Each had its turn before any had a third.
    assert asked == Counter({str(job.name): 2 for job in jobs[:8]})
    assert world.registry.points(jobs[0].id)
    assert not world.registry.points(jobs[9].id)
