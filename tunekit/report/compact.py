"""A report as small JSON: rows instead of objects, repeated text once, curves as they fit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from tunekit.report.curves import bucketed
from tunekit.report.model import JobPage, Report, Scorecard, Series

# Tried in this order until the page is small enough: points a curve, kept answers a scorecard.
# A curve is drawn some 500 pixels wide; more points than the first would only be noise.
_ROOM = (
    *((160, 20), (96, 12), (64, 8), (44, 5), (36, 4), (30, 3), (25, 2), (20, 2), (16, 1)),
    *((12, 1), (6, 0)),
)
_BYTES_A_POINT = 25  # of a job's curves together, about
_SHORTENED = 400  # characters of one text, where nothing else helps
# Digits of a hash that are shown; nobody reads more.
_DIGITS = {"revision": 12, "fingerprint": 16, "commit": 12}

# Text that many jobs share is stored once; a row then holds its place in `texts`.
SHARED = frozenset(
    {
        *("experiment", "state", "provider", "base_model", "description", "notice"),
        *("who", "command", "commit", "why", "path", "revision", "parent", "source"),
        *("fingerprint",),
    }
)
_OF_KINDS = ("precision", "recall", "f1", "expected")
CARD = (
    *("target", "split", "rows", "scores", "baselines", "confusion", "verdict", "promote_if"),
    *("entities", "differences", "digest", "answers"),
)
_SPECIAL = frozenset({"spec", "series", "scorecards", "advice", "tags", "splits"})


def compact(report: Report, *, most_bytes: int) -> str:
    """Return the report as JSON of at most `most_bytes`, as far as thinner curves can do that.

    `fields` names the columns of `jobs`; columns in `shared` and all of `spec` point into `texts`.
    """
    fewest, none = _ROOM[-1]
    smallest = _encoded(report, points=fewest, answers=none, longest=None)
    room = most_bytes - len(smallest.encode())
    if room < 0:
        return _encoded(report, points=fewest, answers=none, longest=_SHORTENED)
    for points, answers in _ROOM[:-1]:
        # Surely too much: not even tried.
        if len(report.jobs) * (points - fewest) * _BYTES_A_POINT > room:
            continue
        text = _encoded(report, points=points, answers=answers, longest=None)
        if len(text.encode()) <= most_bytes:
            return text
    return smallest


def _encoded(report: Report, *, points: int, answers: int, longest: int | None) -> str:
    texts: dict[Any, int] = {}

    def share(value: Any) -> int:
        if longest is not None and isinstance(value, str) and len(value) > longest:
            value = value[: longest - 1] + "…"
        # 1, 1.0 and True are one key of a dict, but not one value.
        return texts.setdefault((type(value), value), len(texts))

    names = [field.name for field in fields(JobPage)]
    rows = [
        [_column(job, name, share, points=points, answers=answers) for name in names]
        for job in report.jobs
    ]
    document = {
        "title": report.title,
        "made_s": round(report.made_s),
        "left_out": report.left_out,
        "fields": names,
        "shared": sorted(SHARED),
        "card": CARD,
        "jobs": rows,
        "texts": [value for _, value in texts],
    }
    return _harmless(
        json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    )


def _harmless(text: str) -> str:
    """Return JSON that means the same and may stand inside a script element, as UTF-8."""
    # `<` only ever stands inside strings; escaped, no string can end the element or open a
    # comment. The two separators were line ends to older JavaScript.
    for unsafe in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(unsafe, f"\\u{ord(unsafe):04x}")
    # A lone surrogate has no UTF-8; JSON can still spell it.
    return text.encode("utf-8", "backslashreplace").decode()


def _column(
    job: JobPage, name: str, share: Callable[[Any], int], *, points: int, answers: int
) -> Any:
    value = getattr(job, name)
    if name in SHARED:
        return share(value[: _DIGITS[name]] if value and name in _DIGITS else value)
    if name not in _SPECIAL:
        return _number(value, 6) if name in ("loss", "cost_usd") else _second(value, name)
    match name:
        case "spec":
            return [share(part) for key, inner in value.items() for part in (key, _plain(inner))]
        case "series":
            return [_curve(series, points) for series in value]
        case "scorecards":
            return _scorecards(value, share, points=points, answers=answers)
        case "advice":
            return [[share(a.rule), a.severity, share(a.fact), share(a.remedy)] for a in value]
        case _:
            return [part for key, inner in value.items() for part in (share(key), share(inner))]


def _second(value: Any, name: str) -> Any:
    return round(value, 1) if name.endswith("_s") and value is not None else value


def _curve(series: Series, points: int) -> list[Any]:
    """Return [chart, split, points a mean, steps as differences, means, lows, highs]."""
    # Accuracy is drawn without its spread, and eval points are few: the loss gets the room.
    most = points if series.chart == "loss" else max(points // 2, 6)
    curve = bucketed(series.steps, series.values, most)
    differences = [
        step - before for step, before in zip(curve.steps, (0, *curve.steps), strict=False)
    ]
    row: list[Any] = [series.chart, series.split, curve.per, differences]
    row.append([_number(value, 4) for value in curve.means])
    if series.chart == "loss" and curve.lows:
        row += [[_number(v, 3) for v in curve.lows], [_number(v, 3) for v in curve.highs]]
    return row


def _scorecards(
    cards: Sequence[Scorecard], share: Callable[[Any], int], *, points: int, answers: int
) -> list[Any]:
    """Return each as a row: CARD says of what. Scores are [metric, value, low, high].

    Baselines, [name, metric, value], are of a split, so only its first scorecard has them.
    """
    told: set[str] = set()
    rows = []
    for card in cards:
        scores = [
            [share(name), _number(value, 5)]
            + [_number(bound, 4) for bound in card.intervals.get(name, ())]
            for name, value in card.scores.items()
        ]
        baselines = [
            [share(name), share(metric), _number(value, 4)]
            for name, found in card.baselines.items()
            for metric, value in found.items()
        ]
        row = {
            "target": share(card.target),
            "split": share(card.split),
            "rows": card.rows,
            "digest": share(card.split_digest[:12]),
            "scores": scores,
            "baselines": [] if card.split in told else baselines,
            "confusion": _confusion(card.confusion, share, most=points),
            "entities": [
                [share(kind)] + [_number(scores.get(name), 4) for name in _OF_KINDS]
                for kind, scores in (card.entities or {}).items()
            ][:points],
            "verdict": share(card.verdict),
            "promote_if": share(card.promote_if),
            "differences": [
                [share(d.metric), share(d.than), _number(d.difference, 3), _number(d.p_value, 2)]
                for d in card.differences
            ],
            "answers": [
                [a.line, a.expected, a.answered, a.is_right] for a in card.answers[:answers]
            ],
        }
        told.add(card.split)
        rows.append([row[name] for name in CARD])
    return rows


def _confusion(
    confusion: Mapping[str, Any] | None, share: Callable[[Any], int], *, most: int
) -> dict[str, Any] | None:
    """Return `labels` and `counts` ([expected, answered, rows]), of those the most frequent."""
    if confusion is None:
        return None
    counts = sorted(confusion["counts"], key=lambda entry: -entry[2])
    kept = {"labels": [share(label) for label in confusion["labels"]], "counts": counts[:most]}
    return kept | ({"left_out": len(counts) - most} if len(counts) > most else {})


def _number(value: Any, digits: int) -> Any:
    """Return a number of so many significant digits; None for one that is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None if value is None else _number(float(value), digits)
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
