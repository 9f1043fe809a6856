"""What a report shows, as plain data. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tunekit.evaluate.advice import Advice


@dataclass(frozen=True, slots=True)
class Series:
    """Every point of one metric, by rising step; a value that is none is NaN.

    `chart`: loss | accuracy. `split`: train | validation.
    """

    chart: str
    split: str
    steps: array[int]
    values: array[float]


@dataclass(frozen=True, slots=True)
class Answer:
    """One kept answer beside what was expected."""

    line: int
    expected: str
    answered: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric minus that of the model `than`; `p_value`: how probable that is by chance."""

    metric: str
    than: str
    difference: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One evaluation. `intervals`: metric -> (low, high), 95%. `baselines`: name -> scores."""

    target: str
    split: str
    rows: int
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    confusion: Mapping[str, Any] | None = None
    entities: Mapping[str, Mapping[str, float]] | None = None  # by kind of placeholder
    verdict: str | None = None
    promote_if: str | None = None
    answers: tuple[Answer, ...] = ()
    split_digest: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """All that is shown of one job. `spec` by dotted key; `splits`: split -> rows."""

    title: str
    experiment: str
    state: str
    provider: str
    base_model: str
    submitted_s: float
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""  # what it waits for, or why it ended badly
    started_s: float | None = None
    ended_s: float | None = None
    completed_steps: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    cost_usd: float | None = None
    is_cost_counted: bool = False  # of tokens that the service counted; else estimated before
    who: str | None = None
    command: str | None = None
    commit: str | None = None
    is_dirty: bool | None = None
    why: str = ""
    path: str = ""
    revision: str = ""
    attempt: int = 1
    remote: str | None = None
    model: str | None = None
    endpoint: str | None = None
    checkpoints: tuple[tuple[str, int | None, int | None], ...] = ()  # id, epoch, step
    parent: str | None = None  # the title of the job whose model it was tuned from
    source: str = ""
    fingerprint: str = ""
    splits: Mapping[str, int] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    series: tuple[Series, ...] = ()
    scorecards: tuple[Scorecard, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A registry's jobs, newest first. `left_out` counts those that there was no room for."""

    title: str
    made_s: float
    jobs: tuple[JobPage, ...]
    left_out: int = 0
