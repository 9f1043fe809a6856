"""From rows to examples, as a chain of generators; rows in another order wait in a file.

The order of stages: filter, dedupe, take, shuffle, split, render.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, pairwise
from operator import lt
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

from tunekit.dataset.assign import grouped, stratified
from tunekit.dataset.checks import column_problems, parsed_prompt, spec_problems
from tunekit.dataset.expression import Filter, Unorderable, parse_filter
from tunekit.dataset.opening import open_source
from tunekit.dataset.rows import (
    BadRow,
    ManyRenderer,
    PlainRowsOnly,
    Renderer,
    fast_renderer,
    renderer,
    text_of,
)
from tunekit.dataset.sources import BadSource, Reader, Row
from tunekit.dataset.spill import reordered
from tunekit.dataset.split import cut, is_shares, shortage, shuffled
from tunekit.errors import DataError, SpecError
from tunekit.model import DatasetSpec, Example, Experiment, Location, Problem, Turn, placed

# How many rows are rendered at once: more take longer, for memory is then fetched and given back.
BATCH_ROWS = 32


class Batch(NamedTuple):
    """Some rows of one split in order: rendered, and as the source has them."""

    split: str
    examples: list[Example]
    rows: list[Mapping[str, Any]]


@dataclass(frozen=True)
class Pipeline:
    """A data set's stages, for one use: it counts the rows once and believes the number.

    Rows are numbered from 0, after filter, dedupe and take.
    """

    experiment: Experiment
    reader: Reader
    render: Renderer
    render_many: ManyRenderer | None

    @classmethod
    def of(cls, experiment: Experiment, *, root: Path) -> Pipeline:
        """Return the pipeline; SpecError if the spec is wrong, DataError if the source is."""
        if problems := spec_problems(experiment):
            raise SpecError(problems)
        reader = open_source(experiment, root=root)
        if problems := column_problems(experiment, reader):
            raise DataError("\n".join(map(str, problems)))
        template = parsed_prompt(experiment)[0]
        fast = fast_renderer(experiment, template)
        return cls(experiment, reader, renderer(experiment, template), fast)

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
        """Raise DataError if `available` rows can't fill the split; a filter may have left none."""
        if not available and self._spec.filter is not None:
            fact = f"dataset.filter leaves none of the rows of {self.reader.name}"
            none = Problem(fact, "write one that rows meet: text is compared as it is written")
            raise _located(none, self.experiment.at("dataset.filter"))
        if problem := shortage(self._spec.split, available, self.reader.name):
            raise _located(problem, self.experiment.at("dataset.split"))

    def batches(
        self, splits: Mapping[str, Sequence[int]], *, with_rows: bool = False
    ) -> Iterator[Batch]:
        """Yield the examples of splits, one split after the other, as far as the source has them.

        Where `with_rows` is false, a batch may have none of the source's. DataError at the first
        bad row, not before the batches ahead of it.
        """
        order = _one_order(list(splits.values()))
        sizes = {split: len(part) for split, part in splits.items()}
        if isinstance(order, range):
            return self._in_order(islice(self._kept(), order.start, order.stop), sizes)
        if all(map(lt, order, islice(order, 1, None))):
            return self._in_order(_picked(self._kept(), order), sizes)
        return self._reordered(order, sizes, with_rows=with_rows)

    def _in_order(self, rows: Iterator[Row], sizes: Mapping[str, int]) -> Iterator[Batch]:
        for split, size in sizes.items():
            for some in batched(islice(rows, size), BATCH_ROWS):
                yield Batch(split, self._examples(some), [values for _, values, _ in some])

    def _reordered(
        self, order: Sequence[int], sizes: Mapping[str, int], *, with_rows: bool
    ) -> Iterator[Batch]:
        wanted = bytearray(max(order) + 1)
        for number in order:
            wanted[number] = True
        stored = reordered(self._stored(wanted, with_rows=with_rows), order)
        del order
        for split, size in sizes.items():
            for some in batched(islice(stored, size), BATCH_ROWS):
                yield Batch(split, [_restored(fields) for fields, _ in some], [r for _, r in some])

    def _stored(self, wanted: bytearray, *, with_rows: bool) -> Iterator[Any]:
        """Yield each row's example as plain tuples, quicker to store; None of unwanted rows."""
        for some in batched(zip(self._kept(), wanted, strict=False), BATCH_ROWS):
            examples = iter(self._examples([row for row, use in some if use]))
            for row, use in some:
                yield (_plain(next(examples)), row.values if with_rows else {}) if use else None

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
            example = self._example(row)
            return f"{example.prompt}\0{example.beyond.hex()}" if example.beyond else example.prompt
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

    def _examples(self, rows: Sequence[Row]) -> list[Example]:
        if self.render_many:
            with suppress(PlainRowsOnly):
                return self.render_many(rows)
        return [self._example(row) for row in rows]


T = TypeVar("T")


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter; what ends `items` is raised after it."""
    while True:
        batch: list[T] = []
        try:
            batch.extend(islice(items, size))
        except Exception:
            if batch:  # `extend` keeps what came before
                yield batch
            raise
        if not batch:
            return
        yield batch


def _plain(example: Example) -> tuple[Any, ...]:
    turns = tuple([tuple(turn) for turn in example.turns])
    return (*example[:5], turns, example.raw, example.beyond)


def _restored(fields: Any) -> Example:
    example = Example(*fields)
    if example.turns:
        example = example._replace(turns=tuple(Turn(*turn) for turn in example.turns))
    return example


def _one_order(splits: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the numbers of all splits: a range if they follow each other without a gap."""
    ranges = [part for part in splits if isinstance(part, range)]
    follows = all(one.stop == other.start for one, other in pairwise(ranges))
    if len(ranges) == len(splits) and follows:
        return range(ranges[0].start, ranges[-1].stop)
    return splits[0] if len(splits) == 1 else array("I", chain.from_iterable(splits))


def _picked(rows: Iterator[Row], numbers: Sequence[int]) -> Iterator[Row]:
    """Yield the rows of ascending numbers."""
    at = 0
    for number in numbers:
        yield from islice(rows, number - at, number - at + 1)
        at = number + 1


def _located(problem: Problem, where: Location) -> BadSource:
    return BadSource(Problem(problem.fact, problem.remedy, where))
