"""Which rows a table shows, and in which order: --sort, --since, --state and -l."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from tunekit.cli.labels import has_labels

_SPANS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


@dataclass(frozen=True, slots=True)
class Since:
    """A moment that rows must not be older than: so many seconds ago, or since the epoch, UTC."""

    ago_s: float | None = None
    at_s: float = 0.0

    def starts_s(self, now_s: float) -> float:
        """Return the moment itself, in seconds since the epoch."""
        return self.at_s if self.ago_s is None else now_s - self.ago_s


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by; its largest values first where `is_descending`."""

    key: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the flags ask of a table; without any, every row stays where it is."""

    sort: tuple[SortKey, ...] = ()
    since: Since | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    states: frozenset[str] = frozenset()

    @property
    def is_asked(self) -> bool:
        """True where any flag was given."""
        return self != Narrowing()

    def rows(
        self, rows: Iterable[Mapping[str, Any]], *, now_s: float, at: str = "submitted_s"
    ) -> list[Mapping[str, Any]]:
        """Return the rows that are asked for, in the order that is asked for.

        `at` is the key of a row's moment, in seconds since the epoch; `state` and `tags` are read
        where a flag asks for them.
        """
        starts_s = None if self.since is None else self.since.starts_s(now_s)
        kept = [row for row in rows if self._keeps(row, starts_s, at)]
        # Sorting is stable, so the last key goes first.
        for by in reversed(self.sort):
            kept = _sorted(kept, by)
        return kept

    def _keeps(self, row: Mapping[str, Any], starts_s: float | None, at: str) -> bool:
        if self.states and row.get("state") not in self.states:
            return False
        if starts_s is not None and (row.get(at) is None or row[at] < starts_s):
            return False
        return not self.tags or has_labels(row.get("tags") or {}, self.tags)


def _sorted(rows: Sequence[Mapping[str, Any]], by: SortKey) -> list[Mapping[str, Any]]:
    """Return rows by one key; those that have nothing there come last in either order."""
    known = [row for row in rows if not _is_missing(row.get(by.key))]
    missing = [row for row in rows if _is_missing(row.get(by.key))]
    # reverse=True keeps rows that are equal in their order, too.
    return [*sorted(known, key=lambda row: _rank(row[by.key]), reverse=by.is_descending), *missing]


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _rank(value: Any) -> tuple[int, float, str]:
    """Return what numbers and words may be compared by: numbers come first."""
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, str(value).casefold()


class SinceType(click.ParamType[Since | None]):
    """`7d`, `12h`, `2026-11-01`, `2026-11-01T09:30+02:00`; UTC where no offset is given."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Since | None:
        if value is None or isinstance(value, Since):
            return value
        if found := _SPAN.fullmatch(value.strip()):
            return Since(ago_s=float(found[1]) * _SPANS_S[found[2]])
        from datetime import UTC, datetime

        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r}: write it as 7d, 12h, 30m or 2026-11-01", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Since(at_s=moment.timestamp())


class SortType(click.ParamType[SortKey]):
    """A column's key, or `-key` for its largest values first."""

    name = "key"

    def __init__(self, keys: Collection[str]) -> None:
        self.keys = tuple(keys)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SortKey:
        if isinstance(value, SortKey):
            return value
        key = value.removeprefix("-")
        if key not in self.keys:
            import difflib

            near = difflib.get_close_matches(key, self.keys, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(self.keys)}"
            self.fail(f"no column {key!r}; {hint}", param, ctx)
        return SortKey(key, is_descending=value.startswith("-"))
