"""What is kept of an answered row, and how metrics are made of many.

A facet keeps plain data of one row: numbers, a hash, never text. From the kept data of all rows it
makes a table, whose metrics can be computed for any weights of the rows: all ones give the score,
resampled counts give its interval.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tunekit.errors import DataError
from tunekit.evaluate import masking
from tunekit.evaluate.textscores import TEXT_SCORES
from tunekit.model import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Weights: samples x rows. A metric's values: one a sample.
    Weights = NDArray[np.float64]
    Values = NDArray[np.float64]

# Kinds of placeholder that a model made up count together, for its own words are not kept.
OTHER = "(other)"
# A task with more different answers, or longer ones, is not one of classes.
_MOST_LABELS = 1000
_LONGEST_LABEL = 200


class Table(Protocol):
    """The kept data of many rows, ready for arithmetic."""

    def values(self, weights: Weights) -> dict[str, Values]:
        """Return each metric for each sample of weights."""
        ...


class Facet(Protocol):
    """One look at an answer, enough for one or more metrics."""

    @property
    def key(self) -> str:
        """Its name in a row's record."""
        ...

    def keep(self, example: Example, answered: str) -> Any:
        """Return what to keep of a row: plain data without text."""
        ...

    def table(self, kept: Sequence[Any], examples: Sequence[Example]) -> Table:
        """Return the table of many rows."""
        ...


# --- means --------------------------------------------------------------------------------------

Score = Callable[[str, str, str], float]


@dataclass(frozen=True, slots=True)
class Mean:
    """A number a row, and its mean."""

    key: str
    score: Score  # expected, answered, source

    def keep(self, example: Example, answered: str) -> float:
        return self.score(example.response, answered, example.source)

    def table(self, kept: Sequence[float], examples: Sequence[Example]) -> MeanTable:
        import numpy as np

        return MeanTable(self.key, np.asarray(kept, dtype=float))


def text_facet(name: str) -> Mean:
    """Return the facet of a metric that compares two texts."""
    score = TEXT_SCORES[name]
    return Mean(name, lambda expected, answered, _: score(expected, answered))


@dataclass(frozen=True, slots=True)
class MeanTable:
    key: str
    numbers: Values

    def values(self, weights: Weights) -> dict[str, Values]:
        return {self.key: (weights @ self.numbers) / weights.sum(axis=1)}


# --- classes ------------------------------------------------------------------------------------


def label_mark(text: str) -> str:
    """Return a short hash of a label: 16 hexadecimal digits."""
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Labels:
    """Answers as classes: those that are expected anywhere in the rows, and no label at all."""

    key: str = "answer"

    def keep(self, example: Example, answered: str) -> str:
        return label_mark(answered)

    def table(self, kept: Sequence[str], examples: Sequence[Example]) -> LabelTable:
        import numpy as np

        labels = sorted({example.response.strip() for example in examples})
        place = {label_mark(label): number for number, label in enumerate(labels)}
        number_of = {label: number for number, label in enumerate(labels)}
        return LabelTable(
            labels=tuple(labels),
            expected=np.asarray([number_of[e.response.strip()] for e in examples]),
            answered=np.asarray([place.get(mark, len(labels)) for mark in kept]),
        )


