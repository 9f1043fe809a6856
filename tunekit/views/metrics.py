"""Training metrics as a table, and the advice below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunekit.model import EVAL_LOSS, MEAN_LOSS
from tunekit.views.curves import TITLES, Measured
from tunekit.views.output import Column, Output, Table
from tunekit.views.points import wide
from tunekit.views.text import number, plural


def print_metrics(output: Output, subject: Measured, *, limit: int | None) -> None:
    """Print steps evenly spread over the job, those with an epoch's end always among them."""
    names, rows = wide(subject.points)
    shown = rows if limit is None else spread(rows, limit)
    columns = [Column(subject.by.upper(), "step", is_number=True)]
    columns += [
        Column(TITLES.get(name, name), name, rank=rank, is_number=True)
        for rank, name in enumerate(names)
    ]
    display = [{key: number(value) for key, value in row.items()} for row in shown]
    left = len(rows) - len(shown)
    more = f"… {plural(left, subject.by)} left out; show all with --all, -o csv or -o json"
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


def print_advice(output: Output, subjects: Sequence[Measured]) -> None:
    """Print a line for each thing that a curve says, with its rule and numbers."""
    for subject in subjects:
        for advice in subject.advice:
            whose = f"{subject.title}: " if len(subjects) > 1 else ""
            style = "yellow" if advice.severity == "warning" else "cyan"
            output.styled(f"{whose}{advice}", style)
