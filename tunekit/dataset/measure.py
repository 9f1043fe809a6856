"""What is counted and hashed of a split, row by row."""

from __future__ import annotations

import hashlib

from tunekit.dataset.fastjson import append_newline, dumps
from tunekit.model import Example, OnRow, SplitInfo

_LONGEST = 64  # buckets: more than any row has bits of length


class Measure:
    """Counts rows and characters and hashes examples in the order that they are added."""

    def __init__(self, split: str, on_row: OnRow | None = None) -> None:
        self.rows = 0
        self._split = split
        self._on_row = on_row
        self._characters = 0
        self._tokens = 0
        self._buckets = [0] * _LONGEST
        self._hash = hashlib.sha256()
        self._update = self._hash.update

    def add(self, example: Example) -> None:
        """Take in one example as its canonical line."""
        prompt, response, _, _, rejected, turns, ready_made = example
        if rejected is None and not turns and ready_made is None:
            line = dumps({"prompt": prompt, "response": response}, option=append_newline)
            characters = len(prompt) + len(response)
        else:
            line = canonical(example)
            characters = len(prompt) + len(response) + len(rejected or "")
        self._update(line)
        tokens = (characters + 2) >> 2  # `estimated_tokens`, without a call for every row
        self.rows += 1
        self._characters += characters
        self._tokens += tokens
        self._buckets[tokens.bit_length()] += 1
        if self._on_row:
            row_hash = hashlib.blake2b(line, digest_size=8).digest()
            self._on_row(self._split, row_hash, tokens)

    def info(self) -> SplitInfo:
        used = max((place for place, rows in enumerate(self._buckets, 1) if rows), default=0)
        return SplitInfo(
            rows=self.rows,
            characters=self._characters,
            digest=self._hash.hexdigest(),
            tokens=self._tokens,
            histogram=tuple(self._buckets[:used]),
        )


def canonical(example: Example) -> bytes:
    """Return the line that a digest hashes: a ready-made one as it is, else JSON, keys sorted."""
    if example.raw is not None:
        return example.raw + b"\n"
    if not example.turns:
        prompt, response, rejected = example.prompt, example.response, example.rejected
        if rejected is None:
            return dumps({"prompt": prompt, "response": response}, option=append_newline)
        content = {"prompt": prompt, "rejected": rejected, "response": response}
        return dumps(content, option=append_newline)
    turns = [[turn.role, turn.text] for turn in example.turns]
    last = {"rejected": example.rejected, "response": example.response, "turns": turns}
    return dumps(last, option=append_newline)
