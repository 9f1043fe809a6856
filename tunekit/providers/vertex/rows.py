"""Examples as lines of Gemini's tuning files.

Source: https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning (prepare data,
for supervised and for preference tuning).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tunekit.errors import DataError
from tunekit.model import Example

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def line_of(example: Example, *, method: str, system_instruction: str | None) -> bytes:
    """Return one line with its end, UTF-8. DataError where a row lacks what the method needs."""
    return _JSON.encode(row_of(example, method=method, system=system_instruction)).encode() + b"\n"


def row_of(example: Example, *, method: str, system: str | None) -> Mapping[str, Any]:
    """Return one line as plain data."""
    row: dict[str, Any] = {}
    if system:
        row["systemInstruction"] = {"parts": [{"text": system}]}
    contents = [_turn("user", example.prompt)]
    if method != "preference":
        return {**row, "contents": [*contents, _turn("model", example.response)]}
    if example.rejected is None:
        raise DataError(f"row {example.line} has no rejected answer, which preference tuning needs")
    completions = [
        {"score": 1, "completion": _turn("model", example.response)},
        {"score": 0, "completion": _turn("model", example.rejected)},
    ]
    return {**row, "contents": contents, "completions": completions}


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
