"""What checks share: some rows of one split at a time, and the tally of what was found in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from tunekit.dataset.preflight.rules import RULES
from tunekit.model import Finding, Location

MOST_NAMED = 5


@dataclass(frozen=True)
class Batch:
    """Some rows of one split, by column; `rejected` is empty where there is one answer a row.

    `inputs` are what was filled into the prompt. `texts` tell one row from another: of ready-made
    rows, the last turn of the user. `sources` are what an unchanged copy would answer with.
    `beyond` tells what a row holds that is no text, empty where it is all text.
    """

    split: str
    lines: Sequence[int]
    prompts: Sequence[str]
    inputs: Sequence[str]
    texts: Sequence[str]
    sources: Sequence[str]
    responses: Sequence[str]
    rejected: Sequence[str]
    raws: Sequence[Mapping[str, Any]]
    beyond: Sequence[bytes]

    @cached_property
    def source_bytes(self) -> list[bytes]:
        """Return the sources as UTF-8."""
        return list(map(str.encode, self.sources))

    @cached_property
    def text_bytes(self) -> list[bytes]:
        """Return the texts as UTF-8."""
        return self._encoded(self.texts)

    @cached_property
    def response_bytes(self) -> list[bytes]:
        """Return the answers as UTF-8."""
        return list(map(str.encode, self.responses))

    @cached_property
    def parts(self) -> list[tuple[str, Sequence[str], bytes]]:
        """Return name, texts and joined UTF-8 of inputs and answers: one search looks at all."""
        found = [
            ("prompt", self.inputs, b"\n".join(self._encoded(self.inputs))),
            ("answer", self.responses, b"\n".join(self.response_bytes)),
        ]
        if self.rejected:
            found.append(("answer", self.rejected, "\n".join(self.rejected).encode()))
        return found

    def _encoded(self, texts: Sequence[str]) -> list[bytes]:
        # Most often they are the sources too.
        return self.source_bytes if texts is self.sources else list(map(str.encode, texts))


class Check(Protocol):
    """One kind of check: it takes rows in order and may say the rest at the end."""

    def take(self, batch: Batch, tally: Tally) -> None:
        """Look at some rows."""

    def finish(self, tally: Tally) -> None:
        """Say what only all rows together show."""


@dataclass(slots=True)
class _Rows:
    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """Findings in the making: rows by rule, split and what of them is said."""

    _found: dict[tuple[str, str, str], _Rows] = field(default_factory=dict)

    def add(self, rule: str, split: str, fact: str, line: int) -> None:
        """Count one row; `fact` follows `3 train rows` and says the same of each."""
        rows = self._found.setdefault((rule, split, fact), _Rows())
        if rows.count and line == rows.lines[-1]:
            return  # several columns or values of one row
        rows.count += 1
        if len(rows.lines) < MOST_NAMED:
            rows.lines.append(line)

    def add_many(self, rule: str, split: str, fact: str, lines: Iterable[int]) -> None:
        """Count rows, each once."""
        for line in lines:
            self.add(rule, split, fact, line)

    def raise_to(self, rule: str, split: str, fact: str, count: int) -> None:
        """Set how many rows there are, where only the first ones were added."""
        self._found[rule, split, fact].count = count

    def findings(self, place: Callable[[str, int], Location]) -> list[Finding]:
        """Return them by gravity and first row; `place` tells where a line of a split is."""
        found = [
            _finding(rule, split, rows, fact, [place(split, line) for line in rows.lines])
            for (rule, split, fact), rows in self._found.items()
        ]
        order = list(RULES)
        return sorted(found, key=lambda f: (f.severity.value, order.index(f.rule), f.split, f.row))


def _finding(rule: str, split: str, rows: _Rows, fact: str, places: Sequence[Location]) -> Finding:
    noun = "row" if rows.count == 1 else "rows"
    of_split = f"{split} " if split else ""
    return Finding(
        severity=RULES[rule].severity,
        rule=rule,
        where=places[0],
        row=places[0].line,
        fact=f"{rows.count:,} {of_split}{noun} {fact} ({named(places, rows.count)})",
        remedy=RULES[rule].remedy,
        split=split,
        count=rows.count,
        places=tuple(map(str, places)),
    )


def named(places: Sequence[Location], count: int) -> str:
    """Return `line 4`, or `lines 4, 9 and 12 more`; with their files where these are several."""
    more = f" and {count - len(places):,} more" if count > len(places) else ""
    if len({place.path for place in places}) > 1:
        return f"{', '.join(map(str, places))}{more}"
    lines = ", ".join(str(place.line) for place in places)
    return f"{'line' if count == 1 else 'lines'} {lines}{more}"
