"""Tables kept by column: Parquet files and the Arrow files of `datasets`, read batch by batch.

pyarrow is imported when the first of them is opened.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tunekit.dataset.sources import FileSource, LocalFile, Row
from tunekit.errors import MissingExtra

# Rows held at a time. A row of 100,000 characters makes that 100 MB: see _BATCH_BYTES.
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 * 1024 * 1024
_BUFFER_BYTES = 1 << 20
_NO_PARQUET = "not a whole Parquet file"


class NotText(Exception):
    """A row whose text is not UTF-8; `row` counts from 1 within its batch."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row


def arrow() -> Any:
    """Return pyarrow; MissingExtra without it."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra(needs="pyarrow", extra="hub") from None
    return pyarrow


def rows_of(batch: Any, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a record batch or table as plain values.

    Dates and times become text as ISO 8601 has it, decimals their digits, and a float that is no
    number nothing. NotText at a row that is not UTF-8.
    """
    try:
        columns = [_values(column) for column in batch.columns]
    except UnicodeDecodeError:
        raise _not_text(batch) from None
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _values(column: Any) -> list[Any]:
    plain = _plain_of(column.type)
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        raise
    except (OverflowError, ValueError):  # such as the year 30000, or nanoseconds without pandas
        if plain is None:
            raise
        values = [_value(scalar) for scalar in column]
    return values if plain is None else [None if v is None else plain(v) for v in values]


def _value(scalar: Any) -> Any:
    """Return a scalar's value: Arrow's text of a time that Python has none for, or else None."""
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        if arrow().types.is_duration(scalar.type):
            return None
        text = str(scalar.cast(arrow().string())).replace(" ", "T")
        return None if text.startswith("<") else text  # <value out of range>


def _plain_of(kind: Any) -> Callable[[Any], Any] | None:
    """Return how a column's values become what JSON could hold, None where they are."""
    types = arrow().types
    if types.is_temporal(kind):
        return str if types.is_duration(kind) else _iso
    if types.is_decimal(kind):
        return str
    if types.is_floating(kind):
        return _number
    return None


def _iso(value: Any) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return str(text)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _not_text(batch: Any) -> NotText:
    for row in range(batch.num_rows):
        try:
            batch.slice(row, 1).to_pylist()
        except UnicodeDecodeError:
            return NotText(row + 1)
    return NotText(1)


class Parquet(FileSource):
    """A Parquet file; a row's line is its number."""

    kind = "parquet"

    def rows(self) -> Iterator[Row]:
        with self._opened() as file:
            names = self._names(file)
            number = 0
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata)):
                try:
                    for row, values in enumerate(rows_of(batch, names), number + 1):
                        yield Row(row, values)
                except NotText as error:
                    remedy = "write its text as UTF-8"
                    raise self.fault(number + error.row, "not UTF-8", remedy) from None
                number += batch.num_rows

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the names in the file's schema; none where it has no rows."""
        with self._opened() as file:
            return self._names(file) if file.metadata.num_rows else []

    def count(self, limit: int | None = None) -> int:
        """Return how many rows the file says it has, at most `limit`."""
        with self._opened() as file:
            rows: int = file.metadata.num_rows
        return rows if limit is None else min(rows, limit)

    def _names(self, file: Any) -> list[str]:
        names: list[str] = list(file.schema_arrow.names)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            first = names.index(twice) + 1
            second = names.index(twice, first) + 1
            fact = f"columns {first} and {second} have the same name"
            raise self.fault(0, fact, "column names must differ")
        return names

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        pa = arrow()
        import pyarrow.parquet

        with self._seekable() as source:
            try:
                # Neither mapped nor read ahead: both would hold whole row groups.
                yield pyarrow.parquet.ParquetFile(
                    source, pre_buffer=False, buffer_size=_BUFFER_BYTES, memory_map=False
                )
            except (pa.ArrowException, EOFError):
                raise self.fault(0, _NO_PARQUET, "make it again, or fetch it again") from None
            except OSError as error:
                if error.errno is not None:
                    raise self._unreadable(error) from None
                raise self.fault(0, _NO_PARQUET, "make it again, or fetch it again") from None

    @contextmanager
    def _seekable(self) -> Iterator[Any]:
        """Yield the file itself where it can be read from any place, else a copy on disk."""
        if isinstance(self.stored, LocalFile) and not self.packing:
            try:
                file = arrow().OSFile(str(self.stored.path))
            except OSError as error:
                raise self._unreadable(error) from None
            with file:
                yield file
            return
        with tempfile.TemporaryFile() as copy:
            with self.opened_binary() as plain:
                shutil.copyfileobj(plain, copy, _BUFFER_BYTES)
            copy.seek(0)
            yield copy


def _batch_rows(metadata: Any) -> int:
    """Return how many rows of this file's usual size fit in _BATCH_BYTES."""
    groups = range(metadata.num_row_groups)
    size_bytes = sum(metadata.row_group(group).total_byte_size for group in groups)
    usual = max(size_bytes // max(metadata.num_rows, 1), 1)
    return int(min(max(_BATCH_BYTES // usual, 1), _BATCH_ROWS))
