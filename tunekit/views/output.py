"""Where data goes: standard output, as a table, JSON, YAML or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tunekit.views.text import clean, escaped, has_unsafe, line, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

FORMATS = ("table", "json", "yaml", "csv", "md")

_MOST_INDENTED = 200

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
    """A table's column. `rank` 0 is always shown; the highest goes first where room lacks.

    Widths are in characters: never more than `most`; down to `least`, cut, before it goes.
    """

    title: str
    key: str
    rank: int = 0
    is_number: bool = False
    most: int = 60
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of display text by column key; `styles` colours the cells of a column by their text."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, str]]
    more: str = ""

    def fitting(self, width: int) -> list[tuple[Column, int]]:
        """Return the columns that fit and their widths.

        Columns are cut to their least width before those of the highest rank are dropped.
        """
        columns = list(self.columns)
        while _total(map(self._least, columns)) > width:
            expendable = [c for c in columns if c.rank]
            if not expendable:
                break
            columns.remove(max(expendable, key=lambda c: c.rank))
        room = width - _total(map(self._least, columns))
        fitted = []
        for column in columns:
            more = min(self._natural(column) - self._least(column), max(room, 0))
            room -= more
            fitted.append((column, self._least(column) + more))
        return fitted

    def _least(self, column: Column) -> int:
        natural = self._natural(column)
        return natural if column.least is None else min(natural, column.least)

    def _natural(self, column: Column) -> int:
        longest = max((len(line(row.get(column.key, ""))) for row in self.rows), default=0)
        return max(len(line(column.title)), min(longest, column.most))


def _total(widths: Iterable[int]) -> int:
    """Return the width of columns with two spaces between them."""
    all_widths = list(widths)
    return sum(all_widths) + 2 * (len(all_widths) - 1)


@dataclass(frozen=True, slots=True)
class Output:
    """Standard output as it is today: a terminal of a width, or a pipe."""

    stream: TextIO
    format: str
    is_terminal: bool
    has_colour: bool
    width: int

    @property
    def is_live(self) -> bool:
        """True where a picture may be drawn again in place; NO_COLOR turns that off, too."""
        return self.is_terminal and self.has_colour

    def data(self, command: str, content: Mapping[str, Any]) -> None:
        """Print plain data as JSON or YAML, marked with its schema."""
        document = {"schema": f"tunekit.{command}/1", **content}
        if self.format == "yaml":
            from tunekit.spec import to_yaml

            text = to_yaml(document, is_unicode=self._is_unicode())
            self.stream.write(to_yaml(document, is_unicode=False) if has_unsafe(text) else text)
            return
        self.stream.write(escaped(_json(document, is_ascii=not self._is_unicode())) + "\n")

    def csv(self, rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> None:
        """Print rows as CSV (RFC 4180); text that a spreadsheet would run is quoted with a '."""
        writer = csv.writer(self.stream, lineterminator="\n")
        writer.writerow([_harmless(field) for field in fields])
        writer.writerows([_harmless(row.get(field)) for field in fields] for row in rows)

    def table(self, table: Table) -> None:
        """Print a table: by rich on a terminal, in plain columns elsewhere."""
        if self.is_terminal:
            self.console().print(rich_table(table, self.width))
            return
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
        cells = [[line(column.title) for column in table.columns]]
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

    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    columns = table.fitting(width)
    for column, room in columns:
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        drawn.add_column(Text(line(column.title)), justify=justify, no_wrap=True, width=room)
    if table.more:
        drawn.caption = Text(clean(table.more), style="dim")
        drawn.caption_justify = "left"
    for row in table.rows:
        drawn.add_row(*(Text(*_cell(row.get(c.key, ""), c, room)) for c, room in columns))
    return drawn


def _cell(text: str, column: Column, room: int) -> tuple[str, str]:
    style = STATE_STYLES.get(text.split(" ")[0], "") if column.key == "state" else ""
    return shortened(line(text), room), style


def _json(document: Mapping[str, Any], *, is_ascii: bool) -> str:
    """Return JSON, indented; of a long list every item on one line.

    Python indents JSON at a fifth of the speed at which it writes it.
    """
    fields = []
    for key, value in document.items():
        if isinstance(value, list) and len(value) > _MOST_INDENTED:
            items = ",\n    ".join(json.dumps(item, ensure_ascii=is_ascii) for item in value)
            text = f"[\n    {items}\n  ]"
        else:
            text = json.dumps(value, indent=2, ensure_ascii=is_ascii).replace("\n", "\n  ")
        fields.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        shown = line(value)
        return "'" + shown if shown.startswith(("=", "+", "-", "@")) else shown
    return value
