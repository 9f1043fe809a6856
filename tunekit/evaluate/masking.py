"""Masked texts: which placeholders they hold, and which personal texts are left in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

# {{first_name}}, [NAME], [NAME_2], [FULL NAME], <NAME>, and masks without a kind: *** and XXXX.
PLACEHOLDER = re.compile(
    r"\{\{\s*([A-Za-z][A-Za-z0-9_.\- ]{0,63}?)\s*\}\}"
    r"|\[([A-Z][A-Z0-9_\- ]{0,63})\]|<([A-Z][A-Z0-9_\-]{0,63})>"
    r"|(\*{3,}|\bX{4,}\b)"
)
_NUMBERED = re.compile(r"[_-]?[0-9]+\Z")
_PIECES = re.compile(r"\w+|[^\w\s]")
_WORDS = re.compile(r"\w+")


def kind_of(match: re.Match[str]) -> str:
    """Return what a placeholder stands for: `NAME` of `[NAME_2]`, `***` of any row of stars."""
    written = next(group for group in match.groups() if group)
    if match[4]:
        return written[0] * 3
    return _NUMBERED.sub("", written) or written


def placeholders(text: str) -> Counter[str]:
    """Return how many placeholders of each kind a text holds."""
    return Counter(map(kind_of, PLACEHOLDER.finditer(text)))


def entities(source: str, masked: str) -> list[str]:
    """Return the texts of `source` that stand where `masked` has placeholders, in order.

    First by the text between the placeholders, case aside; where that was changed too, by the
    longest common sequence of words and marks. A placeholder that nothing stands for gives none.
    """
    literals, last = [], 0
    for match in PLACEHOLDER.finditer(masked):
        literals.append(masked[last : match.start()])
        last = match.end()
    if not literals:
        return []
    literals.append(masked[last:])
    found = _between(source.strip(), _stripped(literals))
    if found is None:
        found = list(_aligned(source, masked))
    return [text for text in (entity.strip() for entity in found) if text]


def _stripped(literals: list[str]) -> list[str]:
    return [literals[0].lstrip(), *literals[1:-1], literals[-1].rstrip()]


def _between(source: str, literals: list[str]) -> list[str] | None:
    """Return what stands between literals that follow each other; None where they do not.

    Each is taken where it first occurs. With a gap of any length between two, that finds a way
    wherever there is one, in linear time.
    """
    folded = _folded(source)
    first, *middle, last = map(_folded, literals)
    end = len(folded) - len(last)
    if not folded.startswith(first) or not folded.endswith(last):
        return None
    found, at = [], len(first)
    for literal in middle:
        # A placeholder stands for one character at least; two may touch.
        place = folded.find(literal, at + 1, end) if literal else min(at + 1, end)
        if place < 0:
            return None
        found.append(source[at:place])
        at = place + len(literal)
    if at >= end:
        return None
    return [*found, source[at:end]]


def _folded(text: str) -> str:
    """Return text in lower case, each character for one."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


class _Mark(NamedTuple):
    """Stands for a placeholder among pieces of text, and equals none of them."""

    kind: str


def _aligned(source: str, masked: str) -> Iterator[str]:
    """Yield the stretches of `source` that placeholders replace, words and marks aligned."""
    from rapidfuzz.distance import LCSseq

    theirs = list(_PIECES.finditer(source))
    mine: list[str | _Mark] = []
    last = 0
    for match in PLACEHOLDER.finditer(masked):
        mine += _PIECES.findall(_folded(masked[last : match.start()]))
        mine.append(_Mark(kind_of(match)))
        last = match.end()
    mine += _PIECES.findall(_folded(masked[last:]))
    # LCSseq tells removals from insertions; between two common pieces both are one replacement.
    removed: list[re.Match[str]] = []
    has_mark = False
    end = ("equal", len(theirs), len(theirs), len(mine), len(mine))
    for tag, *places in [*LCSseq.opcodes([_folded(piece[0]) for piece in theirs], mine), end]:
        if tag == "equal":
            if has_mark and removed:
                yield source[removed[0].start() : removed[-1].end()]
            removed, has_mark = [], False
            continue
        removed += theirs[places[0] : places[1]]
        has_mark |= any(isinstance(piece, _Mark) for piece in mine[places[2] : places[3]])


def leaks(
    source: str, expected: str, answered: str, kinds: Collection[str] | None = None
) -> tuple[int, int]:
    """Return how many entities of a row are left in the answer, wholly or in part; and of how many.

    `kinds`: what placeholders may stand for; None: only what they stand for in `expected`.

    One is left where a word of it stands in the answer more often than in the expected answer,
    case aside: then it was masked there and not here. Words of one character count only in an
    entity that has no longer ones. Each distinct entity text counts once a row.
    """
    found = {_folded(entity) for entity in entities(source, expected)}
    wanted, given = _folded(expected), _folded(answered)
    # Placeholders are no text: `[NAME]` does not leak "name". But `[ANA]` leaks "Ana".
    known = placeholders(expected).keys() | set(kinds or ())
    wanted, given = _unmarked(expected, wanted, known), _unmarked(answered, given, known)
    left = sum(any(_count(w, given) > _count(w, wanted) for w in _words(e)) for e in found)
    return left, len(found)


def _unmarked(text: str, folded: str, kinds: Collection[str]) -> str:
    """Return `folded` without the placeholders of these kinds that stand in `text`."""
    parts, last = [], 0
    for match in PLACEHOLDER.finditer(text):
        if kind_of(match) not in kinds:
            continue
        parts.append(folded[last : match.start()])
        last = match.end()
    return " ".join([*parts, folded[last:]])


def _words(entity: str) -> list[str]:
    words = _WORDS.findall(entity)
    return [word for word in words if len(word) > 1] or words or [entity]


def _count(word: str, text: str) -> int:
    """Count a word; scripts that put no space between words are searched as they stand."""
    if not word.isascii() or not word.replace("_", "a").isalnum():
        return text.count(word)
    return len(re.findall(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text))
