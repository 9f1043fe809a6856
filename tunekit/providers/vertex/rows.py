"""Examples as lines of Gemini's tuning files.

Source: https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning (prepare data,
for supervised and for preference tuning).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tunekit.errors import DataError
from tunekit.model import Example

# What most lines are, for a third of the time.
_PLAIN = (
    b'{"contents":[{"role":"user","parts":[{"text":%b}]},{"role":"model","parts":[{"text":%b}]}]}\n'
)


def line_of(example: Example, *, method: str, system_instruction: str | None) -> bytes:
    """Return one line with its end, UTF-8. DataError where a row lacks what the method needs.

    A ready-made line is sent as it is.
    """
    if example.raw is not None:
        return example.raw + b"\n"
    if method == "supervised" and not system_instruction and not example.turns:
        return _PLAIN % (orjson.dumps(example.prompt), orjson.dumps(example.response))
    row = row_of(example, method=method, system=system_instruction)
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def row_of(example: Example, *, method: str, system: str | None) -> Mapping[str, Any]:
    """Return one line as plain data; a conversation's own system turn replaces `system`."""
    row: dict[str, Any] = {}
    turns = example.turns
    if turns and turns[0].role == "system":
        system, turns = turns[0].text, turns[1:]
    if system:
        row["systemInstruction"] = {"parts": [{"text": system}]}
    contents = [_turn(*turn) for turn in turns] or [_turn("user", example.prompt)]
    if method != "preference":
        row["contents"] = [*contents, _turn("model", example.response)]
        return row
    if example.rejected is None:
        raise DataError(f"row {example.line} has no rejected answer, which preference tuning needs")
    completions = [
        {"score": 1, "completion": _turn("model", example.response)},
        {"score": 0, "completion": _turn("model", example.rejected)},
    ]
    return {**row, "contents": contents, "completions": completions}


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
