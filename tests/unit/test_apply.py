"""Applying against a provider that is late, forgetful, refusing or silent; the clock is ours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.unit.test_plan import trial
from tunekit.apply import Applier
from tunekit.errors import (
    AmbiguousSubmit,
    NotFound,
    ProviderError,
    RegistryBusy,
    Unavailable,
)
from tunekit.model import (
    Actor,
    Capabilities,
    Clock,
    JobSpec,
    JobState,
    MetricPoint,
    Observation,
    Phase,
    Problem,
    Trial,
)
from tunekit.observe import Observer
from tunekit.plan import Options
from tunekit.registry import Registry

ACTOR = Actor("ana@ci", "tunekit apply")
MOST_S = 1_800.0


class Time:
    """A clock that only sleeping moves; half an hour of waiting is for ever."""

    def __init__(self) -> None:
        self.now_s = self.began_s = 1_000_000.0

    def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.01)
        assert self.now_s - self.began_s < MOST_S, "still waiting after half an hour"


@dataclass
class Remote:
    """One job at the provider."""

    token: str
    at_s: float
    state: JobState = JobState.RUNNING
    ended: list[str] = field(default_factory=list)


class Cloud:
    """A provider in memory with the faults of a remote one."""

    capabilities = Capabilities(
        methods=frozenset({"supervised"}), hyperparameters={}, listing_lag_s=5.0
    )

    def __init__(self, time: Time) -> None:
        self.time = time
        self.jobs: dict[str, Remote] = {}
        self.submits = 0
        self.cancels = 0
        self.after_submit: list[Exception] = []  # raised once the job exists
        self.before_submit: list[Exception] = []
        self.failing: dict[str, Exception] = {}  # method -> what it raises
        self.visible_after_s = 0.0
        self.cancel_takes_s = 0.0
        self.fails_at_once = False
        self.points: list[MetricPoint] = []

    def check(self, job: JobSpec) -> Sequence[Problem]:
        return []

    def submit(self, job: JobSpec, token: str) -> Observation:
        if self.before_submit:
            raise self.before_submit.pop(0)
        self.submits += 1
        assert token not in self.jobs, "two jobs under one token"
        state = JobState.FAILED if self.fails_at_once else JobState.RUNNING
        self.jobs[token] = Remote(token, self.time.now_s, state)
        if self.after_submit:
            raise self.after_submit.pop(0)
        return self.seen(token)

    def seen(self, token: str) -> Observation:
        remote = self.jobs[token]
        return Observation(
            name=f"jobs/{token}", token=token, state=remote.state, started_s=remote.at_s
        )

    def find(self, token: str) -> Observation | None:
        self.fault("find")
        remote = self.jobs.get(token)
        if remote is None or self.time.now_s < remote.at_s + self.visible_after_s:
            return None
        return self.seen(token)

    def get(self, name: str) -> Observation:
        self.fault("get")
        self.fault(f"get {name}")
        token = name.removeprefix("jobs/")
        if token not in self.jobs:
            raise NotFound(name)
        return self.seen(token)

    def list(self) -> Iterator[Observation]:
        self.fault("list")
        return iter([self.seen(token) for token in self.jobs])

    def cancel(self, name: str) -> None:
        self.fault("cancel")
        self.cancels += 1
        if not self.cancel_takes_s:
            self.jobs[name.removeprefix("jobs/")].state = JobState.CANCELLED

    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        self.fault("metrics")
        return iter([point for point in self.points if point.step > after_step])

    def fault(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]

    def end(self, state: JobState) -> None:
        for remote in self.jobs.values():
            remote.state = state


@dataclass
class World:
    time: Time
    cloud: Cloud
    registry: Registry
    observer: Observer
    said: list[str]

    def applier(self, *desired: Trial, options: Options | None = None) -> Applier:
        return Applier(self.observer, desired, options or Options(), nullcontext, self.said.append)

    def apply(self, *desired: Trial, options: Options | None = None, wait: bool = False) -> Applier:
        """Do what the command does: resolve, plan, carry out, settle."""
        applier = self.applier(*desired, options=options)
        self.observer.refresh()
        applier.resolve_intents()
        applier.carry_out([s for s in applier.plan().steps if s.is_change])
        applier.settle(until_ended=wait, patience_s=None if wait else 60.0)
        return applier

    def states(self) -> list[str]:
        return [f"{job.phase} {job.state}" for job in self.registry.jobs()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    time = Time()
    cloud = Cloud(time)
    clock = Clock(now_s=lambda: time.now_s, sleep=time.sleep, random=lambda: 0.5)
    with Registry.open(tmp_path / "registry.db") as registry:
        observer = Observer(registry, lambda _: cloud, clock, ACTOR)  # type: ignore[arg-type]
        yield World(time, cloud, registry, observer, [])


def test_retry_asks_once(world: World) -> None:
    world.cloud.fails_at_once = True
    world.apply(trial("A"))
    world.apply(trial("A"), options=Options(retry=frozenset({"x"})), wait=True)
    assert world.cloud.submits == 2
    world.apply(trial("A"), options=Options(retry=frozenset({"x"})))
    assert world.cloud.submits == 3


def test_retries_of_the_spec_are_counted(world: World) -> None:
    world.cloud.fails_at_once = True
    world.apply(trial("A", retries=2), wait=True)
    assert world.cloud.submits == 3
    world.apply(trial("A", retries=2), wait=True)
    assert world.cloud.submits == 3


def test_a_tuned_revision_is_not_paid_again_after_another_was_refused(world: World) -> None:
    world.apply(trial("A"))
    world.cloud.end(JobState.SUCCEEDED)
    world.cloud.before_submit = [ProviderError("quota")]
    world.apply(trial("B"))
    current = world.registry.trials()[0].current()
    assert current is not None
    assert current.state is JobState.SUCCEEDED  # A's model is what the experiment has
    world.apply(trial("A"))
    assert world.cloud.submits == 1


def test_an_ambiguous_submit_is_found_however_late_it_shows(world: World) -> None:
    world.cloud.after_submit = [AmbiguousSubmit("timed out")]
    world.cloud.visible_after_s = 4.0
    world.apply(trial("A"))
    assert world.cloud.submits == 1
    assert world.states() == ["BOUND RUNNING"]


def test_the_quiet_period_counts_from_the_look_not_from_the_intent(world: World) -> None:
    """A slow submit must not use up the time in which its job may still appear."""
    original = world.cloud.submit

    def slow(job: JobSpec, token: str) -> Observation:
        world.time.sleep(60)
        original(job, token)
        raise AmbiguousSubmit("timed out after 60 s")

    world.cloud.submit = slow  # type: ignore[method-assign]
    world.cloud.visible_after_s = 4.0
    world.apply(trial("A"))
    assert len(world.cloud.jobs) == 1
    assert world.states() == ["BOUND RUNNING"]


def test_what_was_given_up_and_arrived_after_all_is_bound_not_repeated(world: World) -> None:
    world.cloud.after_submit = [AmbiguousSubmit("timed out")]
    world.cloud.visible_after_s = 1000.0
    applier = world.applier(trial("A"))
    applier.carry_out(applier.plan().steps)
    applier.resolve_intents()
    assert world.states() == ["ABSENT FAILED"]
    world.time.sleep(1200)
    world.apply(trial("A"))
    assert world.cloud.submits == 1
    assert world.states() == ["BOUND RUNNING"]


def test_a_refused_submit_is_made_again_under_the_same_token(world: World) -> None:
    world.cloud.before_submit = [ProviderError("bad request")]
    world.apply(trial("A"))
    assert world.states() == ["ABSENT FAILED"]
    world.apply(trial("A"))
    assert world.states() == ["BOUND RUNNING"]
    assert [job.attempt for job in world.registry.jobs()] == [1]


def test_an_unavailable_provider_is_asked_again_with_patience(world: World) -> None:
    busy = [Unavailable("503"), Unavailable("429", retry_after_s=30.0)]
    world.cloud.before_submit = list(busy)
    world.apply(trial("A"))
    assert world.cloud.submits == 1
    assert world.time.now_s - world.time.began_s >= 30


def test_a_provider_that_stays_unavailable_is_given_up(world: World) -> None:
    world.cloud.before_submit = [Unavailable("503") for _ in range(100)]
    applier = world.applier(trial("A"))
    first = applier.carry_out(applier.plan().steps)
    rest = applier.settle(until_ended=True)
    assert [f.name for f in first.failures + rest.failures] == ["x"]
    assert world.cloud.submits == 0


def test_one_not_found_loses_no_job(world: World) -> None:
    world.apply(trial("A", retries=3))
    world.time.sleep(100)
    kept = dict(world.cloud.jobs)
    world.cloud.jobs.clear()
    world.observer.refresh()
    assert world.states() == ["BOUND UNKNOWN"]
    world.apply(trial("A", retries=3))
    world.cloud.jobs.update(kept)
    world.observer.refresh()
    assert world.states() == ["BOUND RUNNING"]
    assert world.cloud.submits == 1


def test_a_job_that_stays_missing_is_lost_and_waits_for_a_person(world: World) -> None:
    world.apply(trial("A", retries=3))
    world.cloud.jobs.clear()
    applier = world.apply(trial("A", retries=3), wait=True)
    assert world.states() == ["BOUND FAILED"]
    assert world.cloud.submits == 1
    (step,) = applier.plan().steps
    assert "lost" in step.reason


def test_a_failure_of_metrics_does_not_hide_a_job_s_end(world: World) -> None:
    world.apply(trial("A"))
    world.cloud.end(JobState.SUCCEEDED)
    world.cloud.failing["metrics"] = ProviderError("403")
    warnings = world.observer.refresh()
    assert world.states() == ["BOUND SUCCEEDED"]
    assert "403" in warnings[0]
    world.cloud.failing.clear()
    world.cloud.points = [MetricPoint("loss", 1, 0.5)]
    world.observer.refresh()
    assert len(world.registry.points(1)) == 1


def test_one_bad_job_does_not_hide_the_others(world: World) -> None:
    world.apply(trial("A", name="x"), trial("A", name="y"))
    world.cloud.end(JobState.SUCCEEDED)
    first = world.registry.jobs()[0]
    world.cloud.failing[f"get {first.name}"] = KeyError("a bug of a third party's")
    warnings = world.observer.refresh()
    assert world.states() == ["BOUND RUNNING", "BOUND SUCCEEDED"]
    assert "KeyError" in warnings[0]


def test_points_that_arrive_late_or_are_no_numbers_are_kept(world: World) -> None:
    world.apply(trial("A"))
    world.cloud.points = [MetricPoint("train", step, 1.0) for step in (1, 2, 3)]
    world.observer.refresh(with_metrics=True)
    world.cloud.points += [MetricPoint("eval", 2, math.nan), MetricPoint("eval", 3, math.inf)]
    world.cloud.end(JobState.SUCCEEDED)
    world.observer.refresh()
    late = world.registry.points(1, "eval")
    assert [point.step for point in late] == [2, 3]
    assert math.isnan(late[0].value)
    assert late[1].value == math.inf


def test_a_job_bound_when_it_had_ended_gets_its_points(world: World) -> None:
    world.cloud.fails_at_once = True
    world.cloud.points = [MetricPoint("loss", 1, 0.5)]
    world.apply(trial("A"))
    world.observer.refresh()
    assert len(world.registry.points(1)) == 1


def test_a_slow_cancel_is_asked_for_once_a_minute_not_twice_a_second(world: World) -> None:
    world.apply(trial("A"))
    world.cloud.cancel_takes_s = 1.0
    world.apply(trial("B"))  # waits a minute for the end, which does not come
    assert world.cloud.cancels <= 2
    cancels = [e for e in world.registry.events() if e["kind"] == "cancel"]
    assert len(cancels) == 1
    assert world.states() == ["BOUND CANCELLING"]
    assert world.cloud.submits == 1


def test_a_cancelled_job_that_its_provider_calls_failed_stays_cancelled(world: World) -> None:
    world.apply(trial("A", retries=3))
    world.cloud.cancel_takes_s = 1.0
    world.applier().cancel(world.registry.jobs()[0], why="test")
    world.cloud.end(JobState.FAILED)
    world.apply(trial("A", retries=3), wait=True)
    assert world.cloud.submits == 1


def test_waiting_goes_on_while_another_apply_holds_the_lock(world: World) -> None:
    world.cloud.fails_at_once = True
    applier = world.applier(trial("A", retries=1))
    applier.carry_out(applier.plan().steps)
    held = [RegistryBusy("ana holds it")] * 3

    def lock() -> nullcontext[None]:
        if held:
            raise held.pop()
        return nullcontext()

    applier.lock = lock
    applier.settle(until_ended=True)
    assert world.cloud.submits == 2
    assert sum("ana holds it" in text for text in world.said) == 1


def test_a_waiting_apply_never_undoes_what_another_applied(world: World) -> None:
    first = world.applier(trial("A"))
    first.carry_out(first.plan().steps)
    world.apply(trial("B"))
    assert world.cloud.submits == 2
    world.cloud.end(JobState.SUCCEEDED)
    first.settle(until_ended=True)
    assert world.cloud.submits == 2
    current = world.registry.trials()[0].current()
    assert current is not None
    assert current.revision == "B"


def test_a_waiting_apply_leaves_a_running_job_of_another_alone(world: World) -> None:
    first = world.applier(trial("A"))
    first.carry_out(first.plan().steps)
    world.apply(trial("B"))
    first.settle(until_ended=False, patience_s=5)
    assert world.cloud.submits == 2
    assert any("left to that" in text for text in world.said)


def test_pruning_ends_with_the_plan_that_was_shown(world: World) -> None:
    first = world.applier(trial("A"), options=Options(prune=True))
    first.carry_out(first.plan().steps)
    world.apply(trial("A", name="new"))
    world.cloud.end(JobState.RUNNING)
    first.settle(until_ended=False, patience_s=5)
    assert world.cloud.cancels == 0


def test_tuned_again_survives_a_submit_that_was_refused(world: World) -> None:
    world.apply(trial("A"))
    world.apply(trial("A", state="cancelled"))
    assert world.states() == ["BOUND CANCELLED"]
    world.cloud.before_submit = [ProviderError("quota")]
    world.apply(trial("A"))
    world.apply(trial("A"))
    assert world.cloud.submits == 2
    assert world.registry.jobs()[-1].state is JobState.RUNNING


def test_a_provider_that_can_t_cancel_says_so_before_anything_is_recorded(world: World) -> None:
    world.apply(trial("A"))
    world.cloud.capabilities = replace(world.cloud.capabilities, can_cancel=False)  # type: ignore[misc]
    with pytest.raises(ProviderError, match="can't cancel"):
        world.applier().cancel(world.registry.jobs()[0], why="test")
    assert world.states() == ["BOUND RUNNING"]


def test_many_jobs_are_watched_by_one_list(world: World) -> None:
    names = [f"n{number}" for number in range(50)]
    world.apply(*(trial("A", name=name) for name in names))
    world.cloud.failing["get"] = AssertionError("a get each")
    assert world.observer.refresh() == []
    assert all(job.phase is Phase.BOUND for job in world.registry.jobs())
