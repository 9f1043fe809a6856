"""Loss curves: as a table, as rows, and drawn in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.model import EVAL_LOSS, MEAN_LOSS, PREFERENCE_LOSS, TRAIN_LOSS, MetricPoint
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import line, number, plural

# Largest over smallest value from which a logarithmic scale tells more.
_LOG_FROM = 50

_TITLES = {
    TRAIN_LOSS: "TRAIN LOSS",
    "/train_fraction_of_correct_next_step_preds": "TRAIN CORRECT",
    "/train_num_predictions": "TRAIN PREDICTIONS",
    EVAL_LOSS: "EVAL LOSS",
    "/eval_fraction_of_correct_next_step_preds": "EVAL CORRECT",
    "/eval_num_predictions": "EVAL PREDICTIONS",
    MEAN_LOSS: "MEAN LOSS",
    PREFERENCE_LOSS: "PREFERENCE LOSS",
}


def wide(points: Sequence[MetricPoint]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the series' names, and a row a step with a value a series that has one there."""
    names = [n for n in _TITLES if any(p.metric == n for p in points)]
    names += sorted({p.metric for p in points} - set(names))
    rows: dict[int, dict[str, Any]] = {}
    for point in points:
        rows.setdefault(point.step, {"step": point.step})[point.metric] = point.value
    return names, [rows[step] for step in sorted(rows)]


def print_metrics(output: Output, points: Sequence[MetricPoint], *, limit: int | None) -> None:
    """Print steps evenly spread over the job, those with an epoch's end always among them."""
    names, rows = wide(points)
    shown = rows if limit is None else spread(rows, limit)
    columns = [Column("STEP", "step", is_number=True)]
    columns += [
        Column(_TITLES.get(name, name), name, rank=rank, is_number=True)
        for rank, name in enumerate(names)
    ]
    display = [{key: number(value) for key, value in row.items()} for row in shown]
    left = len(rows) - len(shown)
    more = f"… {plural(left, 'step')} left out; show all with --all, -o csv or -o json"
    output.table(Table(columns, display, more if left else ""))


def spread(rows: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Return about `limit` rows: the first, the last, every epoch's end, the others evenly."""
    if len(rows) <= limit:
        return list(rows)
    marked = {i for i, row in enumerate(rows) if MEAN_LOSS in row or EVAL_LOSS in row}
    if len(marked) > limit:
        marked = set()
    free = max(limit - len(marked), 2)
    even = {round(i * (len(rows) - 1) / (free - 1)) for i in range(free)}
    return [rows[i] for i in sorted(marked | even)]


def plot(output: Output, title: str, points: Sequence[MetricPoint]) -> None:
    """Draw the loss curves among the points, or all that there are where none is a loss.

    A series of many steps is drawn as a moving mean. Curves that fall far are drawn on a
    logarithmic scale: else all but their fall is a flat line.
    """
    import plotext

    by_name: dict[str, list[MetricPoint]] = {}
    for point in points:
        if math.isfinite(point.value):
            by_name.setdefault(point.metric, []).append(point)
    names = [name for name in (TRAIN_LOSS, EVAL_LOSS) if name in by_name] or list(by_name)
    plotext.clear_figure()
    plotext.plot_size(min(output.width, 100) if output.is_terminal else 80, 20)
    plotext.theme("clear" if not output.has_colour else "pro")
    drawn: list[float] = []
    for name in names:
        series = by_name[name]
        window = max(len(series) // 50, 1)
        label = line(_TITLES.get(name, name)).lower()
        values = _smooth(series, window)
        plotext.plot(
            [point.step for point in series],
            values,
            label=label if window == 1 else f"{label} (mean of {window} steps)",
            marker="o" if name == EVAL_LOSS else None,
        )
        drawn += values
    is_log = bool(drawn) and 0 < min(drawn) < max(drawn) / _LOG_FROM
    if is_log:
        plotext.yscale("log")
    plotext.title(f"{title} (log scale)" if is_log else title)
    plotext.xlabel("step")
    picture: str = plotext.build()
    output.stream.write((picture if output.has_colour else plotext.uncolorize(picture)) + "\n")


def _smooth(points: Sequence[MetricPoint], window: int) -> list[float]:
    """Return the mean of the last `window` values at each point."""
    smoothed, total = [], 0.0
    for index, point in enumerate(points):
        total += point.value
        if index >= window:
            total -= points[index - window].value
        smoothed.append(total / min(index + 1, window))
    return smoothed


def metrics_json(points: Sequence[MetricPoint]) -> dict[str, Any]:
    """Return every series as lists of steps and values."""
    series: dict[str, Any] = {}
    for point in points:
        entry = series.setdefault(point.metric, {"steps": [], "values": [], "times_s": []})
        entry["steps"].append(point.step)
        # JSON has no NaN and no infinity.
        entry["values"].append(point.value if math.isfinite(point.value) else None)
        entry["times_s"].append(point.time_s)
    return {"series": series}


def csv_rows(points: Sequence[MetricPoint]) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Return CSV fields and rows: one row a step, one column a series."""
    names, rows = wide(points)
    return ["step", *names], list(rows)
