"""Values that survive in answers that mask.

The data itself says what is to be masked: capitalised words, and kinds of values, that are in
inputs more often than in answers. One that vanishes at least `OFTEN` times, and `TIMES` as often as
it stays, is reported where it stays. Many rows are looked at at once, in numpy; a word is its first
eight bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tunekit.dataset.preflight.batch import MOST_NAMED, Batch, Tally
from tunekit.dataset.preflight.repeats import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFTEN, TIMES = 3, 5
# Each way begins with a character of its own: then re skips to the next one of them.
_MASK = re.compile(r"\[[A-Z][A-Z0-9_ ]*\]|\{\{\w+\}\}|<[A-Z][A-Z0-9_]*>|\*\*\*+|XXXX+")
# Rows after which a data set without masks is left alone, and how many of them must have one.
_TRIAL_ROWS, _FEWEST_MASKED = 2000, 0.05
# Words of one or two letters are initials; shorter numbers are years and amounts.
_SHORTEST_WORD, _SHORTEST_NUMBER = 3, 6
_WINDOW = 8
# Between two rows, so that no window reads into the next one.
_GAP = b" " * _WINDOW
# No word begins with these bytes.
_EMAIL, _NUMBER, _URL = 1, 2, 3
_MOST_PENDING = 1 << 17
# What may begin with an octet: a capitalised word, a number, a letter beyond ASCII.
_CAPITAL, _DIGIT, _WIDE = 1, 2, 3
_STARTS = bytes(
    octet > 127 or 65 <= octet <= 90 or 48 <= octet <= 57  # capitals and digits
    for octet in range(256)
)


class _Words(NamedTuple):
    """What stands where: row numbers of a batch and keys, side by side."""

    rows: NDArray[Any]
    keys: NDArray[Any]


class Masking:
    """Finds values that masks replace elsewhere."""

    def __init__(self) -> None:
        self._is_on = True
        self._seen = 0
        self._with_mask = 0
        self._inputs = _Counts()
        self._answers = _Counts()

    def take(self, batch: Batch, tally: Tally) -> None:
        if self._is_on and self._masks(batch.responses):
            self._count(batch)

    def _masks(self, responses: Sequence[str]) -> bool:
        """Say whether answers mask: the first rows decide, and until then all are counted."""
        if self._seen < _TRIAL_ROWS:
            self._seen += len(responses)
            self._with_mask += sum(1 for text in responses if _MASK.search(text))
            self._is_on = self._with_mask >= _FEWEST_MASKED * self._seen
        return self._is_on

    def _count(self, batch: Batch) -> None:
        import numpy as np

        before, after = words_of(batch.source_bytes), words_of(batch.response_bytes)
        place = SPLITS.index(batch.split) << 56
        lines = np.array(batch.lines, dtype=np.int64) | place
        self._inputs.add(before.keys, lines[before.rows])
        self._answers.add(after.keys, lines[after.rows])

    def finish(self, tally: Tally) -> None:
        import numpy as np

        if not self._is_on:
            return
        inputs, answers = self._inputs.all(), self._answers.all()
        if not len(inputs.keys) or not len(answers.keys):
            return
        at = np.minimum(np.searchsorted(inputs.keys, answers.keys), len(inputs.keys) - 1)
        is_in_both = inputs.keys[at] == answers.keys
        vanish = np.where(is_in_both, inputs.counts[at], 0) - answers.counts
        survives = (vanish >= OFTEN) & (vanish >= TIMES * answers.counts)
        where = np.unique(answers.firsts[survives]).tolist()
        fact = "with a value in the answer that other rows mask"
        for number in where:
            if number >= 0:
                split = SPLITS[number >> 56]
                tally.add("unmasked-entity", split, fact, number & ((1 << 56) - 1))


class _Summary(NamedTuple):
    """Keys in order, how often each is there, and where first: rows of up to MOST_NAMED, or -1."""

    keys: NDArray[Any]
    counts: NDArray[Any]
    firsts: NDArray[Any]


class _Counts:
    """Counts keys and keeps the first places of each."""

    def __init__(self) -> None:
        self._pending: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._waiting = 0
        self._summary: _Summary | None = None

    def add(self, keys: NDArray[Any], places: NDArray[Any]) -> None:
        self._pending.append((keys, places))
        self._waiting += len(keys)
        if self._waiting >= _MOST_PENDING:
            self._summary = self.all()

    def all(self) -> _Summary:
        """Return what was counted so far."""
        import numpy as np

        parts: list[tuple[NDArray[Any], NDArray[Any]]] = []
        counts = []
        if self._summary is not None:
            old = self._summary
            repeated = np.repeat(old.keys, MOST_NAMED)
            places = old.firsts.ravel()
            is_there = places >= 0
            parts.append((repeated[is_there], places[is_there]))
            # A key's count stands at its first place.
            weights = np.zeros(old.firsts.shape, dtype=np.int64)
            weights[:, 0] = old.counts
            counts.append(weights.ravel()[is_there])
        parts += self._pending
        counts += [np.ones(len(keys), dtype=np.int64) for keys, _ in self._pending]
        self._pending, self._waiting = [], 0
        if not parts:
            empty = np.empty(0, dtype=np.int64)
            return _Summary(empty.view(np.uint64), empty, empty.reshape(0, MOST_NAMED))
        self._summary = _summary(
            np.concatenate([keys for keys, _ in parts]),
            np.concatenate([places for _, places in parts]),
            np.concatenate(counts),
        )
        return self._summary


def _summary(keys: NDArray[Any], places: NDArray[Any], weights: NDArray[Any]) -> _Summary:
    import numpy as np

    order = np.argsort(keys, kind="stable")
    keys, places, weights = keys[order], places[order], weights[order]
    starts = np.flatnonzero(np.concatenate(([len(keys) > 0], keys[1:] != keys[:-1])))
    ends = np.append(starts[1:], len(keys))
    firsts = np.full((len(starts), MOST_NAMED), -1, dtype=np.int64)
    for rank in range(MOST_NAMED):
        has = starts + rank < ends
        firsts[has, rank] = places[starts[has] + rank]
    totals = np.add.reduceat(weights, starts) if len(starts) else weights
    return _Summary(keys[starts], totals, firsts)


def words_of(raws: Sequence[bytes]) -> _Words:
    """Return the capitalised words of texts by their first bytes, and the kinds of their values.

    The texts are UTF-8.
    """
    import numpy as np

    data = b"".join((_GAP, _GAP.join(raws), _GAP, _GAP))
    octets = np.frombuffer(data, dtype=np.uint8)
    lengths = np.fromiter(map(len, raws), dtype=np.int64, count=len(raws))
    starts = _WINDOW + np.concatenate(([0], np.cumsum(lengths[:-1] + _WINDOW)))
    # Few octets begin what is looked for: only of those, and where no word goes on, more is asked.
    begins = np.flatnonzero(np.frombuffer(data.translate(_STARTS), dtype=bool))
    begins = begins[~_of_word()[octets[begins - 1]]]  # the gap at both ends is of no word
    kind = _kinds()[octets[begins]]
    if not data.isascii():
        kind = np.where(kind == _WIDE, _wide_capitals(octets, begins), kind)
    sizes = _sizes(octets, begins)
    # What stands between brackets is a mask; any word may begin a sentence or a row.
    is_name = (kind == _CAPITAL) & (sizes >= _SHORTEST_WORD) & ~_openers()[octets[begins - 1]]
    is_name &= (octets[begins - 1] != ord(" ")) | ~_sentence_ends()[octets[begins - 2]]
    names = begins[is_name]
    windows = np.ndarray((len(data) - _WINDOW,), dtype="<u8", buffer=data, strides=(1,))[names]
    keep = sizes[is_name].astype(np.uint64)
    keys = windows & (np.uint64(2**64 - 1) >> (np.uint64(64) - keep * np.uint64(8)))
    places, found = [names], [keys]
    numbers = begins[(kind == _DIGIT) & (sizes >= _SHORTEST_NUMBER)]
    for at, key in (
        (numbers, _NUMBER),
        (_all(octets, data, b"@"), _EMAIL),
        (_all(octets, data, b"://"), _URL),
    ):
        if len(at):
            places.append(at)
            found.append(np.full(len(at), key, dtype=np.uint64))
    rows = np.searchsorted(starts, np.concatenate(places), side="right") - 1
    return _Words(rows, np.concatenate(found))


def _sizes(octets: NDArray[Any], begins: NDArray[Any]) -> NDArray[Any]:
    """Return how many octets the words have that begin there, `_WINDOW` for more."""
    import numpy as np

    sizes = np.ones(len(begins), dtype=np.int64)
    goes_on = np.arange(len(begins))
    for offset in range(1, _WINDOW):
        goes_on = goes_on[_of_word()[octets[begins[goes_on] + offset]]]
        sizes[goes_on] += 1
    return sizes


def _all(octets: NDArray[Any], data: bytes, text: bytes) -> NDArray[Any]:
    """Return where `text` begins; only a second look finds more than its first byte."""
    import numpy as np

    if text not in data:
        return np.empty(0, dtype=np.int64)
    at = np.flatnonzero(octets == text[0])
    for offset, octet in enumerate(text[1:], 1):
        at = at[octets[at + offset] == octet]
    return at


def _wide_capitals(octets: NDArray[Any], begins: NDArray[Any]) -> NDArray[Any]:
    """Return 1 where a two-byte letter is a capital of Latin-1, Greek or Cyrillic, else 0."""
    import numpy as np

    one, two = octets[begins], octets[begins + 1]
    latin = (one == 0xC3) & (two <= 0x9E)
    greek = (one == 0xCE) & (two >= 0x91) & (two <= 0xA9)
    cyrillic = (one == 0xD0) & (two >= 0x90) & (two <= 0xAF)
    is_capital: NDArray[Any] = (latin | greek | cyrillic).astype(np.uint8)
    return is_capital


@cache
def _kinds() -> NDArray[Any]:
    """Return by octet what begins with it, 0 if nothing."""
    import numpy as np

    table = np.zeros(256, dtype=np.uint8)
    table[65:91], table[48:58], table[128:] = _CAPITAL, _DIGIT, _WIDE
    return table


@cache
def _of_word() -> NDArray[Any]:
    """Return by octet whether it is of a word: letters, digits, _, ' and all beyond ASCII."""
    import numpy as np

    table = [octet > 127 or chr(octet).isalnum() or octet in b"_'" for octet in range(256)]
    return np.array(table)


@cache
def _openers() -> NDArray[Any]:
    """Return by octet whether it opens a mask."""
    import numpy as np

    table = np.zeros(256, dtype=bool)
    table[list(b"[{<*")] = True
    return table


@cache
def _sentence_ends() -> NDArray[Any]:
    """Return by octet whether a sentence may end with it; a row ends with spaces."""
    import numpy as np

    table = np.zeros(256, dtype=bool)
    table[list(b" .!?:\n")] = True
    return table
