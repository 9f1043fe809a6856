"""Comparisons: as a table, as Markdown for a pull request, as rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunekit.evaluate.comparison import Comparison, Row, Subject
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import (
    bucketed,
    clean,
    duration,
    line,
    number,
    plural,
    shortened,
    sparkline,
)

# Largest over smallest loss from which a logarithmic scale tells more.
LOG_FROM = 50
# From so many jobs on, each is a line and not a column.
_MOST_COLUMNS = 4
_SPARK_WIDTH = 16
_MOST_TEXT = 60
_GROUP_TITLES = {
    "spec": "SPEC",
    "data": "DATA",
    "hyperparameters": "HYPERPARAMETERS",
    "result": "RESULT",
    "scores": "SCORES",
}


def print_comparison(output: Output, found: Comparison, subjects: Sequence[Subject]) -> None:
    """Print keys as lines and jobs as columns; the other way round where jobs are many."""
    if len(found.subjects) > _MOST_COLUMNS:
        output.table(_by_job(output, found, subjects))
    else:
        output.table(_by_key(found, subjects))
    for note in found.notes:
        output.text(note)


def _by_key(found: Comparison, subjects: Sequence[Subject]) -> Table:
    columns = [Column("", "key", most=40, least=14)]
    columns += [Column(name, name, most=_MOST_TEXT, least=12) for name in found.subjects]
    rows: list[Mapping[str, str]] = []
    for title, lines in _groups(found, subjects):
        rows.append({"key": title})
        rows += [{"key": f"  {key}", **cells} for key, cells in lines]
    return Table(columns, rows)


def _by_job(output: Output, found: Comparison, subjects: Sequence[Subject]) -> Table:
    keys: dict[str, dict[str, str]] = {}
    ranks: dict[str, int] = {}
    # What is judged by stays longest where room lacks.
    order = ("hyperparameters", "result", "data", "spec")
    for title, lines in _groups(found, subjects):
        group = title.lower()
        for key, cells in lines:
            keys[key] = dict(cells)
            ranks[key] = 1 if group == "scores" else 2 + order.index(group)
    columns = [Column("JOB", "job", most=40, least=12)]
    columns += [
        Column(key.upper(), key, rank=10 * ranks[key] + place, most=24, least=8)
        for place, key in enumerate(keys)
    ]
    rows = [
        {"job": name, **{key: cells.get(name, "") for key, cells in keys.items()}}
        for name in found.subjects
    ]
    table = Table(columns, rows)
    left = len(columns) - len(table.fitting(output.width)) if output.is_terminal else 0
    more = f"{plural(left, 'column')} left out for want of room; -o csv and -o md have all"
    return Table(columns, rows, more if left else "")


def _groups(
    found: Comparison, subjects: Sequence[Subject]
) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Yield each group's title and its lines: a key, and what stands there for each subject."""
    for group, title in _GROUP_TITLES.items():
        lines = [(row.key, _cells(row)) for row in found.rows if row.group == group]
        if group == "result":
            lines += _curves(subjects)
        if lines:
            yield title, lines


