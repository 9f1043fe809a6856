"""Applying after a profile has moved to another project, region or host."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.test_apply import World, world
from tests.unit.test_plan import trial
from tunekit.errors import AmbiguousSubmit

__all__ = ["world"]


def test_a_job_whose_profile_moved_is_not_concluded_absent(world: World) -> None:
    cloud = world.cloud
    home = cloud.capabilities
    cloud.capabilities = replace(home, place="projects/one")  # type: ignore[misc]
    cloud.after_submit = [AmbiguousSubmit("timed out")]
    applier = world.applier(trial("A"))
    applier.carry_out(applier.plan().steps)
    there, cloud.jobs = cloud.jobs, {}
    cloud.capabilities = replace(home, place="projects/two")  # type: ignore[misc]
    failures = world.applier(trial("A")).resolve_intents()
    assert "interrupted at projects/one, and local is projects/two now" in str(failures[0].error)
    world.apply(trial("A"))
    assert world.states() == ["INTENT PENDING"]
    assert cloud.submits == 1
    cloud.jobs = there
    cloud.capabilities = replace(home, place="projects/one")  # type: ignore[misc]
    world.apply(trial("A"))
    assert world.states() == ["BOUND RUNNING"]
    assert cloud.submits == 1
