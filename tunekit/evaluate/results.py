"""What an evaluation found: scores, intervals, differences and the verdict, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunekit.errors import UsageError
from tunekit.evaluate.intervals import Difference, judged
from tunekit.evaluate.scores import Measured
from tunekit.model.gate import BOUNDS, OTHERS, Clause, Gate, metric_of

BASE, TUNED = "base", "tuned"
PROMOTED, REFUSED = "promoted", "refused"
_OF_KINDS = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class Result:
    """One model's scores. `intervals`: 95%. `is_met`: whether the condition is, None without one.

    `verdict`: what `is_met` says of the whole split; None where only some of its rows were asked.
    """

    target: str
    model: str
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    confusion: Mapping[str, Any] | None = None
    entities: Mapping[str, Mapping[str, float]] | None = None
    differences: tuple[Difference, ...] = ()
    is_met: bool | None = None
    verdict: str | None = None
    clauses: tuple[Clause, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "model": self.model,
            "scores": dict(self.scores),
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "confusion": self.confusion,
            "entities": self.entities,
            "differences": [difference.to_json() for difference in self.differences],
            "is_met": self.is_met,
            "verdict": self.verdict,
            "clauses": [
                {"text": c.text, "is_met": c.is_met, "numbers": dict(c.numbers)}
                for c in self.clauses
            ],
        }


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Results of all targets on the same rows, and of two answers that need no model.

    `rows`: how many were asked about, of the `split_rows` that the split has.
    `baselines`: `copy`, the input given back unchanged; `majority`, always the most frequent
    expected answer.
    """

    rows: int
    results: tuple[Result, ...]
    baselines: Mapping[str, Mapping[str, float]]
    gate: Gate | None = None
    split_rows: int = 0

    @property
    def main(self) -> Result:
        """The result that decides: the tuned model's, else the first that is not the base's."""
        order = sorted(self.results, key=lambda r: (r.target == BASE, r.target != TUNED))
        return order[0]

    def to_json(self) -> dict[str, Any]:
        """Return it all as plain data, without any row; the main result's fields at the top."""
        return {
            "rows": self.rows,
            "split_rows": self.split_rows,
            **self.main.to_json(),
            "baselines": {name: dict(scores) for name, scores in self.baselines.items()},
            "promote_if": self.gate.text if self.gate else None,
            "targets": [result.to_json() for result in self.results],
        }


def evaluated(
    models: Mapping[str, tuple[str, Measured]],
    baselines: Mapping[str, Measured],
    gate: Gate | None,
    *,
    split_rows: int | None = None,
) -> Evaluated:
    """Return what the measured answers amount to. `models`: target -> its name and its rows.

    `split_rows`: how many rows the split has, None where all were asked; some give no verdict.
    Every target is compared with the base model and every checkpoint with the tuned one, where
    those were asked too. The condition is put to all but the base model.
    """
    measured = {target: rows for target, (_, rows) in models.items()}
    pairs = [(target, BASE) for target in models if target != BASE and BASE in models]
    pairs += [(t, TUNED) for t in models if t not in (BASE, TUNED) and TUNED in models]
    judgement = judged(measured, pairs)
    none = {name: rows.scores() for name, rows in baselines.items()}
    results = []
    for target, (model, rows) in models.items():
        result = Result(
            target=target,
            model=model,
            scores=rows.scores(),
            intervals=judgement.intervals[target],
            confusion=rows.confusion(),
            entities=rows.entities(),
            differences=tuple(d for d in judgement.differences if d.model == target),
        )
        results.append(result)
    base = next((r for r in results if r.target == BASE), None)
    others = {**none, **({BASE: base.scores} if base else {})}
    count = next(iter(measured.values())).rows
    is_whole = split_rows is None or count == split_rows
    return Evaluated(
        rows=count,
        results=tuple(_gated(result, others, gate, is_whole=is_whole) for result in results),
        baselines=none,
        gate=gate,
        split_rows=count if split_rows is None else split_rows,
    )


def _gated(
    result: Result,
    others: Mapping[str, Mapping[str, float]],
    gate: Gate | None,
    *,
    is_whole: bool,
) -> Result:
    if gate is None or result.target == BASE:
        return result
    values = _values(result, others)
    is_met = gate.is_met(values)
    verdict = (PROMOTED if is_met else REFUSED) if is_whole else None
    return replace(result, is_met=is_met, verdict=verdict, clauses=tuple(gate.clauses(values)))


def _values(result: Result, others: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return every score that a condition may read, by name."""
    values = dict(result.scores)
    for metric, pair in result.intervals.items():
        values |= {f"{metric}.{bound}": number for bound, number in zip(BOUNDS, pair, strict=True)}
    for kind, scores in (result.entities or {}).items():
        values |= {f"placeholder_{name}.{_word(kind)}": scores[name] for name in _OF_KINDS}
    for other, scores in others.items():
        values |= {f"{other}.{metric}": number for metric, number in scores.items()}
    return values


def _word(kind: str) -> str:
    """Return a kind of placeholder as a condition can write it."""
    return "".join(c if c.isalnum() or c == "_" else "_" for c in kind)


def require_known(
    gate: Gate, metrics: Sequence[str], kinds: Sequence[str], scored: Collection[str]
) -> None:
    """UsageError where a condition reads what no evaluation of these metrics can tell.

    `kinds` of placeholder that the rows expect; `scored`: the metrics that have a value on them.
    """
    known = {*metrics, *(f"{metric}.{bound}" for metric in metrics for bound in BOUNDS)}
    known |= {f"{other}.{metric}" for other in OTHERS for metric in metrics}
    known |= {f"placeholder_{name}.{_word(kind)}" for name in _OF_KINDS for kind in kinds}
    for name in gate.names():
        if (metric := metric_of(name)) in metrics and metric not in scored:
            raise UsageError(
                f"evaluate.promote_if reads {name}, and the rows asked about have nothing to be "
                f"masked, so there is no {metric}; ask about more rows, or hold out others"
            )
        if name not in known:
            has = f"; the kinds of placeholder here are {', '.join(map(_word, kinds))}"
            raise UsageError(
                f"evaluate.promote_if reads {name}, which these rows can't tell"
                + (has if kinds else f"; there is {', '.join(metrics)}")
            )
