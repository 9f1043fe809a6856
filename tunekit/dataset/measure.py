"""What is counted and hashed of a split, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tunekit.dataset.fastjson import append_newline, dumps
from tunekit.model import Example, OnRows, SplitInfo, Turn

_LONGEST = 64  # buckets: more than any row has bits of length


class Measure:
    """Counts rows and characters and hashes examples in the order that they are added."""

    def __init__(self, split: str, on_rows: OnRows | None = None) -> None:
        self.rows = 0
        self._split = split
        self._on_rows = on_rows
        self._characters = 0
        self._tokens = self._prompt_tokens = self._size_bytes = 0
        self._buckets = [0] * _LONGEST
        self._hash = hashlib.sha256()

    def add(self, examples: Sequence[Example]) -> None:
        """Take in examples as their canonical lines; many at once take half the time of each."""
        lines: list[bytes] = []
        buckets, all_tokens, characters = self._buckets, [], 0
        for prompt, response, _, _, rejected, turns, raw in examples:
            length = len(prompt) + len(response)
            if rejected is None and not turns and raw is None:
                line = dumps({"prompt": prompt, "response": response}, option=append_newline)
            else:
                line = _canonical(prompt, response, rejected, turns, raw)
                length += len(rejected or "")
            lines.append(line)
            characters += length
            tokens = (length + 2) >> 2  # `estimated_tokens`, without a call for every row
            all_tokens.append(tokens)
            buckets[tokens.bit_length()] += 1
        written = b"".join(lines)
        self._hash.update(written)
        self.rows += len(lines)
        self._characters += characters
        self._tokens += sum(all_tokens)
        self._prompt_tokens += sum([(len(example.prompt) + 2) >> 2 for example in examples])
        self._size_bytes += characters + _more_bytes(examples, written)
        if self._on_rows:
            self._on_rows(self._split, lines, all_tokens, examples)

    def info(self) -> SplitInfo:
        used = max((place for place, rows in enumerate(self._buckets, 1) if rows), default=0)
        return SplitInfo(
            rows=self.rows,
            characters=self._characters,
            digest=self._hash.hexdigest(),
            tokens=self._tokens,
            histogram=tuple(self._buckets[:used]),
            prompt_tokens=self._prompt_tokens,
            size_bytes=self._size_bytes,
        )


def _more_bytes(examples: Sequence[Example], written: bytes) -> int:
    """Return how many more bytes than characters the texts have in UTF-8."""
    if not any(example.raw is not None for example in examples[:1]):
        # All that is not ASCII in canonical lines is the texts'.
        return 0 if written.isascii() else len(written) - len(str(written, "utf-8"))
    # A ready-made line may have its characters escaped.
    texts = (text for e in examples for text in (e.prompt, e.response, e.rejected or ""))
    return sum(len(text.encode("utf-8", "surrogatepass")) - len(text) for text in texts)


def _canonical(
    prompt: str, response: str, rejected: str | None, turns: Sequence[Turn], raw: bytes | None
) -> bytes:
    """Return the line that a digest hashes: a ready-made one as it is, else JSON, keys sorted."""
    if raw is not None:
        return raw + b"\n"
    if turns:
        said = [[turn.role, turn.text] for turn in turns]
        line = {"rejected": rejected, "response": response, "turns": said}
        return dumps(line, option=append_newline)
    return dumps(
        {"prompt": prompt, "rejected": rejected, "response": response}, option=append_newline
    )
