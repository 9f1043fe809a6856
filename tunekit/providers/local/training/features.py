"""Hashed features: of the tokens of an input for the editor, of a whole text for the classifier.

Hashes, not words, are stored with a model, so that it holds no text of the rows but its edits or
labels. Source: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .tokens import Token, tokenize

Hashes = NDArray[np.uint32]
_Columns = NDArray[np.uint64]

# One column a property of a token. A template is one feature: properties of tokens at offsets.
_LEXICAL = (
    *("lower", "core", "shape", "squeezed", "length"),
    *("prefix2", "prefix3", "prefix4", "suffix1", "suffix2", "suffix3", "suffix4"),
)
_PROPERTIES = (*_LEXICAL, "space", "case", "start", "rest", "head")
_COLUMN = {name: column for column, name in enumerate(_PROPERTIES)}
_WINDOW = 4
_TEMPLATES: tuple[tuple[tuple[str, int], ...], ...] = (
    (),
    *(((name, 0),) for name in _PROPERTIES),
    *((("lower", offset),) for offset in (-4, -3, -2, -1, 1, 2, 3, 4)),
    *((("squeezed", offset),) for offset in (-3, -2, -1, 1, 2, 3)),
    *(((name, offset),) for name in ("suffix3", "prefix3", "length") for offset in (-1, 1)),
    *((("space", offset),) for offset in (-1, 1, 2)),
    (("lower", 0), ("case", 0)),
    (("squeezed", 0), ("case", 0)),
    (("start", 0), ("case", 0)),
    (("squeezed", 0), ("start", 0), ("case", 0)),
    (("lower", -1), ("lower", 0)),
    (("lower", 0), ("lower", 1)),
    (("lower", -1), ("lower", 1)),
    (("lower", -2), ("lower", -1)),
    (("lower", 1), ("lower", 2)),
    (("lower", -3), ("lower", -2), ("lower", -1)),
    (("lower", 1), ("lower", 2), ("lower", 3)),
    (("lower", -1), ("squeezed", 0)),
    (("squeezed", 0), ("lower", 1)),
    (("lower", -2), ("lower", -1), ("squeezed", 0)),
    (("squeezed", -1), ("squeezed", 0)),
    (("squeezed", 0), ("squeezed", 1)),
    (("squeezed", -1), ("squeezed", 0), ("squeezed", 1)),
    (("squeezed", -2), ("squeezed", -1), ("squeezed", 0), ("squeezed", 1), ("squeezed", 2)),
    (("space", 0), ("squeezed", 0)),
    (("space", 1), ("squeezed", 0), ("squeezed", 1)),
    (("head", 0), ("squeezed", 0)),
)


def token_features(tokens: Sequence[Token]) -> Hashes:
    """Return the features of each token, in its window, shape (tokens, templates)."""
    count = len(tokens)
    padded = np.zeros((count + 2 * _WINDOW, len(_PROPERTIES)), dtype=np.uint64)
    padded[_WINDOW:-_WINDOW] = _properties(tokens)
    hashes = np.empty((count, len(_TEMPLATES)), dtype=np.uint32)
    for number, template in enumerate(_TEMPLATES):
        columns = [
            padded[_WINDOW + offset : _WINDOW + offset + count, _COLUMN[name]]
            for name, offset in template
        ]
        hashes[:, number] = _mix(number, columns, count)
    return hashes


def document_features(tokens: Sequence[Token]) -> Hashes:
    """Return the features that all tokens of an input share: its words, word pairs and lines."""
    words = [token.core.lower() for token in tokens]
    keys = {f"w {word}" for word in words}
    keys.update(f"p {one} {two}" for one, two in pairwise(words))
    keys.add(f"l {sum(chr(10) in token.space for token in tokens)}")
    return np.array(sorted(_crc(key) for key in keys), dtype=np.uint32)


def text_features(text: str) -> tuple[Hashes, NDArray[np.float32]]:
    """Return the features of a text and their weights 1 + log(count).

    Words, word pairs, the runs of 2 to 5 characters inside each word, and one that every text has,
    by which labels are weighed where nothing else is known.
    """
    words = [token.core.lower() for token in tokenize(text) if token.core]
    keys = Counter(["b"])
    for word in words:
        keys.update(_word_keys(word))
    keys.update(f"p {one} {two}" for one, two in pairwise(words))
    hashes = np.array([_crc(key) for key in keys], dtype=np.uint32)
    return hashes, (1 + np.log(np.array(list(keys.values()), dtype=np.float32)))


@lru_cache(maxsize=50_000)
def _word_keys(word: str) -> tuple[str, ...]:
    edged = f" {word} "
    runs = (
        f"c {edged[i : i + size]}" for size in range(2, 6) for i in range(len(edged) - size + 1)
    )
    return (f"w {word}", *runs)


def _properties(tokens: Sequence[Token]) -> _Columns:
    count = len(tokens)
    letters = "".join(token.core for token in tokens)
    case = 1 if letters.islower() else 2 if letters.isupper() else 3
    found = np.empty((count, len(_PROPERTIES)), dtype=np.uint64)
    found[:, : len(_LEXICAL)] = [_lexical(token.core) for token in tokens]
    found[:, _COLUMN["space"]] = [_crc(token.space) for token in tokens]
    found[:, _COLUMN["case"]] = case
    found[:, _COLUMN["start"]] = np.minimum(np.arange(count), 5) + 1
    found[:, _COLUMN["rest"]] = np.minimum(np.arange(count)[::-1], 4) + 1
    head = 0
    for i, token in enumerate(tokens):
        if i == 0 or "\n" in token.space:
            head = int(found[i, _COLUMN["lower"]])
        found[i, _COLUMN["head"]] = head
    return found


@lru_cache(maxsize=200_000)
def _lexical(core: str) -> tuple[int, ...]:
    lower = core.lower()
    shape = "".join(map(_letter_class, core))
    squeezed = "".join(c for i, c in enumerate(shape) if shape[i - 1 : i] != c)
    length = f"{min(len(core), 12)}{squeezed[:1]}"
    parts = [lower, core, shape[:12], squeezed, length]
    parts += [lower[:size] for size in (2, 3, 4)]
    parts += [lower[-size:] for size in (1, 2, 3, 4)]
    return tuple(map(_crc, parts))


def _letter_class(c: str) -> str:
    return "X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c


def _crc(text: str) -> int:
    # Python's own hash differs from process to process; a lone surrogate must not raise.
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _mix(number: int, columns: Iterable[_Columns], count: int) -> Hashes:
    """Hash columns together, after MurmurHash3's 64-bit finalizer."""
    mixed = np.full(count, 0x9E3779B97F4A7C15 ^ number, dtype=np.uint64)
    for column in columns:
        mixed = (mixed ^ column) * np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    return (mixed >> np.uint64(32)).astype(np.uint32)
