"""How sure a score is, and whether two differ on the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tunekit.evaluate.scores import Measured

if TYPE_CHECKING:
    import numpy as np

    from tunekit.evaluate.facets import Weights

SAMPLES = 2000
SEED = 20061
_CHUNK = 50
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of a model minus another's, on the same rows.

    `p_value`: how probable so large a difference would be if there were none. `test`: which says
    so, `mcnemar` (exact) or `bootstrap` (paired). `interval`: 95%.
    """

    metric: str
    model: str
    than: str
    difference: float
    interval: tuple[float, float]
    p_value: float
    test: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Judged:
    """Intervals by model and metric, and the differences between models."""

    intervals: Mapping[str, Mapping[str, tuple[float, float]]]
    differences: tuple[Difference, ...]


def judged(
    models: Mapping[str, Measured],
    pairs: Sequence[tuple[str, str]],
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> Judged:
    """Return 95% percentile bootstrap intervals, and paired tests of (model, than) pairs.

    All models must have the same rows in the same order: each sample draws the same rows for all,
    with replacement. Equal input gives equal output. Source: Efron & Tibshirani 1993, chapters 13
    and 16; Berg-Kirkpatrick et al. 2012, aclanthology.org/D12-1091.
    """
    import numpy as np

    rows = {measured.rows for measured in models.values()}
    if len(rows) != 1:
        raise ValueError(f"the models have different rows: {sorted(rows)}")
    (count,) = rows
    if not count:
        return Judged({name: {} for name in models}, ())
    drawn: dict[str, dict[str, list[np.ndarray[Any, Any]]]] = {name: {} for name in models}
    for weights in _samples(count, samples=samples, seed=seed):
        for name, measured in models.items():
            for metric, values in measured.values(weights).items():
                drawn[name].setdefault(metric, []).append(values)
    scored = {name: measured.scores() for name, measured in models.items()}
    whole = {
        name: {m: np.concatenate(parts) for m, parts in metrics.items() if m in scored[name]}
        for name, metrics in drawn.items()
    }
    intervals = {
        name: {metric: _interval(values) for metric, values in metrics.items()}
        for name, metrics in whole.items()
    }
    differences = [
        _difference(metric, (name, models[name]), (than, models[than]), drawn=values - other)
        for name, than in pairs
        for metric, values in whole[name].items()
        if (other := whole[than].get(metric)) is not None
    ]
    return Judged(intervals, tuple(differences))


def _samples(rows: int, *, samples: int, seed: int) -> Iterator[Weights]:
    """Yield how often each row is drawn, some samples at a time."""
    import numpy as np

    random = np.random.default_rng(seed)
    for start in range(0, samples, _CHUNK):
        size = min(_CHUNK, samples - start)
        drawn = random.integers(0, rows, size=(size, rows))
        yield np.stack([np.bincount(row, minlength=rows) for row in drawn]).astype(float)


def _interval(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    import numpy as np

    # A sample that drew no row with an entity says nothing about masking.
    low, high = np.percentile(values[~np.isnan(values)], _TAILS)
    return float(low), float(high)


def _difference(
    metric: str,
    mine: tuple[str, Measured],
    other: tuple[str, Measured],
    *,
    drawn: np.ndarray[Any, Any],
) -> Difference:
    first, second = mine[1].by_row(metric), other[1].by_row(metric)
    if first is not None and second is not None:
        won = int(((first == 1) & (second == 0)).sum())
        lost = int(((first == 0) & (second == 1)).sum())
        p_value, test = mcnemar(won, lost), "mcnemar"
    else:
        # How often the drawn difference lies on the other side of nothing, and one more.
        drawn = drawn[drawn == drawn]  # without NaN
        tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p_value, test = min(1.0, 2 * (tail + 1) / (len(drawn) + 1)), "bootstrap"
    return Difference(
        metric=metric,
        model=mine[0],
        than=other[0],
        difference=mine[1].scores()[metric] - other[1].scores()[metric],
        interval=_interval(drawn),
        p_value=p_value,
        test=test,
    )


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided exact p-value of so many rows won and lost against another model.

    Twice the smaller tail of a binomial with share 1/2, at most 1. Source: McNemar 1947,
    doi 10.1007/BF02295996, in its exact form.
    """
    if not won + lost:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))
