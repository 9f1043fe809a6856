"""Advice on curves of known shape, and silence on curves that deserve none."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest

from tunekit.evaluate.advice import ROWS_WANTED, Advice, advise
from tunekit.model import EVAL_LOSS, MEAN_LOSS, PREFERENCE_LOSS, TRAIN_LOSS, MetricPoint

STEPS_AN_EPOCH = 200


def train(
    shape: Callable[[float], float],
    *,
    epochs: int,
    swing: float = 0.0,
    seed: int = 0,
    metric: str = TRAIN_LOSS,
    until: float = 1.0,
) -> list[MetricPoint]:
    """Return a loss a step; `shape` takes epochs passed. `swing` is the noise's deviation."""
    chance = random.Random(seed)
    total = epochs * STEPS_AN_EPOCH
    return [
        MetricPoint(metric, step, shape(step / STEPS_AN_EPOCH) + chance.gauss(0, swing))
        for step in range(1, round(total * until) + 1)
    ]


def each_epoch(metric: str, values: Sequence[float]) -> list[MetricPoint]:
    return [
        MetricPoint(metric, epoch * STEPS_AN_EPOCH, value)
        for epoch, value in enumerate(values, start=1)
    ]


def said(
    points: Sequence[MetricPoint],
    epochs: int | None,
    *,
    rows: int | None = 2000,
    task: str | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
) -> dict[str, Advice]:
    total = steps or (epochs * STEPS_AN_EPOCH if epochs else None)
    found = advise(
        points, epochs=epochs, steps=total, rows=rows, task=task, learning_rate=learning_rate
    )
    assert all(advice.numbers and advice.fact and advice.remedy for advice in found)
    return {advice.rule: advice for advice in found}


def decay(rate: float, *, floor: float = 0.5, height: float = 1.5) -> Callable[[float], float]:
    """Return a loss that falls to `floor`, by e to the `rate` an epoch."""
    return lambda passed: floor + height * math.exp(-rate * passed)


# --- plateau -----------------------------------------------------------------------------


@pytest.mark.parametrize("swing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("flat_from", [1, 2, 4])
def test_a_loss_flat_from_epoch_k_on_says_that_k_epochs_would_have_done(
    flat_from: int, swing: float
) -> None:
    """A straight fall that ends where epoch k begins: k is the first epoch at the bottom."""
    fall = max(flat_from - 1.0, 0.3)
    points = train(lambda passed: 2.0 - min(passed / fall, 1.0) * 1.5, epochs=6, swing=swing)
    found = said(points, 6)
    assert set(found) == {"plateau"}
    assert found["plateau"].numbers["epoch"] == flat_from
    assert f"epochs: {flat_from} would have done" in found["plateau"].remedy


def test_a_snapshot_an_epoch_is_read_as_googles_guide_reads_it() -> None:
    """Its figure: a sharp fall, level after three to four of ten epochs."""
    values = [9.5, 3.0, 0.5, 0.1, 0.09, 0.08, 0.08, 0.07, 0.08, 0.07]
    found = said(each_epoch(MEAN_LOSS, values), 10)
    assert set(found) == {"plateau"}
    assert found["plateau"].numbers["epoch"] == 4


def test_no_plateau_is_claimed_while_eval_loss_still_gets_better() -> None:
    flat = train(decay(6), epochs=4)
    better = each_epoch(EVAL_LOSS, [1.2, 1.0, 0.8, 0.6])
    assert "plateau" in said(flat, 4)
    assert said(flat + better, 4) == {}


def test_no_plateau_is_claimed_of_a_curve_too_noisy_to_tell() -> None:
    for seed in range(20):
        points = train(decay(4, height=0.2), epochs=3, swing=1.0, seed=seed)
        assert "plateau" not in said(points, 3)


def test_a_curve_that_never_fell_has_no_plateau() -> None:
    for seed in range(20):
        assert set(said(train(lambda _: 1.0, epochs=5, swing=0.02, seed=seed), 5)) <= {"noise"}


# --- still falling ---------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
@pytest.mark.parametrize("swing", [0.0, 0.05])
def test_a_loss_that_falls_to_the_end_asks_for_more_epochs(epochs: int, swing: float) -> None:
    points = train(lambda passed: 3.0 - 2.0 * passed / epochs, epochs=epochs, swing=swing)
    found = said(points, epochs)
    assert set(found) == {"falling"}
    assert found["falling"].remedy == f"try epochs: {epochs + max(1, epochs // 2)}"
    # A straight line goes on as it went: another epoch takes 2 / epochs off.
    assert found["falling"].numbers["coming"] == pytest.approx(2.0 / epochs, rel=0.15)


def test_a_straight_fall_of_epoch_means_asks_for_more() -> None:
    assert set(said(each_epoch(MEAN_LOSS, [4.0, 3.0, 2.0, 1.0]), 4)) == {"falling"}


def test_no_more_epochs_are_asked_for_where_eval_loss_does_not_follow() -> None:
    points = train(lambda passed: 3.0 - passed, epochs=2)
    level = each_epoch(EVAL_LOSS, [1.5, 1.5])
    falls = each_epoch(EVAL_LOSS, [2.0, 1.5])
    assert said(points + level, 2) == {}
    assert set(said(points + falls, 2)) == {"falling"}


def test_a_job_that_still_trains_gets_no_advice_about_its_end() -> None:
    points = train(lambda passed: 3.0 - passed, epochs=2, until=0.6)
    assert said(points, 2, steps=2 * STEPS_AN_EPOCH) == {}


def test_two_epochs_of_a_curve_almost_at_its_floor_need_neither_more_nor_less() -> None:
    for seed in range(20):
        assert said(train(decay(3), epochs=2, swing=0.05, seed=seed), 2) == {}, seed


# --- overfit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([1.0, 0.7, 0.6, 0.66, 0.75, 0.9], 3),
        ([0.5, 0.55, 0.62, 0.7], 1),
        ([1.0, 0.5, 0.52, 0.53, 0.55], 2),
        ([1.0, 0.6, 0.8], 2),
    ],
)
def test_rising_eval_loss_names_the_best_checkpoint(values: list[float], best: int) -> None:
    epochs = len(values)
    points = train(lambda passed: 2.0 - passed / epochs, epochs=epochs)
    found = said(points + each_epoch(EVAL_LOSS, values), epochs)
    assert set(found) == {"overfit"}
    assert found["overfit"].numbers["epoch"] == best
    assert f"the checkpoint of epoch {best}" in found["overfit"].remedy
    assert f"epochs: {best}" in found["overfit"].remedy
    assert found["overfit"].severity == "warning"


