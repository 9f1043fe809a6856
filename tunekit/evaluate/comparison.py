"""What differs between jobs: spec, data, hyperparameters, results, scores. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tunekit.model import (
    EVAL_LOSS,
    MEAN_LOSS,
    PREFERENCE_LOSS,
    TRAIN_LOSS,
    MetricPoint,
    RowIndex,
)
from tunekit.plan import rows as row_changes

Group = Literal["spec", "data", "hyperparameters", "result", "scores"]

# The loss that training lowers, by whichever name the provider has for it.
_TRAIN_LOSSES = (TRAIN_LOSS, PREFERENCE_LOSS, MEAN_LOSS)


@dataclass(frozen=True, slots=True)
class SplitRows:
    """One split of a subject's data. `tokens` are guessed; `index` where its rows are on record."""

    rows: int
    characters: int
    digest: str
    tokens: int | None = None
    index: RowIndex | None = field(default=None, repr=False)


_NO_ROWS = SplitRows(0, 0, "", 0, RowIndex())


@dataclass(frozen=True, slots=True)
class Score:
    """One score with its 95% interval, where there is one, and the rows that it was measured on."""

    value: float
    low: float | None = None
    high: float | None = None
    rows: int = 0
    split: str = ""
    split_digest: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """One job as it is compared. `name` is what people call it: NAME@NUMBER.

    `spec` is the document that asked for it, `result` what came out by key, `curves` its metric
    points by series and rising step. `scores` by metric, those of other targets as `base: metric`.
    """

    name: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, SplitRows] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Score] = field(default_factory=dict)
    curves: Mapping[str, Sequence[MetricPoint]] = field(default_factory=dict, repr=False)

    def train_loss(self) -> Sequence[MetricPoint]:
        """Return the curve of the loss that training lowers; empty where there is none yet."""
        return next((self.curves[name] for name in _TRAIN_LOSSES if self.curves.get(name)), ())

    def eval_loss(self) -> Sequence[MetricPoint]:
        """Return the curve of the loss on validation rows; empty where there is none."""
        return self.curves.get(EVAL_LOSS, ())


