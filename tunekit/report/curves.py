"""Curves small enough for a page, without losing their peaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """Means of `per` neighbouring points each, and the lowest and highest of them.

    `steps` holds the first step, the middle ones of those between, and the last. A None is a
    stretch without any finite value. `lows` and `highs` are empty where `per` is 1.
    """

    per: int
    steps: tuple[int, ...]
    means: tuple[float | None, ...]
    lows: tuple[float | None, ...] = ()
    highs: tuple[float | None, ...] = ()


def bucketed(steps: Sequence[int], values: Sequence[float], most: int) -> Curve:
    """Return at most `most` points (at least 2) that stand for all of them.

    Every value lies between the low and the high of its stretch, so no spike is lost.
    """
    per = max(1, math.ceil(len(steps) / max(most, 2)))
    if per == 1:
        return Curve(1, tuple(steps), tuple(v if math.isfinite(v) else None for v in values))
    middles: list[int] = []
    means: list[float | None] = []
    lows: list[float | None] = []
    highs: list[float | None] = []
    for start in range(0, len(steps), per):
        stretch = steps[start : start + per]
        finite = [v for v in values[start : start + per] if math.isfinite(v)]
        middles.append(stretch[len(stretch) // 2])
        means.append(math.fsum(finite) / len(finite) if finite else None)
        lows.append(min(finite) if finite else None)
        highs.append(max(finite) if finite else None)
    middles[0], middles[-1] = steps[0], steps[-1]
    return Curve(per, tuple(middles), tuple(means), tuple(lows), tuple(highs))
