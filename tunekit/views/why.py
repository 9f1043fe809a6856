"""From a model back to all that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.views.compare import score_text
from tunekit.views.jobs import commit, cost, utc
from tunekit.views.output import STATE_STYLES, Output
from tunekit.views.text import line, plural


def print_origins(output: Output, origins: Sequence[Mapping[str, Any]]) -> None:
    """Print each job that made the model, then the ones that made what it was tuned from."""
    for place, origin in enumerate(origins):
        if place:
            output.text()
        _print_origin(output, origin)


def _print_origin(output: Output, origin: Mapping[str, Any]) -> None:
    prefix = "tuned from " if origin["depth"] else ""
    saved = f" checkpoint {origin['checkpoint']}" if origin["checkpoint"] else ""
    output.styled(
        f"{prefix}{origin['job']}{saved}  {origin['state']}",
        STATE_STYLES.get(origin["state"], ""),
    )
    written = commit(origin) or "not known: submitted outside git"
    if origin["commit"] and origin["is_dirty"]:
        written += ", which the commit does not have"
    fields = {
        "model": origin["model"],
        "endpoint": origin["endpoint"],
        "experiment": f"{origin['experiment']}: {origin['path']}"
        if origin["path"]
        else origin["experiment"],
        "about": origin["description"],
        "revision": f"{origin['revision'][:12]}, attempt {origin['attempt']}",
        "commit": written,
        "asked by": f"{origin['who'] or 'unknown'}, {utc(origin['submitted_s'])}",
        "command": origin["command"],
        "why": origin["why"],
        "base model": origin["base_model"],
        "tuning": ", ".join(f"{key} {value}" for key, value in origin["hyperparameters"].items()),
        "data": _data(origin),
        "cost": f"{cost(origin)} USD" if cost(origin) else "",
    }
    for name, value in fields.items():
        if value:
            output.text(f"  {name:<12}{line(value)}")
    for entry in origin["evaluations"]:
        output.text(f"  {'score':<12}{line(_evaluation(entry))}")
    if not origin["evaluations"]:
        output.text(f"  {'score':<12}none: `tunekit evaluate {origin['job']}`")


def _data(origin: Mapping[str, Any]) -> str:
    splits = ", ".join(
        f"{plural(info['rows'], 'row')} {name} ({info['digest'][:12]})"
        for name, info in origin["splits"].items()
    )
    return f"{origin['source']}; {splits}" if origin["source"] else splits


def _evaluation(entry: Mapping[str, Any]) -> str:
    intervals = entry.get("intervals") or {}
    shown = []
    for metric, value in entry["scores"].items():
        if "." not in metric and value is not None:
            low, high = intervals.get(metric) or (None, None)
            shown.append(f"{metric} {score_text({'value': value, 'low': low, 'high': high})}")
    rows = f"{plural(entry['rows'], 'row')} of {entry['split']}"
    verdict = f", {entry['verdict']}" if entry.get("verdict") else ""
    return f"{', '.join(shown)} ({rows}, {entry['model']}, {utc(entry['at_s'])}{verdict})"
