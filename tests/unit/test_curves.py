"""Curves: what smoothing, epochs and thinning keep of them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunekit.evaluate.curves import (
    by_epoch,
    epoch_at,
    loss_names,
    smoothed,
    swing,
    thinned,
    training_loss,
    window_for,
)
from tunekit.model import EVAL_LOSS, MEAN_LOSS, PREFERENCE_LOSS, TRAIN_LOSS, MetricPoint

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf)))


def points(values: list[float], metric: str = TRAIN_LOSS) -> list[MetricPoint]:
    return [MetricPoint(metric, step, value) for step, value in enumerate(values, start=1)]


def test_smoothing_averages_the_last_values_and_fewer_at_the_beginning() -> None:
    assert smoothed([4.0, 2.0, 6.0, 0.0], 2) == [4.0, 3.0, 4.0, 3.0]
    assert smoothed([4.0, 2.0], 1) == [4.0, 2.0]
    assert [window_for(count) for count in (0, 10, 99, 100, 1000)] == [1, 1, 1, 2, 20]


def test_what_is_no_number_stays_and_spoils_no_mean() -> None:
    means = smoothed([1.0, math.nan, 3.0, math.inf, 5.0], 2)
    assert math.isnan(means[1])
    assert means[3] == math.inf
    assert (means[0], means[2], means[4]) == (1.0, 2.0, 4.0)


def test_a_huge_value_spoils_no_later_mean() -> None:
    means = smoothed([1.0, 1e30, *[2.0] * 20], 4)
    assert means[5:] == [2.0] * 17


@given(VALUES, st.integers(1, 9))
def test_a_mean_lies_between_the_values_it_is_of(values: list[float], window: int) -> None:
    means = smoothed(values, window)
    assert len(means) == len(values)
    finite = [value for value in values if math.isfinite(value)]
    for mean in filter(math.isfinite, means):
        assert min(finite) - 1e-3 <= mean <= max(finite) + 1e-3


@given(VALUES, st.integers(5, 60))
def test_thinning_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    full = points(values)
    few = thinned(full, most)
    assert len(few) <= max(most, 0)
    assert [p.step for p in few] == sorted({p.step for p in few})
    if not full:
        return
    assert (few[0], few[-1]) == (full[0], full[-1])
    finite = [value for value in values if math.isfinite(value)]
    kept = [p.value for p in few if math.isfinite(p.value)]
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    has_odd = len(finite) < len(values)
    assert any(not math.isfinite(p.value) for p in few) == has_odd


def test_thinning_a_million_points_keeps_a_single_spike() -> None:
    full = [MetricPoint(TRAIN_LOSS, step, 1.0) for step in range(200_000)]
    full[123_456] = MetricPoint(TRAIN_LOSS, 123_456, 9.0)
    few = thinned(full, 100)
    assert len(few) <= 100
    assert full[123_456] in few


@pytest.mark.parametrize(("step", "epoch"), [(0, 1), (1, 1), (8, 1), (9, 2), (16, 2), (99, 2)])
def test_epochs_are_equally_long(step: int, epoch: int) -> None:
    assert epoch_at(step, epochs=2, steps=16) == epoch


def test_by_epoch_averages_each_series_in_each_epoch() -> None:
    curve = [*points([1.0, 3.0, math.nan, 5.0, 7.0, 9.0]), MetricPoint(EVAL_LOSS, 6, 2.0)]
    means = {(p.metric, p.step): p.value for p in by_epoch(curve, epochs=2, steps=6)}
    assert means == {(TRAIN_LOSS, 1): 2.0, (TRAIN_LOSS, 2): 7.0, (EVAL_LOSS, 2): 2.0}
    # Half of the steps are there: they are the first epoch, not two.
    (only,) = by_epoch(points([1.0, 3.0]), epochs=2, steps=4)
    assert (only.step, only.value) == (1, 2.0)


def test_an_epoch_without_a_number_has_none() -> None:
    (mean,) = by_epoch(points([math.nan, math.nan]), epochs=1)
    assert math.isnan(mean.value)


def test_the_best_series_stands_for_the_training_loss() -> None:
    mean, own = points([1.0], MEAN_LOSS), points([2.0], PREFERENCE_LOSS)
    assert training_loss(mean + own) == own
    assert training_loss([]) == []
    assert loss_names(mean + points([1.0], EVAL_LOSS)) == [MEAN_LOSS, EVAL_LOSS]
    assert loss_names(points([1.0], "other")) == ["other"]


def test_swing_measures_noise_and_neither_trend_nor_a_spike() -> None:
    chance = random.Random(1)
    straight = [10 - 0.01 * n for n in range(500)]
    assert swing(straight) == pytest.approx(0, abs=1e-9)
    noisy = [value + chance.gauss(0, 0.3) for value in straight]
    noisy[250] += 50
    assert swing(noisy) == pytest.approx(0.3, rel=0.1)
    assert swing([1.0, 9.0]) == 0.0
