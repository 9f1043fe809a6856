"""The constant frame that a prompt template puts around its input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Where no whole line is common, a single-line template ("Mask: {input}") ends at such a mark.
_LINE_END = re.compile(r"\n")
_MARK_END = re.compile(r":[ \t]+")


class Frame(NamedTuple):
    """What stands before (`prefix`) and after (`suffix`) the input in every training prompt."""

    prefix: str
    suffix: str

    def remove(self, prompt: str) -> str:
        """Return the input inside the frame, or the prompt as it is where the frame is absent."""
        if len(prompt) < len(self.prefix) + len(self.suffix):
            return prompt
        if not (prompt.startswith(self.prefix) and prompt.endswith(self.suffix)):
            return prompt
        return prompt[len(self.prefix) : len(prompt) - len(self.suffix)]


NO_FRAME = Frame("", "")


def find_frame(prompts: Sequence[str], responses: Sequence[str]) -> Frame:
    """Return the longest frame of all prompts, cut back to whole lines (or to a "Mask: " mark).

    A prefix or suffix that every response shares is text to copy, not a frame, and is left out.
    Fewer than two distinct prompts show no frame.
    """
    if len(set(prompts)) < 2:
        return NO_FRAME
    prefix = _cut_prefix(_common_prefix(prompts))
    rest = [prompt[len(prefix) :] for prompt in prompts]
    suffix = _cut_suffix(_common_prefix([text[::-1] for text in rest])[::-1])
    if prefix and all(response.startswith(prefix) for response in responses):
        prefix = ""
    if suffix and all(response.endswith(suffix) for response in responses):
        suffix = ""
    return Frame(prefix, suffix)


def _common_prefix(texts: Sequence[str]) -> str:
    # What the first and the last in sorted order share, all between them share too.
    first, last = min(texts), max(texts)
    for i, c in enumerate(first):
        if last[i : i + 1] != c:
            return first[:i]
    return first


def _cut_prefix(common: str) -> str:
    for mark in (_LINE_END, _MARK_END):
        ends = [match.end() for match in mark.finditer(common)]
        if ends:
            return common[: ends[-1]]
    return ""


def _cut_suffix(common: str) -> str:
    start = common.find("\n")
    return common[start:] if start >= 0 else ""
