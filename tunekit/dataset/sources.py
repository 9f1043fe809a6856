"""What a source is: rows with the line that they start on, and how a bad one is named.

A message names the file and the line, never what the row holds.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol, TextIO, cast

from tunekit.dataset.packing import Damaged, unpacked
from tunekit.errors import DataError
from tunekit.model import Location, Problem

# How many rows tell which columns a file without a header has.
HEAD_ROWS = 20
# Reads lines in two thirds of the time that the default takes.
_BUFFER_BYTES = 1 << 16


class Row(NamedTuple):
    """One record of a source; `line` counts from 1 and is where the record starts.

    `raw` is the line itself, perhaps with its end, where a record is one of JSON. In a table that
    has no lines and in an array of JSON, `line` is the record's number. No two rows have the same;
    where a source is many files, it counts through them all.
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

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the column names; reads no more than the head.

        Where a row need not have them all, it reads on until each of `wanted` is seen.
        """

    def count(self, limit: int | None = None) -> int:
        """Return how many rows there are, counting up to `limit`."""

    def identity(self) -> list[str]:
        """Return strings that are equal only where the rows are; must not parse them."""

    def files(self) -> Files:
        """Return the files that were read so far; none where the source is one."""


# Files in the order they are read, each with how many lines were counted before it.
Files = tuple[tuple[str, int], ...]


class Rows(Protocol):
    """A table that is found; a Reader without its name and identity."""

    def rows(self) -> Iterator[Row]: ...

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]: ...

    def count(self, limit: int | None = None) -> int: ...


class FoundLater(ABC):
    """A source whose table is looked for when it is first read, as `_opened`."""

    @property
    @abstractmethod
    def _opened(self) -> Rows: ...

    def rows(self) -> Iterator[Row]:
        return self._opened.rows()

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        return self._opened.columns(wanted)

    def count(self, limit: int | None = None) -> int:
        return self._opened.count(limit)

    def files(self) -> Files:
        return ()


class Stored(Protocol):
    """Where the bytes of a file lie."""

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open the bytes from the beginning; OSError or BadSource if they can't be read."""

    def identity(self) -> list[str]:
        """Return strings that are equal only where the bytes are."""


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine."""

    path: Path

    def opened(self) -> AbstractContextManager[BinaryIO]:
        return self.path.open("rb", _BUFFER_BYTES)

    def identity(self) -> list[str]:
        with self.opened() as file:
            digest = hashlib.file_digest(cast(io.BufferedReader, file), "sha256")
        return [digest.hexdigest()]


@dataclass(frozen=True)
class FileSource(ABC):
    """A file with rows. `name` is its path as the spec has it, for messages."""

    stored: Stored
    name: str
    packing: str = ""

    kind: ClassVar[str]

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield every row in order; BadSource at the first that can't be read."""

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the keys of the first rows, and of all up to the last of `wanted`, as they appear.

        Reads the whole file where one of `wanted` is nowhere.
        """
        with closing(self.rows()) as rows:  # type: ignore[type-var]
            known = dict.fromkeys(key for row in islice(rows, HEAD_ROWS) for key in row.values)
            missing = set(wanted) - known.keys()
            while missing and (row := next(rows, None)):
                known |= dict.fromkeys(row.values)
                missing -= row.values.keys()
        return list(known)

    def count(self, limit: int | None = None) -> int:
        """Return how many rows there are, counting up to `limit`."""
        return sum(1 for _ in islice(self.rows(), limit))

    def identity(self) -> list[str]:
        """Return the format and the SHA-256 of the bytes as they lie there, packed or not."""
        try:
            kind = f"{self.kind}+{self.packing}" if self.packing else self.kind
            return [kind, *self.stored.identity()]
        except OSError as error:
            raise self._unreadable(error) from None

    def files(self) -> Files:
        return ()

    def fault(self, line: int, fact: str, remedy: str = "") -> BadSource:
        return BadSource(Problem(fact, remedy, Location(self.name, line)))

    @contextmanager
    def opened_binary(self) -> Iterator[BinaryIO]:
        try:
            with self.stored.opened() as file, unpacked(file, self.packing) as plain:
                yield plain
        except Damaged as error:
            raise self.fault(0, str(error), "make the file again, or fetch it again") from None
        except OSError as error:
            raise self._unreadable(error) from None

    @contextmanager
    def opened_text(self) -> Iterator[TextIO]:
        """Open as UTF-8 with or without a BOM, line ends untouched."""
        with self.opened_binary() as file:
            try:
                with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                    yield text
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
