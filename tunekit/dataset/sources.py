"""What a source is: rows with the line that they start on, and how a bad one is named.

A message names the file and the line, never what the row holds.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TextIO

from tunekit.errors import DataError
from tunekit.model import Location, Problem

# How many rows tell which columns a file without a header has.
HEAD_ROWS = 20


class Row(NamedTuple):
    """One record of a source; `line` counts from 1 and is where the record starts.

    `raw` is the line itself, without its end, where a record is one of JSON.
    """

    line: int
    values: Mapping[str, Any]
    raw: bytes | None = None


class BadSource(DataError):
    """A source that can't be read or holds a bad row; `problem` says where, what and what to do."""

    problem: Problem

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class OutOfReach(BadSource):
    """A source that can't be asked now: no access, no connection. It may be as it was."""


class Reader(Protocol):
    """What the pipeline needs of a source; every method starts from the beginning."""

    @property
    def name(self) -> str:
        """Return the source as people wrote it."""

    def rows(self) -> Iterator[Row]:
        """Yield every row in order; BadSource at the first that can't be read."""

    def columns(self) -> Sequence[str]:
        """Return the column names; reads no more than the head."""

    def count(self, limit: int | None = None) -> int:
        """Return how many rows there are, counting up to `limit`."""

    def identity(self) -> list[str]:
        """Return strings that are equal only where the rows are; must not parse them."""


@dataclass(frozen=True)
class FileSource(ABC):
    """A file on this machine. `name` is its path as the spec has it, for messages."""

    path: Path
    name: str

    kind: ClassVar[str]

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield every row in order; BadSource at the first that can't be read."""

    def columns(self) -> Sequence[str]:
        """Return the keys of the first rows, in order of appearance."""
        head = islice(self.rows(), HEAD_ROWS)
        return list(dict.fromkeys(key for row in head for key in row.values))

    def count(self, limit: int | None = None) -> int:
        """Return how many rows there are, counting up to `limit`."""
        return sum(1 for _ in islice(self.rows(), limit))

    def identity(self) -> list[str]:
        """Return the format and the SHA-256 of the bytes."""
        with self.opened_binary() as file:
            return [self.kind, hashlib.file_digest(file, "sha256").hexdigest()]

    def fault(self, line: int, fact: str, remedy: str = "") -> BadSource:
        return BadSource(Problem(fact, remedy, Location(self.name, line)))

    @contextmanager
    def opened_binary(self) -> Iterator[io.BufferedReader]:
        try:
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise self._unreadable(error) from None

    @contextmanager
    def opened_text(self) -> Iterator[TextIO]:
        """Open as UTF-8 with or without a BOM, line ends untouched."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield file
        except OSError as error:
            raise self._unreadable(error) from None
        except UnicodeDecodeError:
            raise self._not_utf8() from None

    def _unreadable(self, error: OSError) -> BadSource:
        return self.fault(0, f"can't be read ({error.strerror or type(error).__name__})")

    def _not_utf8(self) -> BadSource:
        """Find the first line that is not UTF-8: a text stream knows offsets of its buffer only."""
        with self.opened_binary() as file:
            for line, raw in enumerate(file, 1):
                try:
                    raw.decode()
                except UnicodeDecodeError as error:
                    return self.not_utf8_at(line, error)
        return self.fault(0, "not UTF-8", "save the file as UTF-8")

    def not_utf8_at(self, line: int, error: UnicodeDecodeError) -> BadSource:
        return self.fault(
            line, f"not UTF-8 (byte {error.start + 1} of the line)", "save the file as UTF-8"
        )
