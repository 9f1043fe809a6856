"""Values that are there but hold nothing, or are now of one type and now of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import compress

from tunekit.dataset.preflight.batch import MOST_NAMED, Batch, Tally

# How programs write a missing value; a column of labels may really have one of them.
_NULLS = frozenset(
    {"nan", "NaN", "None", "null", "NULL", "<NA>", "NaT", "undefined", "#N/A", "\\N"}
)
_LONGEST_NULL = max(map(len, _NULLS))


class Blanks:
    """Inputs and answers of nothing but white space, and missing values written as text."""

    def __init__(self, columns: Sequence[str] | None) -> None:
        # The columns that the prompt is made of; None where rows are conversations or ready-made.
        self._columns = columns

    def take(self, batch: Batch, tally: Tally) -> None:
        for answers in (batch.responses, batch.rejected):
            if not all(map(str.strip, answers)):
                tally.add_many(
                    *("empty-answer", batch.split, "with an empty answer"),
                    (n for n, text in zip(batch.lines, answers, strict=True) if not text.strip()),
                )
            if _has_null(answers):
                tally.add_many(
                    *("null-text", batch.split, "with an answer such as nan or None"),
                    (n for n, text in zip(batch.lines, answers, strict=True) if text in _NULLS),
                )
        if self._columns is None:
            # An image or the answer of a function may well come without a word.
            plain = [not more for more in batch.beyond]
            lines = list(compress(batch.lines, plain))
            self._inputs(batch.split, lines, list(compress(batch.texts, plain)), tally)
        elif len(self._columns) == 1:
            self._inputs(batch.split, batch.lines, batch.texts, tally)
        elif self._columns:
            self._several(batch, self._columns, tally)

    def finish(self, tally: Tally) -> None:
        pass

    def _inputs(self, split: str, lines: Sequence[int], texts: Sequence[str], tally: Tally) -> None:
        if not all(map(str.strip, texts)):
            blank = (n for n, text in zip(lines, texts, strict=True) if not text.strip())
            tally.add_many("empty-input", split, "with an empty input", blank)
        if _has_null(texts):
            null = (n for n, text in zip(lines, texts, strict=True) if text in _NULLS)
            tally.add_many("null-text", split, "with an input such as nan or None", null)

    def _several(self, batch: Batch, columns: Sequence[str], tally: Tally) -> None:
        for line, raw in zip(batch.lines, batch.raws, strict=True):
            blank = [c for c in columns if isinstance(v := raw[c], str) and not v.strip()]
            if len(blank) == len(columns):
                tally.add("empty-input", batch.split, "with an empty input", line)
            else:
                for column in blank:
                    fact = f"with an empty column {column!r}"
                    tally.add("empty-value", batch.split, fact, line)


def _has_null(texts: Sequence[str]) -> bool:
    # To look for a text takes its hash; most are longer than any of these.
    shortest = min(map(len, texts), default=_LONGEST_NULL + 1)
    return shortest <= _LONGEST_NULL and not _NULLS.isdisjoint(texts)


class Types:
    """Columns of which some rows hold text and others numbers."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._counts: dict[str, Counter[type]] = {column: Counter() for column in columns}
        self._first: dict[tuple[str, type], list[tuple[str, int]]] = {}

    def take(self, batch: Batch, tally: Tally) -> None:
        for column in self._columns:
            types = [type(raw[column]) for raw in batch.raws]
            # Most columns hold one type; to ask that is far cheaper than to count.
            if types.count(types[0]) == len(types):
                new = Counter({types[0]: len(types)})
            else:
                new = Counter(types)
            self._counts[column].update(new)
            for kind in new:
                first = self._first.setdefault((column, kind), [])
                if len(first) < MOST_NAMED:
                    first += [
                        (batch.split, line)
                        for line, found in zip(batch.lines, types, strict=True)
                        if found is kind
                    ][: MOST_NAMED - len(first)]

    def finish(self, tally: Tally) -> None:
        for column, counts in self._counts.items():
            # An int among floats is the same number; true among numbers is not.
            kinds = {float if kind is int else kind for kind in counts}
            if len(kinds) < 2:
                continue
            rare = min(counts, key=lambda kind: counts[kind])
            word = {str: "text", bool: "true or false"}.get(rare, "a number")
            fact = f"with {word} in column {column!r}, unlike others"
            for split, line in self._first[column, rare]:
                tally.add("mixed-types", split, fact, line)
            tally.raise_to("mixed-types", self._first[column, rare][0][0], fact, counts[rare])
