"""Applying experiments that continue from others: no child is tuned twice by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tests.unit.test_apply import World, world
from tests.unit.test_plan import trial
from tunekit.errors import Unavailable
from tunekit.model import EVAL_LOSS, Checkpoint, JobState, MetricPoint, Observation, Parent, Trial

__all__ = ["world"]


def best_of_x() -> Trial:
    made = trial(name="child")
    return Trial.of(replace(made.experiment, parent=Parent("x", "best")), made.dataset)


def with_models(world: World) -> None:
    """Let every job of the cloud have a model with two checkpoints."""
    marks = tuple(Checkpoint(str(n), f"endpoints/{n}", step=n * 10) for n in (1, 2))
    plain = world.cloud.seen

    def seen(token: str) -> Observation:
        return replace(plain(token), model=f"models/{token}", checkpoints=marks)

    world.cloud.seen = seen  # type: ignore[method-assign]


def test_a_child_starts_once_from_the_best_though_points_come_late(world: World) -> None:
    with_models(world)
    world.apply(trial("A"), best_of_x())
    world.cloud.points = [MetricPoint(EVAL_LOSS, 10, 0.5)]
    world.observer.refresh(with_metrics=True)
    world.cloud.points += [MetricPoint(EVAL_LOSS, 20, 0.1)]
    world.cloud.end(JobState.SUCCEEDED)
    world.cloud.failing["metrics"] = Unavailable("503")
    applier = world.apply(trial("A"), best_of_x())
    assert world.cloud.submits == 1
    assert "not every metric point" in applier.plan().steps[0].reason
    world.cloud.failing.clear()
    world.apply(trial("A"), best_of_x())
    assert world.cloud.submits == 1  # a series may show up late: two looks must agree
    world.time.sleep(10)
    world.apply(trial("A"), best_of_x())
    assert world.cloud.submits == 2
    child = next(t for t in world.registry.trials() if t.name == "child").current()
    assert child is not None
    assert world.registry.revision(child)["identity"]["base_checkpoint"] == "2"


def test_waiting_goes_on_until_the_parent_s_points_are_there(world: World) -> None:
    with_models(world)
    world.apply(trial("A"), best_of_x())
    world.cloud.points = [MetricPoint(EVAL_LOSS, 10, 0.5)]
    world.cloud.end(JobState.SUCCEEDED)
    world.cloud.failing["metrics"] = Unavailable("503")
    applier = world.applier(trial("A"), best_of_x())

    def tick() -> Collection[int]:
        if world.time.now_s - world.time.began_s > 60:
            world.cloud.failing.clear()
            world.cloud.fails_at_once = True  # ends the child, whatever becomes of it
        return ()

    applier.tick = tick
    applier.settle(until_ended=True)
    assert world.cloud.submits == 2
