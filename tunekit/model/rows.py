"""What is kept of a split's rows: enough to tell which differ, never a text."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
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
    """Makes the index of each split while a data set is prepared, which calls its `on_rows`."""

    def __init__(self) -> None:
        self._splits: dict[str, RowIndex] = {}

    def on_rows(
        self,
        split: str,
        lines: Sequence[bytes],
        tokens: Sequence[int],
        examples: Sequence[Example],
    ) -> None:
        """Take in rows by their bytes, and their lengths."""
        now = self._splits.setdefault(split, RowIndex())
        texts = [example.source.encode("utf-8", "surrogatepass") for example in examples]
        now.hashes.extend(_array(_HASH, _hashes(lines)))
        now.keys.extend(_array(_HASH, _hashes(texts)))
        now.tokens.extend([min(count, _MOST_COUNT) for count in tokens])
        now.lines.extend([e.line if 0 < e.line < _MOST_COUNT else 0 for e in examples])

    def splits(self) -> dict[str, RowIndex]:
        """Return the index of each split that had a row."""
        return self._splits


def _hashes(texts: Sequence[bytes]) -> bytes:
    """Return 8 bytes of each text, side by side."""
    return b"".join([blake2b(text, digest_size=8).digest() for text in texts])


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
