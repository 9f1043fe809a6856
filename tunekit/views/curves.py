"""Curves as they are drawn, in a terminal or into a file: which lines, of what, how smooth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunekit.evaluate.advice import Advice
from tunekit.evaluate.curves import (
    by_epoch,
    is_far,
    loss_names,
    series,
    smoothed,
    thinned,
    window_for,
)
from tunekit.model import (
    EVAL_CORRECT,
    EVAL_LOSS,
    EVAL_PREDICTIONS,
    MEAN_LOSS,
    PREFERENCE_LOSS,
    TRAIN_CORRECT,
    TRAIN_LOSS,
    TRAIN_PREDICTIONS,
    MetricPoint,
)
from tunekit.views.text import line

TITLES = {
    TRAIN_LOSS: "TRAIN LOSS",
    TRAIN_CORRECT: "TRAIN CORRECT",
    TRAIN_PREDICTIONS: "TRAIN PREDICTIONS",
    EVAL_LOSS: "EVAL LOSS",
    EVAL_CORRECT: "EVAL CORRECT",
    EVAL_PREDICTIONS: "EVAL PREDICTIONS",
    MEAN_LOSS: "MEAN LOSS",
    PREFERENCE_LOSS: "PREFERENCE LOSS",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A job's points and what they say. `by` is what their `step` counts: step or epoch."""

    title: str
    points: Sequence[MetricPoint]
    by: str = "step"
    epochs: int | None = None
    advice: Sequence[Advice] = field(default_factory=tuple)

    def each_epoch(self, *, steps: int | None) -> Measured:
        """Return the means of every epoch; `epochs` must be known."""
        means = by_epoch(self.points, epochs=self.epochs or 1, steps=steps)
        return Measured(self.title, means, "epoch", self.epochs, self.advice)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture. `subject` counts the jobs; `values` are smoothed over `window`."""

    label: str
    subject: int
    is_eval: bool
    steps: Sequence[int]
    raw: Sequence[float]
    values: Sequence[float]
    window: int


def lines_of(subjects: Sequence[Measured], *, most: int, window: int | None = None) -> list[Line]:
    """Return the loss curves of jobs, or all series of a job that has no loss.

    At most `most` points a line. A series of many steps becomes a moving mean over `window` of
    them, about a fiftieth of the series where that is not given; the label says so.
    """
    lines = []
    for number, subject in enumerate(subjects):
        named = series(subject.points)
        for name in loss_names(subject.points):
            lines.append(_line(subject, number, name, named[name], most=most, window=window))
    return [drawn for drawn in lines if drawn.steps]


def _line(
    subject: Measured,
    number: int,
    name: str,
    points: Sequence[MetricPoint],
    *,
    most: int,
    window: int | None,
) -> Line:
    finite = [point for point in points if math.isfinite(point.value)]
    wide = min(window or window_for(len(finite)), max(len(finite), 1))
    means = smoothed([point.value for point in finite], wide)
    both = [
        (raw, MetricPoint(name, raw.step, mean)) for raw, mean in zip(finite, means, strict=True)
    ]
    kept = {point.step for point in thinned([mean for _, mean in both], most)}
    kept |= {point.step for point in thinned(finite, most)}
    label = f"{line(subject.title)} {line(TITLES.get(name, name)).lower()}"
    if wide > 1:
        label += f" (mean of {wide} {subject.by}s)"
    shown = [(raw, mean) for raw, mean in both if raw.step in kept]
    return Line(
        label=label,
        subject=number,
        is_eval=name.startswith("/eval"),
        steps=[raw.step for raw, _ in shown],
        raw=[raw.value for raw, _ in shown],
        values=[mean.value for _, mean in shown],
        window=wide,
    )


def is_log(lines: Sequence[Line]) -> bool:
    """True where a logarithmic scale tells more: all but their fall would be a flat line."""
    drawn = [value for each in lines for value in each.values]
    return bool(drawn) and is_far(min(drawn), max(drawn))


def heading(subjects: Sequence[Measured]) -> str:
    """Return what is above the picture."""
    names = ", ".join(line(subject.title) for subject in subjects[:4])
    return f"{names} and {len(subjects) - 4} more" if len(subjects) > 4 else names