def label_fault(examples: Iterable[Example]) -> str | None:
    """Say why the expected answers are no labels, None where they may be."""
    labels = {example.response.strip() for example in examples}
    if len(labels) > _MOST_LABELS:
        return f"there are {len(labels):,} different expected answers"
    if any(len(label) > _LONGEST_LABEL for label in labels):
        return f"an expected answer has more than {_LONGEST_LABEL} characters"
    return None


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Class numbers by row; an answer that is no label has the number after the last."""

    labels: tuple[str, ...]
    expected: NDArray[np.int_]
    answered: NDArray[np.int_]

    def values(self, weights: Weights) -> dict[str, Values]:
        import numpy as np

        is_right = self.expected == self.answered
        accuracy = (weights @ is_right.astype(float)) / weights.sum(axis=1)
        f1 = [self._macro_f1(row, is_right) for row in weights]
        return {"label_accuracy": accuracy, "macro_f1": np.asarray(f1)}

    def _macro_f1(self, weights: Values, is_right: NDArray[np.bool_]) -> float:
        """Return the mean F1 of the classes that are expected or answered with these weights."""
        import numpy as np

        count = len(self.labels)
        size = {"minlength": count + 1}
        wanted = np.bincount(self.expected, weights, **size)[:count]
        given = np.bincount(self.answered, weights, **size)[:count]
        right = np.bincount(self.expected, weights * is_right, **size)[:count]
        both = wanted + given
        is_there = both > 0
        return float(np.mean(2 * right[is_there] / both[is_there]))

    def confusion(self) -> dict[str, Any]:
        """Return how often each class was answered where each was expected, as plain data.

        `counts`: [expected, answered, rows], by place in `labels`; None: no label was answered.
        """
        seen: dict[tuple[int, int], int] = {}
        for pair in zip(self.expected.tolist(), self.answered.tolist(), strict=True):
            seen[pair] = seen.get(pair, 0) + 1
        last = len(self.labels)
        return {
            "labels": list(self.labels),
            "counts": [
                [wanted, None if given == last else given, rows]
                for (wanted, given), rows in sorted(seen.items())
            ],
        }


# --- masking ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placeholders:
    """Placeholders of each kind, counted as a bag a row: found, too many, missed."""

    kinds: frozenset[str]
    key: str = "placeholders"

    def keep(self, example: Example, answered: str) -> dict[str, list[int]]:
        wanted = masking.placeholders(example.response)
        given = masking.placeholders(answered)
        kept: dict[str, list[int]] = {}
        for kind in sorted(wanted.keys() | given.keys()):
            found = min(wanted[kind], given[kind])
            counts = kept.setdefault(kind if kind in self.kinds else OTHER, [0, 0, 0])
            counts[0] += found
            counts[1] += given[kind] - found
            counts[2] += wanted[kind] - found
        return kept

    def table(
        self, kept: Sequence[Mapping[str, Sequence[int]]], examples: Sequence[Example]
    ) -> PlaceholderTable:
        import numpy as np

        kinds = tuple(sorted({kind for row in kept for kind in row}))
        place = {kind: number for number, kind in enumerate(kinds)}
        counts = np.zeros((len(kinds), 3))
        sums = np.zeros((len(kept), 3))
        for number, row in enumerate(kept):
            for kind, three in row.items():
                counts[place[kind]] += three
                sums[number] += three
        return PlaceholderTable(kinds, counts, sums)


@dataclass(frozen=True, slots=True)
class PlaceholderTable:
    """`counts`: found, too many and missed by kind; `sums`: the same by row."""

    kinds: tuple[str, ...]
    counts: NDArray[np.float64]
    sums: NDArray[np.float64]

    def values(self, weights: Weights) -> dict[str, Values]:
        """Return micro averages; NaN where the rows expect no placeholder at all.

        Where some are expected and none was told, the precision is 0.
        """
        import numpy as np

        found, extra, missed = (weights @ self.sums).T
        shares = {
            "placeholder_precision": _share(found, found + extra),
            "placeholder_recall": _share(found, found + missed),
            "placeholder_f1": _share(2 * found, 2 * found + extra + missed),
        }
        is_there = found + missed > 0
        return {name: np.where(is_there, share, np.nan) for name, share in shares.items()}

    def entities(self) -> dict[str, dict[str, float]]:
        """Return precision, recall and F1 of each kind, and how often it was expected."""
        found, extra, missed = self.counts.T
        columns = {
            "precision": _share(found, found + extra),
            "recall": _share(found, found + missed),
            "f1": _share(2 * found, 2 * found + extra + missed),
            "expected": found + missed,
        }
        return {
            kind: {name: float(column[number]) for name, column in columns.items()}
            for number, kind in enumerate(self.kinds)
        }


@dataclass(frozen=True, slots=True)
class Leaks:
    """Entities that an answer left unmasked, of those that were to be masked."""

    kinds: frozenset[str]
    key: str = "leaks"

    def keep(self, example: Example, answered: str) -> list[int]:
        return list(masking.leaks(example.source, example.response, answered, self.kinds))

    def table(self, kept: Sequence[Sequence[int]], examples: Sequence[Example]) -> LeakTable:
        import numpy as np

        return LeakTable(np.asarray(kept, dtype=float).reshape(-1, 2))


@dataclass(frozen=True, slots=True)
class LeakTable:
    sums: NDArray[np.float64]

    def values(self, weights: Weights) -> dict[str, Values]:
        """Return the share that is left; NaN where the rows have nothing to be masked."""
        import numpy as np

        left, there = (weights @ self.sums).T
        return {"leak_rate": np.where(there > 0, _share(left, there), np.nan)}


def _share(part: Values, whole: Values) -> Values:
    """Return part / whole; 0 where the whole is."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def placeholder_kinds(examples: Iterable[Example]) -> frozenset[str]:
    """Return the kinds of placeholder in the expected answers. DataError where there is none."""
    kinds = {kind for e in examples for kind in masking.placeholders(e.response)}
    if not kinds:
        raise DataError(
            "no expected answer has a placeholder such as [NAME] or {{name}}, so nothing can be "
            "said about masking; take placeholder_* and leak_rate out of evaluate.metrics"
        )
    return frozenset(kinds)