@pytest.mark.parametrize("swing", [0.0, 0.02])
def test_many_noisy_looks_at_eval_loss_find_its_turn(swing: float) -> None:
    chance = random.Random(3)
    shape = [0.6 + 0.25 * (epoch / 10 - 2) ** 2 for epoch in range(1, 51)]
    looks = [
        MetricPoint(EVAL_LOSS, 20 * n, value + chance.gauss(0, swing))
        for n, value in enumerate(shape, start=1)
    ]
    found = said(looks, 5)
    assert set(found) == {"overfit"}
    assert found["overfit"].numbers["epoch"] in (2, 3)
    assert found["overfit"].numbers["step"] == pytest.approx(400, abs=100)


def test_eval_loss_that_only_jitters_is_no_overfit() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        values = [0.6 + chance.gauss(0, 0.006) for _ in range(chance.choice([3, 5, 8, 20]))]
        assert "overfit" not in said(each_epoch(EVAL_LOSS, values), len(values)), values


@pytest.mark.parametrize(("last", "is_told"), [(0.8, True), (0.43, False)])
def test_a_second_look_at_eval_loss_must_lie_far_above_the_first(
    last: float, is_told: bool
) -> None:
    found = said(each_epoch(EVAL_LOSS, [0.4, last]), 2)
    assert set(found) == ({"overfit"} if is_told else set())
    assert not is_told or found["overfit"].numbers == {
        "step": STEPS_AN_EPOCH,
        "best": 0.4,
        "last": last,
        "epoch": 1,
    }


# --- noise and divergence ----------------------------------------------------------------


def test_steps_that_swing_by_more_than_the_fall_are_called_noise() -> None:
    found = said(train(lambda passed: 2.0 - 0.1 * passed, epochs=3, swing=0.8), 3)
    assert set(found) == {"noise"}
    assert found["noise"].numbers["swing"] == pytest.approx(0.8, rel=0.15)
    assert found["noise"].numbers["fell"] == pytest.approx(0.25, abs=0.3)


