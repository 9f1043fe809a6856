"""Which rows go where: a split's rows as ranges of positions, and the order that a seed gives."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

from tunekit.model import Problem

# Splits are cut from the data in this order.
NAMES = ("train", "validation", "test")
# Shares written to this precision may sum to 1: 0.333333333 three times and the like.
_TOLERANCE = 1e-9


def split_problems(split: Mapping[str, int | float], take: int | None) -> list[tuple[str, Problem]]:
    """Return what is wrong with a split as written: pairs of dotted key path and problem."""
    found: list[tuple[str, Problem]] = []
    if "train" not in split:
        found.append(("dataset.split", Problem("dataset.split has no train", "add train: ROWS")))
    for name, size in split.items():
        key = f"dataset.split.{name}"
        if name not in NAMES:
            found.append((key, Problem(f"{key} is unknown", f"splits are {', '.join(NAMES)}")))
        elif isinstance(size, float) and not 0 < size <= 1:
            found.append((key, Problem(f"{key} is {size}", "a share is above 0 and at most 1.0")))
        elif size < 1 and not isinstance(size, float):
            found.append((key, Problem(f"{key} is {size}", "it needs at least 1 row")))
    if found:
        return found
    if len({isinstance(size, float) for size in split.values()}) > 1:
        fact = "dataset.split mixes rows and shares"
        return [("dataset.split", Problem(fact, "write all as rows (100) or all as shares (0.1)"))]
    total = math.fsum(split.values())
    if is_shares(split) and total > 1 + _TOLERANCE:
        fact = f"dataset.split has shares that sum to {total:g}"
        return [("dataset.split", Problem(fact, "they may sum to 1 at most"))]
    if not is_shares(split) and take is not None and total > take:
        fact = f"dataset.split asks for {_asked(split)}; dataset.take leaves {take}"
        return [("dataset.split", Problem(fact, "lower the split or raise take"))]
    return []


def is_shares(split: Mapping[str, int | float]) -> bool:
    """True where sizes are shares of the rows, False where they are numbers of rows."""
    return any(isinstance(size, float) for size in split.values())


def cut(split: Mapping[str, int | float], available: int) -> dict[str, range]:
    """Return each split's positions, in the order train, validation, test; they never overlap.

    `available` is the number of rows after `take`; only shares look at it. Rounding is cumulative
    (half up), so shares that sum to 1 use every row. A split may come out empty or pass the last
    row: `shortage` says so.
    """
    names = [name for name in NAMES if name in split]
    ends: list[int] = []
    for count in range(1, len(names) + 1):
        sizes = [split[name] for name in names[:count]]
        if is_shares(split):
            ends.append(min(available, math.floor(available * math.fsum(sizes) + 0.5)))
        else:
            ends.append(int(sum(sizes)))
    starts = [0, *ends]
    return {name: range(starts[i], ends[i]) for i, name in enumerate(names)}


def shortage(split: Mapping[str, int | float], available: int, source: str) -> Problem | None:
    """Return the problem if `available` rows can't fill the split, None if they can."""
    ranges = cut(split, available)
    if not is_shares(split):
        if ranges and max(part.stop for part in ranges.values()) > available:
            fact = f"dataset.split asks for {_asked(split)}; {source} gives {available}"
            return Problem(fact, "lower the split or add rows")
        return None
    for name, part in ranges.items():
        if not part:
            fact = f"dataset.split.{name} is {split[name]:g}: no row of the {available} in {source}"
            return Problem(fact, "raise the share or add rows")
    return None


def shuffled(count: int, seed: int) -> array[int]:
    """Return row numbers in the order of `seed`: the same for ever for the same arguments."""
    from random import Random

    order = array("I", range(count))
    Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    return order


def _asked(split: Mapping[str, int | float]) -> str:
    sizes = ", ".join(f"{name} {split[name]}" for name in NAMES if name in split)
    return f"{sum(split.values())} rows ({sizes})"
