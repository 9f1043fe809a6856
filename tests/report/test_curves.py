"""Thinned curves hide no peak and no end."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tunekit.report.curves import bucketed

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


@given(VALUES, st.integers(2, 50))
def test_every_value_lies_within_its_band(values: list[float], most: int) -> None:
    steps = list(range(10, 10 + len(values)))
    curve = bucketed(steps, values, most)
    assert len(curve.means) == len(curve.steps) <= most
    assert (curve.steps[0], curve.steps[-1]) == (steps[0], steps[-1])
    assert list(curve.steps) == sorted(curve.steps)
    if curve.per == 1:
        assert curve.means == tuple(values)
        return
    assert min(v for v in curve.lows if v is not None) == min(values)
    assert max(v for v in curve.highs if v is not None) == max(values)
    for place, value in enumerate(values):
        low, high = curve.lows[place // curve.per], curve.highs[place // curve.per]
        assert low is not None
        assert high is not None
        assert low <= value <= high


def test_means_are_of_the_finite_values() -> None:
    curve = bucketed(range(1, 7), [1.0, math.nan, 4.0, 6.0, math.inf, math.nan], 3)
    assert (curve.per, curve.steps) == (2, (1, 4, 6))
    assert curve.means == (1.0, 5.0, None)
    assert (curve.lows, curve.highs) == ((1.0, 4.0, None), (1.0, 6.0, None))


def test_a_short_curve_is_left_alone() -> None:
    curve = bucketed([5, 10], [2.0, math.nan], 100)
    assert (curve.per, curve.steps, curve.means, curve.lows) == (1, (5, 10), (2.0, None), ())
