"""Curves made readable: smoothed, by epoch, thinned. Pure; a value may be NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from tunekit.model import (
    EVAL_LOSS,
    MEAN_LOSS,
    PREFERENCE_LOSS,
    TRAIN_LOSS,
    Job,
    MetricPoint,
)

# What stands for a job's training loss, the best first.
TRAINING_LOSSES = (TRAIN_LOSS, PREFERENCE_LOSS, MEAN_LOSS)
# A curve is drawn in about so many means.
_MEANS = 50
# Largest over smallest value from which a logarithmic scale tells more.
_LOG_FROM = 50
# A sum is taken afresh once a value has left it that was so many times as large.
_CANCELS = 1000.0
# The median absolute deviation of a normal distribution is this part of its standard deviation.
_MAD = 0.6745


def series(points: Iterable[MetricPoint]) -> dict[str, list[MetricPoint]]:
    """Return the points of each series by its name, by rising step."""
    named: dict[str, list[MetricPoint]] = {}
    for point in points:
        named.setdefault(point.metric, []).append(point)
    for members in named.values():
        members.sort(key=lambda point: point.step)
    return named


def training_loss(points: Iterable[MetricPoint]) -> list[MetricPoint]:
    """Return the series that tells the training loss; empty where none does."""
    named = series(points)
    return next((named[name] for name in TRAINING_LOSSES if name in named), [])


def loss_names(points: Iterable[MetricPoint]) -> list[str]:
    """Return the series that show a job's loss: training, then eval; all where none is one."""
    names = list(series(points))
    training = next((name for name in TRAINING_LOSSES if name in names), None)
    found = [name for name in (training, EVAL_LOSS) if name in names]
    return found or names


def is_far(lowest: float, highest: float) -> bool:
    """True where values lie so far apart that a logarithmic scale tells more of them."""
    return 0 < lowest < highest / _LOG_FROM


def window_for(count: int) -> int:
    """Return over how many values a curve of so many is averaged to be read: 1 for a short one."""
    return max(count // _MEANS, 1)


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of the last `window` values at each; of fewer at the beginning.

    A value that is no finite number stays as it is and counts in no mean.
    """
    means: list[float] = []
    kept: list[float] = []
    total = 0.0
    for value in values:
        if not math.isfinite(value):
            means.append(value)
            continue
        kept.append(value)
        leaving = kept[-window - 1] if len(kept) > window else 0.0
        total += value - leaving
        # A running sum drifts, and after a huge value has left it nothing else is in it.
        if len(kept) % window == 0 or abs(leaving) > _CANCELS * abs(total):
            total = math.fsum(kept[-window:])
        means.append(total / min(len(kept), window))
    return means


def epochs_of(job: Job, revision: Mapping[str, Any], points: Iterable[MetricPoint]) -> int | None:
    """Return how many epochs a job was to train, None where nothing tells.

    As asked for; else as its checkpoints or its points an epoch say once it has ended.
    """
    asked = revision["identity"]["hyperparameters"].get("epochs")
    if asked:
        return int(asked)
    if not job.state.is_terminal:
        return None
    saved = [saved.epoch for saved in job.checkpoints if saved.epoch]
    ends = sum(point.metric == MEAN_LOSS for point in points)
    return max(saved, default=None) or ends or None


def epoch_at(step: int, *, epochs: int, steps: int) -> int:
    """Return the epoch, counted from 1, that a step belongs to; epochs are equally long."""
    return min(max(math.ceil(step * epochs / steps), 1), epochs)


def by_epoch(
    points: Iterable[MetricPoint], *, epochs: int, steps: int | None = None
) -> list[MetricPoint]:
    """Return one point an epoch and series, the mean of its finite values; `step` is the epoch.

    `steps` is the whole job's; the last one among the points where it is not known.
    """
    known = list(points)
    total = steps or max((point.step for point in known), default=1) or 1
    grouped: dict[tuple[str, int], list[MetricPoint]] = {}
    for point in known:
        key = point.metric, epoch_at(point.step, epochs=epochs, steps=total)
        grouped.setdefault(key, []).append(point)
    means = []
    for (metric, epoch), members in sorted(grouped.items()):
        values = [p.value for p in members if math.isfinite(p.value)]
        mean = fmean(values) if values else math.nan
        means.append(MetricPoint(metric, epoch, mean, members[-1].time_s))
    return means


def thinned(points: Sequence[MetricPoint], most: int) -> list[MetricPoint]:
    """Return at most `most` (5 or more) points of one series that draw the same curve.

    The ends stay, and of every stretch between them the lowest and the highest point: no spike is
    lost. Of values that are no finite number a stretch keeps one.
    Source: Jugel et al. 2014, M4, VLDB 7(10), its minimum and maximum.
    """
    if len(points) <= most:
        return list(points)
    inner = len(points) - 2
    stretches = max((most - 2) // 3, 1)
    kept = {0, len(points) - 1}
    for number in range(stretches):
        begin = 1 + number * inner // stretches
        end = 1 + (number + 1) * inner // stretches
        finite = [i for i in range(begin, end) if math.isfinite(points[i].value)]
        odd = next((i for i in range(begin, end) if not math.isfinite(points[i].value)), None)
        if finite:
            kept.add(min(finite, key=lambda i: points[i].value))
            kept.add(max(finite, key=lambda i: points[i].value))
        if odd is not None:
            kept.add(odd)
    return [points[i] for i in sorted(kept)]


def swing(values: Sequence[float]) -> float:
    """Return the standard deviation of the values around their trend; 0.0 for fewer than 5.

    By second differences, which a straight trend does not change, and their median, which a spike
    does not change.
    """
    if len(values) < 5:
        return 0.0
    first = [later - earlier for earlier, later in pairwise(values)]
    second = [abs(later - earlier) for earlier, later in pairwise(first)]
    return median(second) / _MAD / math.sqrt(6)
