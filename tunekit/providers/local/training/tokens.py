"""Reversible tokens: joining what `tokenize` gives returns the text, character for character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Python's \w leaves combining marks out, so that a decomposed accent or a vowel sign would cut a
# word in two. These are the blocks of marks that everyday text holds (Unicode categories Mn, Mc).
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0b82-\u0bcd\u0e31-\u0e3a"
    "\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
# A placeholder such as {{first_name}}, <NAME> or [EMAIL_1] is one token: its letters must never
# align with words of the input.
_PLACEHOLDER = r"\{\{?\w+\}?\}|</?\w+>|\[\w+\]"
_CORE = rf"{_PLACEHOLDER}|(?:[^\W\d]|[{_MARKS}])+|\d+|\S"
_TOKEN = re.compile(rf"(\s*)({_CORE})")


class Token(NamedTuple):
    """A word, number, sign or placeholder (`core`) with the white space before it (`space`)."""

    space: str
    core: str


def tokenize(text: str) -> list[Token]:
    """Cut `text` into tokens; white space at the end is the space of a last token without core."""
    found = [Token(*match) for match in _TOKEN.findall(text)]
    # Python's str.strip and the regex agree on white space, so the rest is found by length.
    length = sum(len(token.space) + len(token.core) for token in found)
    if length < len(text):
        found.append(Token(text[length:], ""))
    return found


def join(tokens: Sequence[Token]) -> str:
    """Return the text that the tokens were cut from."""
    return "".join(token.space + token.core for token in tokens)
