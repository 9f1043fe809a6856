"""JSON as the standard has it: no NaN, faults without the text, arrays read piece by piece."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TextIO

_CHUNK_CHARACTERS = 1 << 16


class _NotJson(ValueError):
    """NaN, Infinity or -Infinity, which Python's json would let pass."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(name)


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def fault_of(error: ValueError | RecursionError) -> str:
    """Return what is wrong with a JSON text, without a word of it."""
    match error:
        case json.JSONDecodeError():
            return f"not valid JSON ({error.msg.removesuffix(' at').rstrip(': ')})"
        case _NotJson():
            return f"not valid JSON ({error} is no JSON number)"
        case RecursionError():
            return "nested too deeply"
        case _:  # int() refuses thousands of digits
            return "not usable JSON (a number has too many digits)"


class Window:
    """A piece of a JSON text that moves forward; `start` is the next character, `line` its line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self.start = 0
        self.line = 1

    def peek(self) -> str:
        """Return the next character that is not white space, "" at the end."""
        while True:
            text, at = self._text, self.start
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
            self._advance(at)
            if at < len(text):
                return text[at]
            if not self._grow():
                return ""

    def skip(self) -> None:
        """Step over the character that `peek` returned."""
        self._advance(self.start + 1)

    def take_object(self) -> dict[str, Any]:
        """Parse the object that starts here and step over it; the errors of `json` if it is bad."""
        while True:
            try:
                # An object ends with its brace, so a cut one never parses as a whole one.
                value: dict[str, Any]
                value, end = DECODER.raw_decode(self._text, self.start)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._grow()):
                    raise
            else:
                self._advance(end)
                return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        # A cut inside a string is reported at its start, any other within a token of the end.
        return error.msg.startswith("Unterminated") or error.pos + 16 > len(self._text)

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self.start, end)
        self.start = end

    def _grow(self) -> bool:
        """Read at least as much again as is held, so that a long element costs linear time.

        False at the end of the file, with nothing moved: an error's position still holds.
        """
        rest = self._text[self.start :]
        more = self._file.read(max(_CHUNK_CHARACTERS, len(rest)))
        if not more:
            return False
        self._text, self.start = rest + more, 0
        return True
