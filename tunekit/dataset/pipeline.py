"""From rows to examples, as a chain of generators; rows in another order wait in a file.

The order of stages: filter, dedupe, take, shuffle, split, render.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, pairwise
from operator import lt
from pathlib import Path
from random import Random
from typing import Any

from tunekit.dataset.assign import grouped, stratified
from tunekit.dataset.checks import column_problems, parsed_prompt, spec_problems
from tunekit.dataset.expression import Filter, Unorderable, parse_filter
from tunekit.dataset.opening import open_source
from tunekit.dataset.rows import BadRow, Renderer, renderer, text_of
from tunekit.dataset.sources import BadSource, Reader, Row
from tunekit.dataset.spill import reordered
from tunekit.dataset.split import cut, is_shares, shortage, shuffled
from tunekit.errors import DataError, SpecError
from tunekit.model import DatasetSpec, Example, Experiment, Location, Problem, Turn, placed

Pair = tuple[Example, Mapping[str, Any]]


@dataclass(frozen=True)
class Pipeline:
    """A data set's stages, for one use: it counts the rows once and believes the number.

    Rows are numbered from 0, after filter, dedupe and take.
    """

    experiment: Experiment
    reader: Reader
    render: Renderer

    @classmethod
    def of(cls, experiment: Experiment, *, root: Path) -> Pipeline:
        """Return the pipeline; SpecError if the spec is wrong, DataError if the source is."""
        if problems := spec_problems(experiment):
            raise SpecError(problems)
        reader = open_source(experiment, root=root)
        if problems := column_problems(experiment, reader):
            raise DataError("\n".join(map(str, problems)))
        return cls(experiment, reader, renderer(experiment, parsed_prompt(experiment)[0]))

    def splits(self) -> dict[str, Sequence[int]]:
        """Return the numbers of each split's rows, in their order; DataError if rows are too few.

        Looks at the rows only where their number or a column decides.
        """
        spec = self._spec
        by_column = spec.stratify or spec.group
        if spec.shuffle_seed is None and by_column is None and not is_shares(spec.split):
            return dict(cut(spec.split, available=0))
        self.refuse_shortage(self._available)
        parts = cut(spec.split, self._available)
        if by_column is not None:
            return self._split_by_column(by_column, {name: len(p) for name, p in parts.items()})
        if spec.shuffle_seed is None:
            return dict(parts)
        order = shuffled(self._available, spec.shuffle_seed)
        return {name: order[part.start : part.stop] for name, part in parts.items()}

    def refuse_shortage(self, available: int) -> None:
        """Raise DataError if `available` rows can't fill the split."""
        if problem := shortage(self._spec.split, available, self.reader.name):
            raise _located(problem, self.experiment.at("dataset.split"))

    def pairs(self, splits: Sequence[Sequence[int]], *, with_rows: bool) -> Iterator[Pair]:
        """Yield the examples of splits, one split after the other, as far as the source has them.

        Each comes with its source's row, or an empty mapping. DataError at the first bad row.
        """
        if numbers := _one_range(splits):
            return self._pairs(islice(self._kept(), numbers.start, numbers.stop))
        order = splits[0] if len(splits) == 1 else list(chain.from_iterable(splits))
        if all(map(lt, order, islice(order, 1, None))):
            return self._pairs(_picked(self._kept(), order))
        wanted = bytearray(max(order) + 1)
        for number in order:
            wanted[number] = True
        found = zip(self._kept(), wanted, strict=False)
        pairs = (self._plain_pair(row, with_rows=with_rows) if use else None for row, use in found)
        return map(_as_pair, reordered(pairs, order))

    def place(self, line: int) -> Location:
        """Return where a row is that was read."""
        return placed(line, self.reader.files(), source=self.reader.name)

    @property
    def _spec(self) -> DatasetSpec:
        return self.experiment.dataset

    @cached_property
    def _available(self) -> int:
        """How many rows filter, dedupe and take leave; one pass over the source."""
        if self._spec.filter is None and self._spec.dedupe is None:
            return self.reader.count(self._spec.take)
        return sum(1 for _ in self._kept())

    def _kept(self) -> Iterator[Row]:
        """Yield the rows that filter, dedupe and take leave."""
        rows = self.reader.rows()
        if self._spec.filter is not None:
            rows = self._filtered(rows)
        if self._spec.dedupe is not None:
            rows = self._distinct(rows)
        return rows if self._spec.take is None else islice(rows, self._spec.take)

    def _filtered(self, rows: Iterator[Row]) -> Iterator[Row]:
        parsed = parse_filter(self._spec.filter or "")
        assert isinstance(parsed, Filter)  # noqa: S101 - `spec_problems` has parsed it
        keeps = parsed.keeps
        for row in rows:
            try:
                is_kept = keeps(row.values)
            except Unorderable as error:
                remedy = "mend the row, or leave it out with `is empty` or =="
                raise BadRow(error.fact, remedy).at(self.place(row.line)) from None
            if is_kept:
                yield row

    def _distinct(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the first of rows that are the same by `dedupe`; 16 bytes and a set's slot each."""
        seen: set[bytes] = set()
        for row in rows:
            key = hashlib.blake2b(self._identity(row).encode(), digest_size=16).digest()
            if key not in seen:
                seen.add(key)
                yield row

    def _identity(self, row: Row) -> str:
        if isinstance(self._spec.dedupe, str):
            return self._example(row).prompt
        texts = [self._text(row, column) for column in self._spec.dedupe or ()]
        return texts[0] if len(texts) == 1 else "".join(f"{len(text)}:{text}" for text in texts)

    def _split_by_column(self, column: str, sizes: Mapping[str, int]) -> dict[str, Sequence[int]]:
        spec = self._spec
        known: dict[str, int] = {}
        codes = array("L")
        for row in self._kept():
            codes.append(known.setdefault(self._text(row, column), len(known)))
        seed = spec.shuffle_seed
        order = range(len(codes)) if seed is None else shuffled(len(codes), seed)
        if spec.stratify is not None:
            return dict(stratified(codes, order, sizes))
        groups = list(range(len(known)))
        if seed is not None:
            Random(seed).shuffle(groups)  # noqa: S311 - an order, not a secret
        is_exact = not is_shares(spec.split)
        found = grouped(codes, order, sizes, groups=groups, is_exact=is_exact)
        for name, rows in found.items():
            if not rows or (is_exact and len(rows) < sizes[name]):
                fact = (
                    f"dataset.split.{name} gets {len(rows)} of {sizes[name]} rows, for the rows of "
                    f"a {column!r} stay together"
                )
                problem = Problem(fact, f"lower the split, or add rows of another {column!r}")
                raise _located(problem, self.experiment.at(f"dataset.split.{name}"))
        return dict(found)

    def _text(self, row: Row, column: str) -> str:
        try:
            return text_of(row.values, column)
        except BadRow as bad:
            raise bad.at(self.place(row.line)) from None

    def _example(self, row: Row) -> Example:
        try:
            return self.render(row)
        except BadRow as bad:
            raise bad.at(self.place(row.line)) from None

    def _pairs(self, rows: Iterator[Row]) -> Iterator[Pair]:
        render = self.render
        for row in rows:
            try:
                example = render(row)
            except BadRow as bad:
                raise bad.at(self.place(row.line)) from None
            yield example, row.values

    def _plain_pair(self, row: Row, *, with_rows: bool) -> tuple[Any, ...]:
        """Return a pair as plain tuples, which are stored in less time."""
        example = self._example(row)
        turns = tuple([tuple(turn) for turn in example.turns])
        return (*example[:5], turns, example.raw), row.values if with_rows else {}


def _as_pair(stored: Any) -> Pair:
    fields, values = stored
    example = Example(*fields)
    if example.turns:
        example = example._replace(turns=tuple(Turn(*turn) for turn in example.turns))
    return example, values


def _one_range(splits: Sequence[Sequence[int]]) -> range | None:
    """Return the numbers of splits that follow each other without a gap; None for others."""
    ranges = [part for part in splits if isinstance(part, range)]
    follows = all(one.stop == other.start for one, other in pairwise(ranges))
    if len(ranges) < len(splits) or not follows:
        return None
    return range(ranges[0].start, ranges[-1].stop)


def _picked(rows: Iterator[Row], numbers: Sequence[int]) -> Iterator[Row]:
    """Yield the rows of ascending numbers."""
    at = 0
    for number in numbers:
        yield from islice(rows, number - at, number - at + 1)
        at = number + 1


def _located(problem: Problem, where: Location) -> BadSource:
    return BadSource(Problem(problem.fact, problem.remedy, where))