@dataclass(frozen=True, slots=True)
class Row:
    """One key and its plain value for each subject, None where a subject has none.

    A value of `scores` is a mapping: value, low, high, rows, split. One of `data` whose key ends
    in `.change` is a mapping too, against the first subject: added, removed,
    changed, rows, tokens.
    """

    group: Group
    key: str
    values: Mapping[str, Any]

    @property
    def is_equal(self) -> bool:
        """True where no subject differs from another."""
        values = list(self.values.values())
        return all(value == values[0] for value in values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of a comparison by group, and what must be known to read them rightly."""

    subjects: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def compare(subjects: Sequence[Subject], *, keeps_equal: bool = False) -> Comparison:
    """Return what differs between subjects; scores always, and all else with `keeps_equal`."""
    rows = [row for row in _rows(subjects) if keeps_equal or row.group == "scores" or _tells(row)]
    return Comparison(tuple(s.name for s in subjects), tuple(rows), tuple(_notes(subjects)))


def _tells(row: Row) -> bool:
    if row.key.endswith(".change"):
        return any(row.values.values())
    return not row.is_equal


def _rows(subjects: Sequence[Subject]) -> Iterator[Row]:
    specs = {s.name: dict(_flat(s.spec)) for s in subjects}
    keys = list(dict.fromkeys(key for spec in specs.values() for key in spec))
    # A job's name already says so, and what was set of `tuning` is among the hyperparameters.
    told = {"name", *(f"tuning.{key}" for s in subjects for key in s.hyperparameters)}
    of_data = [key for key in keys if key.startswith("dataset.")]
    for key in keys:
        if key not in told and key not in of_data:
            yield Row("spec", key, {name: spec.get(key) for name, spec in specs.items()})
    for key in of_data:
        yield Row("data", key, {name: spec.get(key) for name, spec in specs.items()})
    yield from _data_rows(subjects)
    for key in dict.fromkeys(key for s in subjects for key in s.hyperparameters):
        values = {s.name: s.hyperparameters.get(key) for s in subjects}
        yield Row("hyperparameters", key, values)
    results = {s.name: {**s.result, **dict(_losses(s))} for s in subjects}
    for key in dict.fromkeys(key for result in results.values() for key in result):
        yield Row("result", key, {name: result.get(key) for name, result in results.items()})
    for metric in dict.fromkeys(metric for s in subjects for metric in s.scores):
        yield Row("scores", metric, {s.name: _score(s.scores.get(metric)) for s in subjects})


def _data_rows(subjects: Sequence[Subject]) -> Iterator[Row]:
    first = subjects[0]
    for split in dict.fromkeys(split for s in subjects for split in s.splits):
        found = {s.name: s.splits.get(split) for s in subjects}
        yield Row("data", f"{split}.rows", _of_each(found, "rows"))
        tokens = _of_each(found, "tokens")
        is_counted = all(tokens[name] is not None for name, info in found.items() if info)
        length = "tokens" if is_counted else "characters"
        yield Row("data", f"{split}.{length}", _of_each(found, length))
        before = found[first.name]
        changes = {name: _change(before, info) for name, info in found.items()}
        yield Row("data", f"{split}.change", changes)


def _of_each(found: Mapping[str, SplitRows | None], key: str) -> dict[str, Any]:
    return {name: getattr(info, key, None) for name, info in found.items()}


def _change(before: SplitRows | None, after: SplitRows | None) -> dict[str, Any] | None:
    """Return how rows changed, None where they did not.

    `added`, `removed` and `changed` are None where only counts are on record; a changed row was
    made of the same text. A row that occurs n times counts n times.
    """
    if (before and before.digest) == (after and after.digest):
        return None
    old, new = before or _NO_ROWS, after or _NO_ROWS
    tokens = None if None in (old.tokens, new.tokens) else (new.tokens or 0) - (old.tokens or 0)
    change: dict[str, Any] = {
        **dict.fromkeys(("added", "removed", "changed")),
        "rows": new.rows - old.rows,
        "tokens": tokens,
    }
    if old.index is not None and new.index is not None:
        found = row_changes.compare(old.index, new.index)
        change |= {key: len(getattr(found, key)) for key in ("added", "removed", "changed")}
        change["tokens"] = found.tokens
    return change


def _losses(subject: Subject) -> Iterator[tuple[str, Any]]:
    """Yield what the curves end in: the last losses, and the best one on validation rows."""
    if train := _finite(subject.train_loss()):
        yield "train_loss", train[-1].value
    if measured := _finite(subject.eval_loss()):
        best = min(measured, key=lambda point: point.value)
        yield "eval_loss", measured[-1].value
        yield "best_eval_loss", best.value
        yield "best_eval_step", best.step


def _finite(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    return [point for point in points if math.isfinite(point.value)]


def _score(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "rows": score.rows,
        "split": score.split,
    }


def _notes(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield what makes figures not comparable, as whole sentences."""
    for metric in dict.fromkeys(metric for s in subjects for metric in s.scores):
        scores = [s.scores[metric] for s in subjects if metric in s.scores]
        measured = {(score.split_digest, score.rows) for score in scores}  # --rows takes some
        if len(measured) > 1:
            yield "Scores were measured on different rows; evaluate on the same split to compare."
            break
    lacking = [s.name for s in subjects if not s.scores]
    if lacking and len(lacking) < len(subjects):
        yield f"Not evaluated: {', '.join(lacking)}; `tunekit evaluate NAME` does."
    trained = {s.splits["train"].digest: s.splits["train"] for s in subjects if "train" in s.splits}
    if len(trained) > 1 and any(split.index is None for split in trained.values()):
        yield "Which rows differ is not on record for all of these; counts are."


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and plain values; a list is one value."""
    for key, inner in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from _flat(inner, name)
        else:
            yield name, inner
