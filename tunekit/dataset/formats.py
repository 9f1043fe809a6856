"""The file formats: one reader each, and which ending means which."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, ClassVar

from tunekit.dataset.columnar import Parquet
from tunekit.dataset.jsontext import Window, fault_of
from tunekit.dataset.packing import PACKINGS
from tunekit.dataset.sources import BadSource, FileSource, Row, Stored

_BOM = b"\xef\xbb\xbf"
# The csv module takes a C long; this is the largest that fits everywhere.
_LONGEST_CSV_FIELD = 2**31 - 1
_ONE_ARRAY = "a .json file holds one array of objects"


class JsonLines(FileSource):
    """One JSON object a line; blank lines do not count as rows."""

    kind = "jsonl"

    def rows(self) -> Iterator[Row]:
        from tunekit.dataset.fastjson import quick_loads

        new = tuple.__new__  # half the time of Row(...)
        with self.opened_binary() as file:
            # A binary file ends lines at b"\n" alone: U+2028 and its like stay inside a value.
            for line, raw in enumerate(file, 1):
                try:
                    values = quick_loads(raw)
                    for value in values.values():
                        if type(value) is float:
                            raise ValueError  # it may be no float in the text
                except (ValueError, AttributeError):
                    raw = _content(line, raw)
                    if not raw:
                        continue
                    values = self._careful(line, raw)
                yield new(Row, (line, values, raw))

    def _careful(self, line: int, content: bytes) -> dict[str, Any]:
        from tunekit.dataset.fastjson import loads

        try:
            return loads(content)
        except UnicodeDecodeError as error:
            raise self.not_utf8_at(line, error) from None
        except (ValueError, RecursionError) as error:
            raise self.fault(line, fault_of(error), "each line must be one object") from None
        except TypeError:
            raise self.fault(line, "not a JSON object", "each line must be one") from None

    def count(self, limit: int | None = None) -> int:
        """Return how many lines are not blank, counting up to `limit`, without parsing them."""
        with self.opened_binary() as file:
            lines = (raw for line, raw in enumerate(file, 1) if _content(line, raw))
            return sum(1 for _ in islice(lines, limit))


def _content(line: int, raw: bytes) -> bytes:
    """Return what a line holds, nothing where it is blank."""
    content = raw.removeprefix(_BOM) if line == 1 else raw
    # Without the line end, a string that is cut short is reported as just that.
    return b"" if content.isspace() else content.rstrip(b"\r\n")


class JsonArray(FileSource):
    """One JSON array of objects, read piece by piece; a row is an element, its line the number.

    An array is often one line, which would tell no row from another. What is no JSON is named by
    its real line.
    """

    kind = "json"

    def rows(self) -> Iterator[Row]:
        with self.opened_text() as file:
            window = Window(file)
            if window.peek() != "[":
                raise self._not_an_array(window)
            window.skip()
            number = 0
            has_more = window.peek() != "]"
            while has_more:
                number += 1
                yield self._element(window, number)
                has_more = window.peek() == ","
                if has_more:
                    window.skip()
            if window.peek() != "]":
                fact = f"not valid JSON (no ',' or ']' after element {number})"
                raise self.fault(window.line, fact, _ONE_ARRAY)
            window.skip()
            if window.peek():
                fact = "not valid JSON (more follows after the array)"
                raise self.fault(window.line, fact, _ONE_ARRAY)

    def _element(self, window: Window, number: int) -> Row:
        start = window.peek()
        line = window.line
        if start != "{":
            raise self.fault(
                line, f"element {number} is not a JSON object", "each element must be one"
            )
        try:
            return Row(number, window.take_object())
        except UnicodeDecodeError:  # a ValueError too, but of the file and not of the element
            raise
        except json.JSONDecodeError as error:
            # The line where the JSON breaks helps more than the one where the element starts.
            line += error.doc.count("\n", window.start, error.pos)
            fact = f"element {number} is {fault_of(error)}"
        except (ValueError, RecursionError) as error:
            fact = f"element {number} is {fault_of(error)}"
        raise self.fault(line, fact, "each element must be one object") from None

    def _not_an_array(self, window: Window) -> BadSource:
        if window.peek() == "{":
            remedy = f"{_ONE_ARRAY}; with an object a line, name it .jsonl"
            return self.fault(window.line, "an object where an array must start", remedy)
        return self.fault(window.line, "not a JSON array", _ONE_ARRAY)


class Csv(FileSource):
    """Comma-separated values as RFC 4180 has them, the first row naming the columns."""

    kind = "csv"
    delimiter: ClassVar[str] = ","
    separator: ClassVar[str] = "comma"

    def rows(self) -> Iterator[Row]:
        records = self._records()
        header = self._header(records)
        width = len(header)
        for line, fields in records:
            if len(fields) != width:
                raise self.fault(
                    line,
                    f"{_number(len(fields), 'field')} where the header has {width}",
                    f'a value with a {self.separator}, quote or line end must be in "quotes"',
                )
            yield Row(line, dict(zip(header, fields, strict=True)))

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the names in the header."""
        return self._header(self._records())

    def _header(self, records: Iterator[tuple[int, list[str]]]) -> list[str]:
        line, names = next(records, (1, []))
        if not names:
            raise self.fault(0, "empty", "the first row must name the columns")
        positions: dict[str, int] = {}
        for position, name in enumerate(names, 1):
            if not name.strip():
                raise self.fault(
                    line, f"column {position} has no name", "the first row must name every column"
                )
            first = positions.setdefault(name, position)
            if first != position:
                raise self.fault(
                    line,
                    f"columns {first} and {position} have the same name",
                    "column names must differ",
                )
        return names

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record with the line where it starts; blank lines are skipped."""
        import csv

        csv.field_size_limit(_LONGEST_CSV_FIELD)
        with self.opened_text() as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            while True:
                line = reader.line_num + 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    fact = f"not valid {self.kind.upper()} ({error})"
                    raise self.fault(line, fact, 'write a quote inside a value as ""') from None
                if fields:
                    yield line, fields


class Tsv(Csv):
    """Tab-separated values, quoted as in CSV, the first row naming the columns."""

    kind = "tsv"
    delimiter = "\t"
    separator = "tab"


_READERS: Mapping[str, type[FileSource]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": JsonArray,
    ".csv": Csv,
    ".tsv": Tsv,
    ".parquet": Parquet,
}
SUPPORTED = f"{', '.join(_READERS)}, each also as .gz or .zst"


def reader_of(name: str, stored: Stored) -> FileSource | None:
    """Return the reader that a file's name asks for, None where its ending is not known."""
    plain, ending = _split_ending(name)
    packing = PACKINGS.get(ending, "")
    if packing:
        ending = _split_ending(plain)[1]
    reader = _READERS.get(ending)
    return None if reader is None else reader(stored, name, packing)


def _split_ending(name: str) -> tuple[str, str]:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix), suffix.lower()


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
