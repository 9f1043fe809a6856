"""From rows to examples, as a chain of generators; nothing is held unless a shuffle needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tunekit.dataset.checks import (
    answers_of,
    column_problems,
    open_source,
    parsed_prompt,
    spec_problems,
)
from tunekit.dataset.sources import BadSource, Reader, Row
from tunekit.dataset.split import cut, is_shares, shortage, shuffled
from tunekit.dataset.template import Template
from tunekit.errors import DataError, SpecError
from tunekit.model import Example, Experiment, Location, Problem

INPUT = "input"

_NUMBERS = json.JSONEncoder(allow_nan=False)


class _Texts(NamedTuple):
    """What is kept of a row until it is rendered: the values of the prompt's placeholders."""

    line: int
    values: tuple[str, ...]
    response: str
    source: str | None
    rejected: str | None
    values_by_column: Mapping[str, Any]


@dataclass(frozen=True)
class Pipeline:
    """A data set's stages, for one use: it counts the rows once and believes the number."""

    experiment: Experiment
    reader: Reader
    template: Template

    @classmethod
    def of(cls, experiment: Experiment, *, root: Path) -> Pipeline:
        """Return the pipeline; SpecError if the spec is wrong, DataError if the source is."""
        if problems := spec_problems(experiment):
            raise SpecError(problems)
        reader = open_source(experiment, root=root)
        if problems := column_problems(experiment, reader):
            raise DataError("\n".join(map(str, problems)))
        return cls(experiment, reader, parsed_prompt(experiment)[0])

    def splits(self) -> dict[str, range]:
        """Return each split's positions after take and shuffle; DataError if rows are too few.

        Counts the rows only where their number matters before they are read.
        """
        spec = self.experiment.dataset
        if spec.shuffle_seed is None and not is_shares(spec.split):
            return cut(spec.split, available=0)
        self.refuse_shortage(self._available)
        return cut(spec.split, self._available)

    def refuse_shortage(self, available: int) -> None:
        """Raise DataError if `available` rows can't fill the split."""
        if problem := shortage(self.experiment.dataset.split, available, self.reader.name):
            raise _located(problem, self.experiment.at("dataset.split"))

    def examples(self, positions: range) -> Iterator[Example]:
        """Yield the examples at `positions` as `pairs` does."""
        return (example for example, _ in self.pairs(positions))

    def pairs(self, positions: range) -> Iterator[tuple[Example, Mapping[str, Any]]]:
        """Yield the examples at `positions` of the shuffled rows, each with its source's row.

        They are fewer if the source ends before. DataError at the first bad row among them.
        """
        spec = self.experiment.dataset
        rows = islice(self.reader.rows(), spec.take)
        if spec.shuffle_seed is None:
            texts: Iterator[_Texts] = map(
                self._texts, islice(rows, positions.start, positions.stop)
            )
        else:
            order = shuffled(self._available, spec.shuffle_seed)
            texts = self._reordered(rows, order[positions.start : positions.stop])
        return ((self._rendered(found), found.values_by_column) for found in texts)

    @cached_property
    def _available(self) -> int:
        """How many rows `take` leaves; one pass over the source."""
        return self.reader.count(self.experiment.dataset.take)

    @cached_property
    def _answers(self) -> tuple[str, ...]:
        return answers_of(self.experiment)

    def _reordered(self, rows: Iterator[Row], order: list[int]) -> Iterator[_Texts]:
        """Yield the rows numbered by `order`; holds these in memory, and no others."""
        slots = {number: slot for slot, number in enumerate(order)}
        kept: list[_Texts | None] = [None] * len(order)
        for number, row in enumerate(rows):
            slot = slots.get(number)
            if slot is not None:
                kept[slot] = self._texts(row)
        # A row is absent only if the file shrank after it was counted.
        yield from (texts for texts in kept if texts is not None)

    def _texts(self, row: Row) -> _Texts:
        columns = self.experiment.dataset.columns
        values = tuple([self._text(row, columns[name]) for name in self.template.names])
        response, *others = [self._text(row, columns[name]) for name in self._answers]
        if response in others:
            one, other = (columns[name] for name in self._answers)
            fact = f"columns {one!r} and {other!r} hold the same text, so neither is the better"
            raise self._bad_row(row, fact, "mend or remove the row")
        if INPUT in columns:
            source: str | None = self._text(row, columns[INPUT])
        else:
            source = values[0] if len(set(self.template.names)) == 1 else None
        rejected = others[0] if others else None
        return _Texts(row.line, values, response, source, rejected, row.values)

    def _rendered(self, texts: _Texts) -> Example:
        prompt = self.template.render(texts.values)
        source = prompt if texts.source is None else texts.source
        return Example(prompt, texts.response, source, texts.line, texts.rejected)

    def _text(self, row: Row, column: str) -> str:
        """Return a value as text: strings as they are, numbers and booleans as JSON writes them."""
        value = row.values.get(column)
        if type(value) is str:
            if not value.isascii() and _has_lone_surrogate(value):
                fact = f"column {column!r} holds half a surrogate pair, which is no character"
                raise self._bad_row(row, fact, "mend or remove the row")
            return value
        return self._plain(row, column, value)

    def _plain(self, row: Row, column: str, value: Any) -> str:
        match value:
            case None:
                fact = (
                    f"column {column!r} is null"
                    if column in row.values
                    else f"column {column!r} is missing"
                )
                raise self._bad_row(row, fact, "give it a value or remove the row")
            case bool() | int() | float():
                try:
                    return _NUMBERS.encode(value)
                except ValueError:  # 1e999 is valid JSON and infinite in Python
                    fact = f"column {column!r} holds a number too large to write"
                    raise self._bad_row(row, fact, "write it as a string") from None
            case Mapping():
                kind = "an object"
            case _:
                kind = "a list"
        fact = f"column {column!r} holds {kind}"
        raise self._bad_row(row, fact, "a value must be a string, a number or true or false")

    def _bad_row(self, row: Row, fact: str, remedy: str) -> BadSource:
        return _located(Problem(fact, remedy), Location(self.reader.name, row.line))


def _located(problem: Problem, where: Location) -> BadSource:
    return BadSource(Problem(problem.fact, problem.remedy, where))


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
