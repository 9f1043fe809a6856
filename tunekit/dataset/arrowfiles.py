"""Splits that `datasets` keeps as Arrow files, read in pieces and not mapped into memory."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.dataset.columnar import NotText, arrow, rows_of
from tunekit.dataset.sources import BadSource, Row
from tunekit.model import Location, Problem

# `datasets` writes 1,000 rows a batch; of a batch, so many are values of Python at a time.
_SLICE_ROWS = 256


@dataclass(frozen=True)
class ArrowFiles:
    """One split's files in their order; a row's line is its number in the split.

    `datasets` maps such files, and what it touches of them counts as memory of the process.
    """

    files: tuple[Path, ...]
    name: str
    size_rows: int | None = None

    def rows(self) -> Iterator[Row]:
        number = 0
        for batch in self._batches():
            try:
                for row, values in enumerate(rows_of(batch, batch.schema.names), number + 1):
                    yield Row(row, values)
            except NotText as error:
                where = Location(self.name, number + error.row)
                raise BadSource(Problem("not UTF-8", "write its text as UTF-8", where)) from None
            number += batch.num_rows
        if self.size_rows is not None and number != self.size_rows:
            raise self._broken(f"{number} rows where {self.size_rows} are said to be")

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the names in the schema; none where there are no rows."""
        with closing(self._batches()) as batches:
            return next((list(b.schema.names) for b in batches if b.num_rows), [])

    def count(self, limit: int | None = None) -> int:
        total = self.size_rows
        if total is None:
            total = sum(batch.num_rows for batch in self._batches())
        return total if limit is None else min(limit, total)

    def _batches(self) -> Generator[Any]:
        pa = arrow()
        for path in self.files:
            try:
                with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
                    for batch in stream:
                        for start in range(0, batch.num_rows, _SLICE_ROWS):
                            yield batch.slice(start, _SLICE_ROWS)
            except (pa.ArrowException, EOFError, OSError) as error:
                raise self._broken(f"{path.name} is damaged ({type(error).__name__})") from None

    def _broken(self, fact: str) -> BadSource:
        remedy = "write it again, or remove it from the cache"
        return BadSource(Problem(fact, remedy, Location(self.name)))
