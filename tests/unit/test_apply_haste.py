"""Nothing that may cost money is concluded in haste: not from one look, nor from one refusal."""

from __future__ import annotations

import pytest

from tests.unit.test_apply import World, world
from tests.unit.test_plan import trial
from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError

__all__ = ["world"]


def test_a_missing_job_can_be_closed_by_cancelling_it(world: World) -> None:
    world.apply(trial("A"))
    world.time.sleep(100)
    world.cloud.jobs.clear()
    world.observer.refresh()
    world.cloud.failing["cancel"] = NotFound("gone")
    with pytest.raises(NotFound):
        world.applier().cancel(world.registry.jobs()[0], why="test")
    assert world.states() == ["BOUND CANCELLING"]
    world.time.sleep(10)
    world.observer.refresh()
    assert world.states() == ["BOUND CANCELLED"]


def test_one_look_without_it_does_not_end_a_job_that_is_being_cancelled(world: World) -> None:
    world.apply(trial("A"))
    world.time.sleep(100)
    world.cloud.cancel_takes_s = 1_000.0
    world.applier().cancel(world.registry.jobs()[0], why="test")
    world.cloud.failing["get"] = NotFound("a moment's weakness")
    world.observer.refresh()
    assert not world.registry.jobs()[0].state.is_terminal
    world.cloud.failing.clear()
    world.observer.refresh()
    assert world.states() == ["BOUND CANCELLING"]


def test_a_cancel_that_was_refused_leaves_the_job_as_it_was(world: World) -> None:
    world.apply(trial("A"))
    before = world.states()
    world.cloud.failing["cancel"] = ProviderError("HTTP 403")
    with pytest.raises(ProviderError, match="403"):
        world.applier().cancel(world.registry.jobs()[0], why="test")
    world.observer.refresh()
    assert world.states() == before == ["BOUND RUNNING"]
    assert world.registry.jobs()[0].cancel_asked_s is None


def test_one_apply_submits_into_the_dark_twice_at_most(world: World) -> None:
    world.cloud.before_submit = [AmbiguousSubmit("no answer") for _ in range(9)]
    applier = world.applier(trial("A"))
    world.observer.refresh()
    applied = applier.carry_out(applier.plan().steps)
    applied.failures += applier.settle(until_ended=True).failures
    assert len(world.cloud.before_submit) == 7
    (failure,) = applied.failures
    assert "may exist" in str(failure.error)
