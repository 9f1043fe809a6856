"""Short forms of many curves in one query."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_registry import ACTOR, intend, seen
from tunekit.model import EVAL_LOSS, MEAN_LOSS, PREFERENCE_LOSS, TRAIN_LOSS, JobState, MetricPoint
from tunekit.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry.db") as opened:
        yield opened


def ended_job(registry: Registry, revision: str) -> int:
    job = intend(registry, revision=revision)
    registry.record_observation(job, seen(job.token, JobState.SUCCEEDED), at_s=2.0, actor=ACTOR)
    return int(job.id)


def losses(values: list[float], metric: str = TRAIN_LOSS) -> list[MetricPoint]:
    return [MetricPoint(metric, step, value) for step, value in enumerate(values, start=1)]


def test_each_job_gets_its_own_levels_in_order(registry: Registry) -> None:
    first, second, none = (ended_job(registry, revision) for revision in "ABC")
    registry.record_points(first, losses([4.0, 3.0, 2.0, 1.0]))
    registry.record_points(second, losses([9.0, 9.0, 5.0]))
    tails = registry.loss_tails([second, first, none], count=4)
    assert tails == {first: [4.0, 3.0, 2.0, 1.0], second: [9.0, 9.0, 5.0]}
    assert registry.loss_tails([], count=4) == {}


def test_a_long_curve_becomes_means_over_its_whole_way(registry: Registry) -> None:
    job = ended_job(registry, "A")
    registry.record_points(job, losses([float(n) for n in range(800)]))
    levels = registry.loss_tails([job], count=8)[job]
    # The mean of the last eight of each hundred.
    assert levels == [100 * n + 95.5 for n in range(8)]


@pytest.mark.parametrize("best", [TRAIN_LOSS, PREFERENCE_LOSS, MEAN_LOSS])
def test_the_best_series_is_taken(registry: Registry, best: str) -> None:
    job = ended_job(registry, "A")
    order = [TRAIN_LOSS, PREFERENCE_LOSS, MEAN_LOSS]
    for number, metric in enumerate(order[order.index(best) :], start=1):
        registry.record_points(job, losses([float(number)] * 3, metric))
    registry.record_points(job, losses([7.0] * 3, EVAL_LOSS))
    assert registry.loss_tails([job], count=3) == {job: [1.0, 1.0, 1.0]}


def test_what_is_no_number_is_left_out(registry: Registry) -> None:
    job = ended_job(registry, "A")
    registry.record_points(job, losses([1.0, math.nan, math.inf, 2.0]))
    assert registry.loss_tails([job], count=4) == {job: [1.0, 2.0]}


def test_its_price_does_not_grow_with_the_curve(registry: Registry) -> None:
    """Twenty jobs of 5,000 points take SQLite about as much work as twenty of 200."""
    jobs = [ended_job(registry, chr(200 + number)) for number in range(20)]
    work = []
    for count in (200, 5000):
        for job in jobs:
            registry.record_points(job, losses([1.0] * count))
        calls: list[int] = []
        registry._connection.set_progress_handler(lambda calls=calls: calls.append(1), 100)
        assert len(registry.loss_tails(jobs, count=16)) == 20
        registry._connection.set_progress_handler(None, 0)
        work.append(len(calls))
    assert 0 < work[1] < 1.5 * work[0]
