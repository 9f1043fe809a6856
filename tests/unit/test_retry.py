"""Asking again: how long to wait, what is asked, and when it is given up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_apply import ACTOR, Cloud, Time
from tests.unit.test_plan import job
from tunekit.errors import ProviderError, Unavailable
from tunekit.model import Clock, Completion, Generation, Job, JobState
from tunekit.observe import Observer, Pace
from tunekit.registry import Registry
from tunekit.retry import MOST_TRIES, ask, backoff_s, patiently


def clock(time: Time) -> Clock:
    return Clock(now_s=lambda: time.now_s, sleep=time.sleep, random=lambda: 0.5)


class Answering(Cloud):
    """Answers each prompt in capitals, and breaks off after some."""

    def __init__(self, breaks_after: list[int], error: Exception) -> None:
        super().__init__(Time())
        self.breaks_after = breaks_after
        self.error = error
        self.asked: list[str] = []

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        left = self.breaks_after.pop(0) if self.breaks_after else 1_000
        for prompt in prompts:
            if not left:
                raise self.error
            left -= 1
            self.asked.append(prompt)
            yield Completion(prompt.upper())


def answers(provider: Answering) -> list[str]:
    prompts, time = ["a", "b", "c", "d"], provider.time
    found = ask(provider, "m", prompts, Generation(), clock=clock(time), say=lambda _: None)
    return [completion.text for completion in found]


def test_asking_goes_on_after_the_last_answer() -> None:
    provider = Answering([2, 0, 1], Unavailable("busy"))
    assert answers(provider) == ["A", "B", "C", "D"]
    assert provider.asked == ["a", "b", "c", "d"]


def test_asking_gives_up_where_nothing_is_answered_any_more() -> None:
    provider = Answering([1] + [0] * 20, Unavailable("busy"))
    with pytest.raises(Unavailable):
        answers(provider)
    assert provider.asked == ["a"]


def test_what_is_refused_is_not_asked_again() -> None:
    provider = Answering([1], ProviderError("no"))
    with pytest.raises(ProviderError, match="no"):
        answers(provider)
    assert len(provider.breaks_after) == 0
    assert provider.asked == ["a"]


@pytest.mark.parametrize(("tries", "most"), [(1, 2), (3, 8), (20, 60)])
def test_the_wait_grows_to_a_minute_and_is_spread(tries: int, most: float) -> None:
    assert backoff_s(tries, asked_s=None, random=lambda: 1.0) == most
    assert backoff_s(tries, asked_s=None, random=lambda: 0.0) == 0
    assert backoff_s(tries, asked_s=90.0, random=lambda: 1.0) == 90


def test_a_call_is_made_again_until_it_is_answered() -> None:
    time, failing = Time(), [Unavailable("busy", retry_after_s=7.0), Unavailable("busy")]

    def call() -> str:
        if failing:
            raise failing.pop(0)
        return "done"

    said: list[str] = []
    assert patiently(call, clock(time), say=said.append) == "done"
    assert said[0] == "busy; trying again in 7 s"
    assert len(said) == 2
    assert time.now_s - time.began_s >= 7.0


def test_a_call_that_is_never_answered_ends() -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise Unavailable("busy")

    with pytest.raises(Unavailable):
        patiently(call, clock(Time()), say=lambda _: None)
    assert len(calls) == MOST_TRIES


def test_each_provider_is_asked_at_its_own_pace(tmp_path: Path) -> None:
    time, asked = Time(), []

    class Counted(Cloud):
        def __init__(self, name: str, every_s: float) -> None:
            super().__init__(time)
            self.name = name
            self.capabilities = replace(Cloud.capabilities, poll_every_s=every_s)

    clouds = {"quick": Counted("quick", 1.0), "slow": Counted("slow", 10.0)}

    class Noting(Observer):
        def refresh(
            self,
            jobs: Iterable[Job] | None = None,
            *,
            with_metrics: bool = False,
            live: Collection[int] = (),
        ) -> list[str]:
            asked.extend(job.provider for job in jobs or ())
            return []

    with_both = [
        replace(job(n, "A", JobState.RUNNING), provider=name) for n, name in enumerate(clouds)
    ]
    registry = Registry.open(tmp_path / "r.db")
    pace = Pace(Noting(registry, clouds.__getitem__, clock(time), ACTOR))
    while time.now_s - time.began_s < 20:
        pace.refresh(with_both)
        time.sleep(pace.pause_s(clouds))
    registry.close()
    assert asked.count("slow") == 2
    assert asked.count("quick") == 20
