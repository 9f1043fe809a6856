"""Which rows go where if a column has a say: labels in equal shares, or groups kept whole. Pure.

Rows are numbered from 0; `codes` holds a number for each row's value, in the order of the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tunekit.dataset.split import NAMES


def stratified(
    codes: Sequence[int], order: Iterable[int], sizes: Mapping[str, int]
) -> dict[str, list[int]]:
    """Return each split's rows, of exactly the sizes, in `order`.

    A label's share of a split differs from its share of the rows by at most one row for the split
    that is drawn first (test, validation, train in turn) and by two for the others.
    """
    ordered = list(order)
    rank = _ranks(ordered)
    rest = sorted(ordered, key=codes.__getitem__)  # stable: the order holds within a label
    found: dict[str, list[int]] = {}
    for name in (name for name in reversed(NAMES) if name in sizes):
        size, count = sizes[name], len(rest)
        drawn: list[int] = []
        left: list[int] = []
        for place, number in enumerate(rest):
            # Evenly spaced places: any stretch of them, so any label, gives its share.
            is_drawn = (place + 1) * size // count > place * size // count
            (drawn if is_drawn else left).append(number)
        found[name] = sorted(drawn, key=rank.__getitem__)
        rest = left
    return {name: found[name] for name in NAMES if name in found}


def grouped(
    codes: Sequence[int],
    order: Iterable[int],
    sizes: Mapping[str, int],
    *,
    groups: Sequence[int],
    is_exact: bool,
) -> dict[str, list[int]]:
    """Return each split's rows in `order`; the rows of a group are all in one split or unused.

    `groups` are the codes in the order of choice. Where `is_exact`, a split has its size (fewer
    where the rows do not suffice) and rows of the last group that it takes may stay unused; else
    groups are whole and the sizes are met as nearly as they allow.
    """
    ordered = list(order)
    weights = Counter(codes)
    split_of: dict[int, str] = {}
    smallest_first = sorted(sizes, key=lambda name: (sizes[name], -NAMES.index(name)))
    left = list(groups)
    for place, name in enumerate(smallest_first, 1):
        is_last = place == len(sizes) and not is_exact and sum(sizes.values()) == len(codes)
        chosen = left if is_last else _fitting(left, weights, sizes[name], may_pass=is_exact)
        split_of |= dict.fromkeys(chosen, name)
        taken = set(chosen)
        left = [group for group in left if group not in taken]
    found: dict[str, list[int]] = {name: [] for name in NAMES if name in sizes}
    for number in ordered:
        name_of_row = split_of.get(codes[number])
        if name_of_row is not None:
            rows = found[name_of_row]
            if not is_exact or len(rows) < sizes[name_of_row]:
                rows.append(number)
    return found


def _fitting(
    groups: Sequence[int], weights: Mapping[int, int], size: int, *, may_pass: bool
) -> list[int]:
    """Return groups of about `size` rows; of at least so many where it `may_pass` them."""
    chosen: list[int] = []
    missing = size
    for group in groups:
        if weights[group] <= missing:
            chosen.append(group)
            missing -= weights[group]
    if missing:
        taken = set(chosen)
        others = [group for group in groups if group not in taken]
        nearest = min(others, key=weights.__getitem__, default=None)
        if nearest is not None and (may_pass or not chosen or weights[nearest] - missing < missing):
            chosen.append(nearest)
    return chosen


def _ranks(order: Sequence[int]) -> list[int]:
    ranks = [0] * len(order)
    for rank, number in enumerate(order):
        ranks[number] = rank
    return ranks
