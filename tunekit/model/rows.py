"""What is kept of a split's rows: enough to tell which differ, never a text."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from tunekit.model.data import Example

_HASH, _COUNT = "Q", "I"
_MOST_COUNT = 0xFFFFFFFF


@dataclass(slots=True)
class RowIndex:
    """A split's rows in their order, 24 bytes each.

    `hashes` are of all that is sent of a row, `keys` of the text that it was made of, `tokens` its
    guessed length, `lines` its place in the source. Hashes have 64 bits: among two million rows
    one false match is a chance of 1 in ten million.
    """

    hashes: array[int] = field(default_factory=lambda: array(_HASH))
    keys: array[int] = field(default_factory=lambda: array(_HASH))
    tokens: array[int] = field(default_factory=lambda: array(_COUNT))
    lines: array[int] = field(default_factory=lambda: array(_COUNT))

    def __len__(self) -> int:
        return len(self.hashes)

    def to_record(self) -> dict[str, bytes]:
        """Return the columns as bytes, equal on every machine; counts compressed."""
        return {
            "hashes": _bytes(self.hashes),
            "keys": _bytes(self.keys),
            "tokens": zlib.compress(_bytes(self.tokens), 1),
            "lines": zlib.compress(_bytes(_steps(self.lines)), 1),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RowIndex:
        """Return what `to_record` wrote down."""
        lines = _array(_COUNT, zlib.decompress(record["lines"]))
        for position in range(1, len(lines)):
            lines[position] = (lines[position] + lines[position - 1]) & _MOST_COUNT
        return cls(
            _array(_HASH, record["hashes"]),
            _array(_HASH, record["keys"]),
            _array(_COUNT, zlib.decompress(record["tokens"])),
            lines,
        )


class RowRecorder:
    """Makes the index of each split while a data set is prepared, which calls its `on_row`.

    That is for every row, so it does little: columns grow as bytes and become arrays at the end.
    """

    def __init__(self) -> None:
        self._columns: dict[str, _Columns] = {}
        self._split = ""
        self._now = _Columns()

    def on_row(self, split: str, row_hash: bytes, tokens: int, example: Example) -> None:
        """Take in a row, its hash of 8 bytes and its length."""
        if split != self._split:
            self._split, self._now = split, self._columns.setdefault(split, _Columns())
        now = self._now
        text = example.source.encode("utf-8", "surrogatepass")
        now.hashes += row_hash
        now.keys += blake2b(text, digest_size=8).digest()
        now.tokens.append(tokens if tokens < _MOST_COUNT else _MOST_COUNT)
        now.lines.append(example.line if 0 < example.line < _MOST_COUNT else 0)

    def splits(self) -> dict[str, RowIndex]:
        """Return the index of each split that had a row."""
        return {
            split: RowIndex(
                _array(_HASH, found.hashes), _array(_HASH, found.keys), found.tokens, found.lines
            )
            for split, found in self._columns.items()
        }


@dataclass(slots=True)
class _Columns:
    hashes: bytearray = field(default_factory=bytearray)
    keys: bytearray = field(default_factory=bytearray)
    tokens: array[int] = field(default_factory=lambda: array(_COUNT))
    lines: array[int] = field(default_factory=lambda: array(_COUNT))


def _steps(lines: array[int]) -> array[int]:
    """Return each number less the one before: mostly ones, which compress well."""
    found, before = array(_COUNT), 0
    for line in lines:
        found.append((line - before) & _MOST_COUNT)
        before = line
    return found


def _bytes(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _array(kind: str, data: bytes | bytearray) -> array[int]:
    values: array[int] = array(kind)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
