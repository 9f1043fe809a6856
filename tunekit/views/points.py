"""Metric points for other tools: rows, JSON, and files by their suffix."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tunekit.errors import MissingExtra
from tunekit.evaluate.curves import series
from tunekit.model import MetricPoint
from tunekit.views.curves import TITLES, Measured
from tunekit.views.figure import figure

SUFFIXES = (".png", ".svg", ".csv", ".json", ".parquet")


def wide(points: Sequence[MetricPoint]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the series' names, and a row a step with a value a series that has one there."""
    names = [n for n in TITLES if any(p.metric == n for p in points)]
    names += sorted({p.metric for p in points} - set(names))
    rows: dict[int, dict[str, Any]] = {}
    for point in points:
        rows.setdefault(point.step, {"step": point.step})[point.metric] = point.value
    return names, [rows[step] for step in sorted(rows)]


def metrics_json(subjects: Sequence[Measured]) -> dict[str, Any]:
    """Return every job's series as lists, and its advice."""
    by = subjects[0].by if subjects else "step"
    return {
        "by": by,
        "jobs": [
            {
                "job": subject.title,
                "epochs": subject.epochs,
                "series": {
                    name: {
                        f"{by}s": [point.step for point in points],
                        # JSON has no NaN and no infinity.
                        "values": [p.value if math.isfinite(p.value) else None for p in points],
                        "times_s": [point.time_s for point in points],
                    }
                    for name, points in series(subject.points).items()
                },
                "advice": [asdict(advice) for advice in subject.advice],
            }
            for subject in subjects
        ],
    }


def csv_rows(subjects: Sequence[Measured]) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Return CSV fields and rows: one row a job and step, one column a series."""
    by = subjects[0].by if subjects else "step"
    names, _ = wide([point for subject in subjects for point in subject.points])
    rows: list[Mapping[str, Any]] = []
    for subject in subjects:
        for row in wide(subject.points)[1]:
            rows.append({"job": subject.title, by: row.pop("step"), **row})
    return ["job", by, *names], rows


def file_of(subjects: Sequence[Measured], suffix: str, *, window: int | None = None) -> bytes:
    """Return the content of a file with one of SUFFIXES. MissingExtra where its library is not."""
    match suffix:
        case ".png" | ".svg":
            return figure(subjects, suffix[1:], window=window)
        case ".parquet":
            return _parquet(subjects)
        case ".json":
            document = {"schema": "tunekit.metrics/1", **metrics_json(subjects)}
            return (json.dumps(document, indent=1) + "\n").encode()
    fields, rows = csv_rows(subjects)
    file = io.StringIO()
    writer = csv.DictWriter(file, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def _parquet(subjects: Sequence[Measured]) -> bytes:
    """Return one row a point, all series below each other: what data frames like."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtra(needs="pyarrow", extra="parquet") from error
    by = subjects[0].by if subjects else "step"
    rows = [(subject.title, point) for subject in subjects for point in subject.points]
    table = pa.table(
        {
            "job": pa.array([title for title, _ in rows], pa.string()),
            "series": pa.array([point.metric for _, point in rows], pa.string()),
            by: pa.array([point.step for _, point in rows], pa.int64()),
            "value": pa.array([point.value for _, point in rows], pa.float64()),
            "time_s": pa.array([point.time_s for _, point in rows], pa.float64()),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()
