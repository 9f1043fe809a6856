"""Examples as lines of a local job's files: what a worker is given to learn."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tunekit.providers.local.folder import open_private


def line_of(prompt: str, response: str) -> bytes:
    """Return one row as a worker reads it, with its end; a spec can read it by these columns."""
    return json.dumps({"prompt": prompt, "response": response}).encode() + b"\n"


def write_rows(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write (prompt, response) pairs to a file that only its owner may read."""
    with open_private(path) as file:
        for prompt, response in pairs:
            file.write(line_of(prompt, response))


def read_rows(path: Path) -> list[tuple[str, str]]:
    """Return the (prompt, response) pairs of a file, [] where there is none."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    rows = (json.loads(line) for line in lines if line)
    return [(row["prompt"], row["response"]) for row in rows]
