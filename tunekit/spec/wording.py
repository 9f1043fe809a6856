"""Values, names and guesses as messages write them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

_MAX_SHOWN = 48
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_./:-]*\Z")

# What other tools call our keys, where the letters alone would not tell.
_ELSEWHERE = {
    "lr": "learning_rate",
    "rank": "adapter_size",
    "lora_rank": "adapter_size",
    "lora_r": "adapter_size",
    "epoch_count": "epochs",
    "num_train_epochs": "epochs",
    "labels": "tags",
    "model": "base_model",
    "data": "dataset",
    "hyperparameters": "tuning",
    "training": "tuning",
    "evaluation": "evaluate",
    "budget": "max_cost_usd",
    "timeout": "max_duration",
    "file": "path",
    "repo": "hub",
    "dataset": "hub",
    "uri": "gcs",
    "system": "system_instruction",
    "system_prompt": "system_instruction",
    "limit": "take",
    "eval": "validation",
    "dev": "validation",
    "max_tokens": "max_output_tokens",
}


def shown(value: Any) -> str:
    """Return a value in a message: text quoted and cut, lists and mappings by kind."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return number(value)
        case str():
            cut = value if len(value) <= _MAX_SHOWN else value[: _MAX_SHOWN - 1] + "…"
            # Beyond ASCII, JSON leaves characters in place that end a line or turn a terminal.
            return json.dumps(cut, ensure_ascii=not cut.isprintable() and not cut.isascii())
        case list():
            return "a list"
        case _:
            return "a mapping"


def key_text(key: str) -> str:
    """Return a key or a name as messages write it: cut, on one line, without control characters."""
    return shown(key)[1:-1]


def path_text(steps: Iterable[str | int]) -> str:
    """Return a path as messages write it: `tuning.epochs`."""
    return ".".join(key_text(str(step)) for step in steps)


def number(value: float) -> str:
    """Return a number without a needless `.0`."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def flow(value: Any) -> str:
    """Return a small value as one line of YAML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(item) for item in value) + "]"
        case str() if _SIMPLE.match(value):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def choices(names: Iterable[str], word: str = "or") -> str:
    """Return `a`, `a or b`, `a, b or c`."""
    listed = list(names)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"


def guess(written: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant, None where none is near."""
    names = list(known)
    plain = {_plain(name): name for name in names}
    if same := plain.get(_plain(written)):
        return same
    elsewhere = _ELSEWHERE.get(_snake(written))
    if elsewhere in names:
        return elsewhere
    near = difflib.get_close_matches(_snake(written)[:80], names, n=1, cutoff=0.65)
    return near[0] if near else None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