def test_ordinary_swings_are_not_worth_a_word() -> None:
    """A loss from 2 to 1 whose steps swing by 0.3, as small batches do."""
    for seed in range(20):
        points = train(decay(1.2, floor=0.9, height=1.1), epochs=3, swing=0.3, seed=seed)
        assert "noise" not in said(points, 3), seed


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_divergence(bad: float) -> None:
    points = train(decay(2), epochs=2)
    points[250] = MetricPoint(TRAIN_LOSS, 251, bad)
    found = said(points, 2, learning_rate=0.003)
    assert set(found) == {"divergence"}
    assert found["divergence"].numbers == {"step": 251, "count": 1}
    assert found["divergence"].remedy == "lower tuning.learning_rate: 0.001 instead of 0.003"


def test_a_loss_that_climbs_away_is_divergence_even_while_it_trains() -> None:
    def shape(passed: float) -> float:
        return 2.0 - passed if passed < 1 else 1.0 + 4 * (passed - 1)

    found = said(train(shape, epochs=4, swing=0.1, until=0.6), 4)
    assert set(found) == {"divergence"}
    numbers = found["divergence"].numbers
    assert numbers["step"] == pytest.approx(STEPS_AN_EPOCH, abs=30)
    assert numbers["lowest"] == pytest.approx(1.0, abs=0.1)
    assert "third" in found["divergence"].remedy


@pytest.mark.parametrize("swing", [0.0, 0.05])
def test_a_loss_that_doubles_is_divergence(swing: float) -> None:
    found = said(train(lambda passed: 1.0 + passed / 3, epochs=3, swing=swing), 3)
    assert set(found) == {"divergence"}
    assert found["divergence"].numbers["last"] == pytest.approx(2.0, abs=0.1)


def test_a_loss_that_blows_up_in_its_first_steps_is_told_from_its_true_lowest() -> None:
    points = train(lambda passed: 1.0 if passed < 0.05 else 9.0, epochs=3, swing=0.01)
    found = said(points, 3)
    assert set(found) == {"divergence"}
    numbers = found["divergence"].numbers
    assert numbers["lowest"] == pytest.approx(1.0, abs=0.03)
    assert numbers["step"] < 0.05 * STEPS_AN_EPOCH + 1
    assert numbers["last"] == pytest.approx(9.0, abs=0.03)


def test_noise_of_a_flat_loss_is_no_divergence() -> None:
    for seed in range(50):
        points = train(lambda _: 1.0, epochs=2, swing=0.2, seed=seed)
        assert "divergence" not in said(points, 2), seed


def test_a_spike_that_passes_is_no_divergence() -> None:
    points = train(decay(2), epochs=3, swing=0.05)
    points[300] = MetricPoint(TRAIN_LOSS, 301, 40.0)
    assert "divergence" not in said(points, 3)


def test_preference_tuning_is_read_by_its_own_loss() -> None:
    points = train(lambda passed: 0.7 - 0.2 * passed, epochs=2, metric=PREFERENCE_LOSS)
    assert set(said(points, 2)) == {"falling"}


# --- rows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "task", "severity"),
    [
        (12, None, "warning"),
        (60, None, "info"),
        (99, "classification", "info"),
        (100, "classification", None),
        (499, "summarization", "info"),
        (500, "summarization", None),
        (99, "document search", "info"),
        (100, None, None),
        (None, "classification", None),
    ],
)
def test_fewer_rows_than_googles_table_wants_are_said(
    rows: int | None, task: str | None, severity: str | None
) -> None:
    found = said([], 3, rows=rows, task=task)
    assert set(found) == ({"few-rows"} if severity else set())
    if severity:
        assert found["few-rows"].severity == severity
        assert found["few-rows"].numbers["rows"] == rows
    assert set(ROWS_WANTED) == {"classification", "summarization", "document search"}


# --- silence -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("epochs", [None, 1, 3])
def test_next_to_no_points_give_no_advice(count: int, epochs: int | None) -> None:
    points = train(decay(1), epochs=1)[:count]
    assert said(points, epochs) == {}
    assert said(each_epoch(MEAN_LOSS, [1.0, 0.5][:count]), epochs) == {}


def test_a_sound_curve_gets_no_advice_whatever_its_noise() -> None:
    """Near its floor at the end, eval loss better for it: nothing to change."""
    for seed in range(30):
        for swing in (0.0, 0.05, 0.15):
            points = train(decay(1.6), epochs=3, swing=swing, seed=seed)
            follows = each_epoch(EVAL_LOSS, [0.9, 0.7, 0.6])
            assert said(points + follows, 3) == {}, (seed, swing)


def test_constant_and_zero_losses_are_survived() -> None:
    for value in (0.0, 1.0, -1.0):
        points = train(lambda _, value=value: value, epochs=3)
        assert said(points + each_epoch(EVAL_LOSS, [value] * 3), 3) == {}
