"""Which metrics there are, what is kept of each row for them, and their values over many rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.errors import DataError, UsageError
from tunekit.evaluate import masking
from tunekit.evaluate.facets import (
    Facet,
    Labels,
    LabelTable,
    Leaks,
    Mean,
    Placeholders,
    PlaceholderTable,
    Table,
    label_fault,
    placeholder_kinds,
    text_facet,
)
from tunekit.evaluate.textscores import TEXT_SCORES
from tunekit.model import Example

if TYPE_CHECKING:
    import numpy as np

    from tunekit.evaluate.facets import Values, Weights

_LABELS = ("label_accuracy", "macro_f1")
_PLACEHOLDERS = ("placeholder_precision", "placeholder_recall", "placeholder_f1")
# metric -> the key of the facet that it needs. All lie between 0 and 1.
METRICS: Mapping[str, str] = {
    **{name: name for name in TEXT_SCORES},
    **dict.fromkeys(_LABELS, "answer"),
    **dict.fromkeys(_PLACEHOLDERS, "placeholders"),
    "leak_rate": "leaks",
}
# The one metric of which less is better.
LESS_IS_BETTER = frozenset({"leak_rate"})
# What says for every row whether it is right, whatever the spec asks for.
RIGHT = "exact_match"
# A user's own metric is `custom.NAME`.
CUSTOM = "custom."
GROUP = "tunekit.metrics"

# What is kept of one row: facet -> plain data without text.
Record = Mapping[str, Any]
CustomScore = Callable[[str, str, str], float]


class Scorer:
    """Keeps of each row what the wanted metrics need, and computes them over many rows."""

    def __init__(
        self,
        metrics: Sequence[str],
        examples: Sequence[Example],
        *,
        custom: Mapping[str, CustomScore] | None = None,
    ) -> None:
        """`examples`: the whole split, also where only some of it is asked about.

        DataError where they do not suit a metric.
        """
        customs = dict(custom or {})
        self.metrics = (*metrics, *(CUSTOM + name for name in customs))
        needed = dict.fromkeys([RIGHT, *(METRICS[name] for name in metrics)])
        facets: list[Facet] = [_facet(key, metrics, examples) for key in needed]
        facets += [_custom(name, score) for name, score in customs.items()]
        self.facets: Mapping[str, Facet] = {facet.key: facet for facet in facets}

    def record(self, example: Example, answered: str) -> dict[str, Any]:
        """Return what to keep of an answered row."""
        kept = {}
        for key, facet in self.facets.items():
            try:
                kept[key] = facet.keep(example, answered)
            except _BadScore as error:
                raise DataError(f"{error} on the row of line {example.line}") from error
        return kept

    def baselines(self, examples: Sequence[Example]) -> dict[str, Measured]:
        """Return what two answers that need no model would get.

        `copy`: the input given back unchanged. `majority`: always the most frequent expected one.
        """
        expected = Counter(example.response for example in examples)
        most_frequent = expected.most_common(1)[0][0] if expected else ""
        copied = [self.record(example, example.source) for example in examples]
        always = [self.record(example, most_frequent) for example in examples]
        return {
            "copy": self.measured(copied, examples),
            "majority": self.measured(always, examples),
        }

    def kinds(self, examples: Sequence[Example]) -> list[str]:
        """Return the kinds of placeholder that rows expect, where a metric is of them."""
        if "placeholders" not in self.facets:
            return []
        return sorted({kind for e in examples for kind in masking.placeholders(e.response)})

    def suffices(self, record: Record) -> bool:
        """True where a row's record has what every wanted metric needs."""
        return self.facets.keys() <= record.keys()

    def measured(self, records: Sequence[Record], examples: Sequence[Example]) -> Measured:
        """Return the rows' records ready for arithmetic, in the rows' order."""
        tables = {
            key: facet.table([record[key] for record in records], examples)
            for key, facet in self.facets.items()
        }
        return Measured(self.metrics, len(records), tables)


def _facet(key: str, metrics: Sequence[str], examples: Sequence[Example]) -> Facet:
    match key:
        case "answer":
            if fault := label_fault(examples):
                asked = " and ".join(name for name in _LABELS if name in metrics)
                raise DataError(
                    f"{fault}, so they are no classes; take {asked} out of evaluate.metrics"
                )
            return Labels()
        case "placeholders":
            return Placeholders(placeholder_kinds(examples))
        case "leaks":
            return Leaks(placeholder_kinds(examples))
        case _:
            return text_facet(key)


class _BadScore(Exception):
    """A user's metric raised or gave no number; the text quotes neither row nor exception."""


def _custom(name: str, score: CustomScore) -> Mean:
    def checked(expected: str, answered: str, source: str) -> float:
        try:
            value = float(score(expected, answered, source))
        except Exception as error:  # a stranger's code: its text may quote the row
            raise _BadScore(f"the metric {CUSTOM}{name} raised {type(error).__name__}") from error
        if not math.isfinite(value):
            raise _BadScore(f"the metric {CUSTOM}{name} gave {value}")
        return value

    return Mean(CUSTOM + name, checked)


def custom_scores(names: Sequence[str]) -> dict[str, CustomScore]:
    """Return users' own metrics by name, from the entry point group `tunekit.metrics`.

    Each is called with the expected answer, the answer and the row's input. UsageError where one
    is not installed or can't be loaded.
    """
    if not names:
        return {}
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    loaded = {}
    for name in names:
        if name not in found:
            has = ", ".join(sorted(found)) or "none"
            raise UsageError(
                f"evaluate.custom_metrics: no installed package has {name!r} in the entry point "
                f"group {GROUP}; it has: {has}"
            )
        try:
            loaded[name] = found[name].load()
        except Exception as error:
            raise UsageError(
                f"evaluate.custom_metrics: {found[name].value} can't be loaded "
                f"({type(error).__name__}); import it in Python to see why"
            ) from error
    return loaded


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows of one model's answers, ready for arithmetic."""

    metrics: tuple[str, ...]
    rows: int
    tables: Mapping[str, Table]

    def values(self, weights: Weights) -> dict[str, Values]:
        """Return each wanted metric for each sample of weights; NaN where it has no value."""
        found: dict[str, Values] = {}
        for table in self.tables.values():
            found |= table.values(weights)
        return {name: found[name] for name in self.metrics}

    def scores(self) -> dict[str, float]:
        """Return each wanted metric that has a value; {} for no rows.

        Which ones have none depends on the rows alone: those of masking, where nothing is masked.
        """
        if not self.rows:
            return {}
        import numpy as np

        found = {k: float(v[0]) for k, v in self.values(np.ones((1, self.rows))).items()}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def confusion(self) -> dict[str, Any] | None:
        """Return which classes were taken for which, None where no metric is of classes."""
        table = self.tables.get("answer")
        return table.confusion() if isinstance(table, LabelTable) else None

    def entities(self) -> dict[str, dict[str, float]] | None:
        """Return the scores of each kind of placeholder, None where no metric is of them."""
        table = self.tables.get("placeholders")
        return table.entities() if isinstance(table, PlaceholderTable) else None

    def by_row(self, metric: str) -> np.ndarray[Any, Any] | None:
        """Return a metric's 0 or 1 for each row, None where it is not that kind of metric."""
        import numpy as np

        if metric == "label_accuracy":
            table = self.tables["answer"]
            assert isinstance(table, LabelTable)  # noqa: S101
            return np.asarray(table.expected == table.answered, dtype=float)
        numbers = getattr(self.tables.get(metric), "numbers", None)
        if numbers is None or not bool(np.isin(numbers, (0.0, 1.0)).all()):
            return None
        return np.asarray(numbers)