def _curves(subjects: Sequence[Subject]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the loss curves of all subjects, drawn on one scale."""
    for title, curves in (
        ("train curve", {s.name: s.train_loss() for s in subjects}),
        ("eval curve", {s.name: s.eval_loss() for s in subjects}),
    ):
        means = {
            name: bucketed([point.value for point in points], _SPARK_WIDTH)
            for name, points in curves.items()
        }
        drawn = [value for part in means.values() for value in part]
        if not drawn:
            continue
        low, high = min(drawn), max(drawn)
        # As `metrics --plot` does: else all but the fall of such a curve is a flat line.
        if 0 < low < high / LOG_FROM:
            means = {name: [math.log(value) for value in part] for name, part in means.items()}
            low, high, title = math.log(low), math.log(high), f"{title} (log)"
        yield title, {n: sparkline(part, low=low, high=high) for n, part in means.items()}


def _cells(row: Row) -> dict[str, str]:
    if row.group == "scores":
        return {name: score_text(value) for name, value in row.values.items()}
    if row.key.endswith(".change"):
        first = next(iter(row.values))
        return {n: "" if n == first else change_text(v) for n, v in row.values.items()}
    if row.key.endswith("_s"):
        return {name: duration(value) for name, value in row.values.items()}
    return excerpts({name: _text(value) for name, value in row.values.items()})


def score_text(score: Mapping[str, Any] | None) -> str:
    """Return `91.0% [85.1, 95.3]`: a score with its 95% interval, where there is one."""
    if score is None:
        return "-"
    shown = f"{score['value']:.1%}"
    if score["low"] is None:
        return shown
    return f"{shown} [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


def change_text(change: Mapping[str, Any] | None) -> str:
    """Return `+12 -3 ~1 rows, +4,100 tokens` against the first subject; ~ are changed rows."""
    if change is None:
        return "the same rows"
    counts = ((change["added"], "+"), (change["removed"], "-"), (change["changed"], "~"))
    if change["added"] is None:
        rows = f"{change['rows']:+,} rows" if change["rows"] else "other rows, as many"
    elif any(count for count, _ in counts):
        rows = " ".join(f"{sign}{count:,}" for count, sign in counts if count) + " rows"
    else:
        return "the same rows in another order"
    return f"{rows}, {change['tokens']:+,} tokens" if change["tokens"] else rows


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return number(value)
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def excerpts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts, long ones from shortly before the place where they begin to differ."""
    if all(len(text) <= _MOST_TEXT for text in texts.values()):
        return dict(texts)
    first, *others = texts.values()
    same = 0
    for characters in zip(first, *others, strict=False):
        if len(set(characters)) > 1:
            break
        same += 1
    start = max(same - 15, 0)
    return {
        name: ("…" if start and len(text) > start else "") + text[start:]
        for name, text in texts.items()
    }


# --- Markdown and rows -------------------------------------------------------------------------


def print_markdown(output: Output, found: Comparison, subjects: Sequence[Subject]) -> None:
    """Print a GitHub table, in which foreign text is code and nothing else."""
    output.text(f"### tunekit compare {' '.join(found.subjects)}\n")
    output.text(_md_row(["", *map(_code, found.subjects)]))
    output.text(_md_row(["---"] * (len(found.subjects) + 1)))
    for title, lines in _groups(found, subjects):
        output.text(_md_row([f"**{title.lower()}**", *[""] * len(found.subjects)]))
        for key, cells in lines:
            shown = [_code(shortened(line(cells.get(n, "")), 80)) for n in found.subjects]
            output.text(_md_row([_code(shortened(line(key), 80)), *shown]))
    for note in found.notes:
        output.text(f"\n> {note}")


def _md_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Return a code span of whatever text: no HTML, link, image or mention can come of it."""
    if not text or text == "-":
        return text
    # A span ends at a run of as many backticks as began it; a table's cell at a bare |.
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{clean(text).replace('|', chr(92) + '|')}{pad}{fence}"


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data."""
    rows = [{"group": row.group, "key": row.key, "values": dict(row.values)} for row in found.rows]
    return {"subjects": list(found.subjects), "rows": rows, "notes": list(found.notes)}


def csv_rows(found: Comparison) -> tuple[list[str], list[dict[str, Any]]]:
    """Return CSV fields and a row a key; of a score three: value, low and high."""
    rows = []
    for row in found.rows:
        parts: dict[str, Mapping[str, Any]] = {row.key: row.values}
        if any(isinstance(value, Mapping) for value in row.values.values()):
            names = (
                ("value", "low", "high")
                if row.group == "scores"
                else ("added", "removed", "changed", "tokens")
            )
            parts = {
                row.key if part == "value" else f"{row.key}.{part}": {
                    name: (value or {}).get(part) for name, value in row.values.items()
                }
                for part in names
            }
        for key, values in parts.items():
            rows.append({"group": row.group, "key": key, **values})
    return ["group", "key", *found.subjects], rows
