"""Characters that nobody meant: controls, wrong encodings, escapes, templates not filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import compress

from tunekit.dataset.preflight.batch import Batch, Tally

# By octet: those of ASCII become spaces, but for C0 without tab, line feed and carriage return,
# which becomes one of them, and DEL.
_SOME_CONTROL, _DEL = b"\1", b"\x7f"
_UNCOMMON_OCTETS = bytes(
    octet if octet > 126 else 1 if octet < 32 and octet not in b"\t\n\r" else 32
    for octet in range(256)
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_REPLACEMENT = "\ufffd"
# No width and no meaning between words. Joiners and marks of direction stay: emoji, Persian and
# Hebrew need them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\u00ad]")
# What the first and the next byte of a character beyond ASCII become in other encodings: two of
# them side by side are rare in any language.
_ENCODINGS = ("latin-1", "cp1252", "cp1251", "cp437", "mac-roman")
_LEAD, _NEXT = (
    re.escape("".join(sorted({c for e in _ENCODINGS for c in octets.decode(e, "ignore")})))
    for octets in (bytes(range(0xC2, 0xF5)), bytes(range(0x80, 0xC0)))
)
_SUSPECT = re.compile(
    f"[\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffd\u202a-\u202e\u2066-\u2069]|[{_LEAD}][{_NEXT}]"
)
_HTML = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,5}|#x[0-9a-fA-F]{2,4});")
_SLOTS = re.compile(r"\{\{\s*(\w+)\s*\}\}|\$\{(\w+)\}|\{(\w+)\}|%\((\w+)\)s|<%=\s*(\w+)")
_HAS_SLOT = ("{", "%")
_MAY_HAVE_SLOT = (b"{", b"%")


class Characters:
    """Control and invisible characters, mojibake and HTML escapes in prompts and answers."""

    def take(self, batch: Batch, tally: Tally) -> None:
        for name, texts, joined in batch.parts:
            _look(batch, name, texts, joined, tally)

    def finish(self, tally: Tally) -> None:
        pass


def _look(batch: Batch, name: str, texts: Sequence[str], joined: bytes, tally: Tally) -> None:
    # One pass over all rows, in C; single rows only where it shows something. What is left of it
    # are runs of characters beyond ASCII, and controls.
    uncommon = b" ".join({*joined.translate(_UNCOMMON_OCTETS).split()})
    if _SOME_CONTROL in uncommon or _DEL in uncommon:
        fact = f"with a control character in the {name}"
        lines = _lines(batch, texts, _CONTROL)
        tally.add_many("control-character", batch.split, fact, lines)
    if b"&" in joined:
        fact = f"with an HTML escape in the {name}"
        tally.add_many("html-escape", batch.split, fact, _lines(batch, texts, _HTML))
    if uncommon and _SUSPECT.search(uncommon.decode()):
        wide = [not text.isascii() for text in texts]
        for line, text in zip(compress(batch.lines, wide), compress(texts, wide), strict=True):
            if _SUSPECT.search(text):
                _look_wide(batch.split, line, name, text, tally)


def _lines(batch: Batch, texts: Sequence[str], pattern: re.Pattern[str]) -> list[int]:
    return [n for n, text in zip(batch.lines, texts, strict=True) if pattern.search(text)]


def _look_wide(split: str, line: int, name: str, text: str, tally: Tally) -> None:
    """Look at one text that is not ASCII."""
    if _REPLACEMENT in text:
        fact = f"with the replacement character U+FFFD in the {name}"
        tally.add("replacement-character", split, fact, line)
    if _INVISIBLE.search(text):
        tally.add("invisible-character", split, f"with an invisible character in the {name}", line)
    if is_mojibake(text):
        tally.add("mojibake", split, f"with wrongly decoded text in the {name}", line)
    elif _CONTROL.search(text):
        tally.add("control-character", split, f"with a control character in the {name}", line)


def is_mojibake(text: str) -> bool:
    """True where characters look wrong together and another encoding makes them right.

    Source: ftfy's badness heuristic (R. Speer, doi:10.5281/zenodo.2591652).
    """
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    return is_bad(text) and fix_encoding(text) != text


class Placeholders:
    """Slots of a template that came into the data without their values."""

    def __init__(self, columns: Collection[str]) -> None:
        self._columns = frozenset(columns)

    def take(self, batch: Batch, tally: Tally) -> None:
        for name, texts, joined in batch.parts:
            if any(mark in joined for mark in _MAY_HAVE_SLOT):
                fact = f"with a placeholder in the {name} that was not filled in"
                for line, text in zip(batch.lines, texts, strict=True):
                    if any(mark in text for mark in _HAS_SLOT) and self._has_slot(text, name):
                        tally.add("unrendered-placeholder", batch.split, fact, line)

    def finish(self, tally: Tally) -> None:
        pass

    def _has_slot(self, text: str, name: str) -> bool:
        for found in _SLOTS.finditer(text):
            slot = found[found.lastindex or 0]
            # Answers that mask have {{name}} on purpose, and code has {name}; a column's name is
            # neither.
            if slot in self._columns or (name == "prompt" and not found[3]):
                return True
        return False
