"""Where data goes: standard output, as a table, JSON, YAML or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from tunekit.views.text import clean, line, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

FORMATS = ("table", "json", "yaml", "csv")

STATE_STYLES = {
    "PENDING": "yellow",
    "RUNNING": "cyan",
    "CANCELLING": "magenta",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "CANCELLED": "magenta",
    "UNKNOWN": "bold yellow",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. `rank` 0 is always shown; the highest goes first where room lacks."""

    title: str
    key: str
    rank: int = 0
    is_number: bool = False
    most: int = 60


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of display text by column key; `styles` colours the cells of a column by their text."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, str]]
    more: str = ""

    def fitting(self, width: int) -> list[Column]:
        """Return the columns that fit, dropping those of the highest rank first."""
        columns = list(self.columns)
        while sum(self._width(c) + 2 for c in columns) > width:
            expendable = [c for c in columns if c.rank]
            if not expendable:
                break
            columns.remove(max(expendable, key=lambda c: c.rank))
        return columns

    def _width(self, column: Column) -> int:
        longest = max((len(line(row.get(column.key, ""))) for row in self.rows), default=0)
        return max(len(column.title), min(longest, column.most))


@dataclass(frozen=True, slots=True)
class Output:
    """Standard output as it is today: a terminal of a width, or a pipe."""

    stream: TextIO
    format: str
    is_terminal: bool
    has_colour: bool
    width: int

    def data(self, command: str, content: Mapping[str, Any]) -> None:
        """Print plain data as JSON or YAML, marked with its schema."""
        document = {"schema": f"tunekit.{command}/1", **content}
        if self.format == "yaml":
            from tunekit.spec import to_yaml

            self.stream.write(to_yaml(document, is_unicode=self._is_unicode()))
            return
        json.dump(document, self.stream, indent=2, ensure_ascii=not self._is_unicode())
        self.stream.write("\n")

    def csv(self, rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> None:
        """Print rows as CSV (RFC 4180); text that a spreadsheet would run is quoted with a '."""
        writer = csv.writer(self.stream, lineterminator="\n")
        writer.writerow(fields)
        writer.writerows([_harmless(row.get(field)) for field in fields] for row in rows)

    def table(self, table: Table) -> None:
        """Print a table: by rich on a terminal, in plain columns elsewhere."""
        if self.is_terminal:
            self.console().print(rich_table(table, self.width))
        else:
            self._plain(table)
        if table.more:
            self.text(table.more)

    def text(self, text: str = "") -> None:
        """Print one line or more of our own words; foreign strings in it are made harmless."""
        self.stream.write(clean(text) + "\n")

    def styled(self, text: str, style: str) -> None:
        """Print text in a colour where colours are on."""
        if self.has_colour:
            from rich.text import Text

            self.console().print(Text(clean(text), style=style), soft_wrap=True)
        else:
            self.text(text)

    def print(self, renderable: RenderableType) -> None:
        """Print something that rich draws."""
        self.console().print(renderable)

    def console(self) -> Console:
        """Return a rich console on this stream that never interprets markup."""
        from rich.console import Console

        return Console(
            file=self.stream,
            width=self.width,
            force_terminal=self.is_terminal and self.has_colour,
            no_color=not self.has_colour,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def _plain(self, table: Table) -> None:
        cells = [[column.title for column in table.columns]]
        cells += [[line(row.get(c.key, "")) for c in table.columns] for row in table.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            padded = (
                cell.rjust(width) if column.is_number else cell.ljust(width)
                for cell, width, column in zip(row, widths, table.columns, strict=True)
            )
            self.stream.write("  ".join(padded).rstrip() + "\n")

    def _is_unicode(self) -> bool:
        return (getattr(self.stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def rich_table(table: Table, width: int) -> RichTable:
    """Return what rich draws; cells are Text, so nothing in them is read as markup."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    columns = table.fitting(width)
    for column in columns:
        drawn.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in table.rows:
        drawn.add_row(*(Text(*_cell(row.get(c.key, ""), c)) for c in columns))
    return drawn


def _cell(text: str, column: Column) -> tuple[str, str]:
    shown = shortened(line(text), column.most)
    return shown, STATE_STYLES.get(shown.split(" ")[0], "") if column.key == "state" else ""


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        shown = line(value)
        return "'" + shown if shown.startswith(("=", "+", "-", "@")) else shown
    return value
