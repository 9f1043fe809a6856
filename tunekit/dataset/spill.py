"""Another order for more rows than memory holds: they wait in a file that has no name."""

from __future__ import annotations

import io
import marshal
import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_BUFFER_BYTES = 1 << 18
_ABSENT = 2**32 - 1
# marshal takes half of pickle's time, and plain data only.
_PLAIN, _OTHER = b"m", b"p"


def reordered(items: Iterable[T], order: Sequence[int]) -> Iterator[T]:
    """Yield those of `items` whose numbers are in `order`, in that order; absent ones are left out.

    `order` repeats no number. Needs 16 bytes a number, and a file for all of them.
    """
    last = max(order, default=-1)
    # By number, its place in `order`; by place, which of those in the file it is; where each ends.
    slots = array("I", [_ABSENT]) * (last + 1)
    for slot, number in enumerate(order):
        slots[number] = slot
    written = array("I", [_ABSENT]) * len(order)
    del order
    ends = array("Q", [0])
    with (
        tempfile.TemporaryFile(buffering=0) as file,
        io.BufferedWriter(file, _BUFFER_BYTES) as buffered,
    ):
        end = 0
        for slot, item in zip(slots, items, strict=False):
            if slot != _ABSENT:
                written[slot] = len(ends) - 1
                end += buffered.write(_packed(item))
                ends.append(end)
        buffered.flush()
        del slots
        # Read past the buffer, which would be filled anew for every row.
        for place in written:
            if place != _ABSENT:
                file.seek(ends[place])
                yield _unpacked(file.read(ends[place + 1] - ends[place]))


def _packed(item: Any) -> bytes:
    try:
        return _PLAIN + marshal.dumps(item)
    except ValueError:  # dates and the like, which a table of columns may hold
        return _OTHER + pickle.dumps(item, pickle.HIGHEST_PROTOCOL)


def _unpacked(data: bytes) -> Any:
    # Written above, to a file that nobody else can open.
    is_plain = data[:1] == _PLAIN
    return marshal.loads(data[1:]) if is_plain else pickle.loads(data[1:])  # noqa: S301, S302
