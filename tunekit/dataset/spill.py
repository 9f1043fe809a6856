"""Another order for more rows than memory holds: they wait in a file that has no name."""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# What is kept in memory before a file is used.
_HELD_BYTES = 1 << 24
_ABSENT = 2**64 - 1


def reordered(items: Iterable[T], order: Sequence[int]) -> Iterator[T]:
    """Yield those of `items` whose numbers are in `order`, in that order; absent ones are left out.

    `order` repeats no number. Needs 16 bytes a number, and a file for what passes 16 MB.
    """
    last = max(order, default=-1)
    slots = array("Q", [_ABSENT]) * (last + 1)
    for slot, number in enumerate(order):
        slots[number] = slot
    places = array("Q", [_ABSENT]) * len(order)
    with tempfile.SpooledTemporaryFile(max_size=_HELD_BYTES) as file:
        end = 0
        for slot, item in zip(slots, items, strict=False):
            if slot != _ABSENT:
                places[slot] = end
                end += file.write(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
        for place in places:
            if place != _ABSENT:
                file.seek(place)
                # Written above, to a file that nobody else can open.
                yield pickle.load(file)  # noqa: S301
