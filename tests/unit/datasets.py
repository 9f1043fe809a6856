"""Experiments and files for the tests of `tunekit.dataset`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunekit import dataset
from tunekit.model import (
    DatasetSpec,
    EvaluationSpec,
    Example,
    Experiment,
    Lifecycle,
    Limits,
    Location,
    Source,
    Tuning,
)

SPEC = "experiments/pii.yaml"
PLACES = (
    *("dataset", "dataset.source", "dataset.source.path", "dataset.columns"),
    *("dataset.columns.input", "dataset.columns.output", "dataset.prompt", "dataset.split"),
)


def make_experiment(path: str = "data.jsonl", **changes: Any) -> Experiment:
    """Return an experiment that reads `path`; `changes` are fields of its DatasetSpec."""
    spec = DatasetSpec(
        source=Source(path=path),
        columns={"input": "text", "output": "masked"},
        prompt="Mask: {input}",
        split={"train": 1},
    )
    return Experiment(
        name="pii",
        provider="local",
        base_model="text-editor",
        dataset=replace(spec, **changes),
        tuning=Tuning(),
        evaluate=EvaluationSpec(),
        limits=Limits(),
        lifecycle=Lifecycle(),
        where=Location(SPEC, 1, 1),
        places={key: Location(SPEC, line, 3) for line, key in enumerate(PLACES, 2)},
    )


def place(key: str) -> str:
    """Return where `make_experiment` has a key, as messages show it."""
    return f"{SPEC}:{PLACES.index(key) + 2}:3"


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(text.encode())


def numbered(count: int) -> list[dict[str, str]]:
    """Return rows whose text is their number, from 0."""
    return [{"text": str(number), "masked": f"[{number}]"} for number in range(count)]


def read_all(root: Path, experiment: Experiment, split: str = "train") -> list[Example]:
    """Return the examples of a split of a freshly prepared data set."""
    return list(dataset.prepare(experiment, root=root).read(split))


def gemini_line(prompt: str, response: str) -> dict[str, Any]:
    """Return one row in Gemini's format of supervised tuning."""
    return {"contents": [turn("user", prompt), turn("model", response)]}


def preference_line(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """Return one row in Gemini's format of preference tuning."""
    scored = ((1, chosen), (0, rejected))
    return {
        "contents": [turn("user", prompt)],
        "completions": [{"score": s, "completion": turn("model", text)} for s, text in scored],
    }


def turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
