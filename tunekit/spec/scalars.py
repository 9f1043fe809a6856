"""Plain YAML scalars by the 1.2 core schema: `no` is text, `010` is ten, `1e-4` is a number.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")

# What anything but text can begin with; all else is text without a further look.
_SPECIAL = frozenset("0123456789+-.~nNtTfF")
# Far above any number that a spec means, far below where int() refuses and JSON readers differ.
_MAX_CHARACTERS = 64
_MAX_INTEGER = 2**63 - 1


class BadScalar(ValueError):
    """A number that no spec can mean; the text says what is wrong with it."""


def resolve(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar stands for. BadScalar for .inf, .nan and huge numbers."""
    if text and text[0] not in _SPECIAL:
        return text
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _number(text)


def _number(text: str) -> str | int | float:
    if _NOT_FINITE.match(text):
        raise BadScalar(f"{text} is not a finite number")
    is_integer = bool(_INTEGER.match(text))
    base = 8 if _OCTAL.match(text) else 16 if _HEXADECIMAL.match(text) else 10
    if not (is_integer or base != 10 or _FLOAT.match(text)):
        return text
    if len(text) > _MAX_CHARACTERS:
        raise BadScalar(f"a number of {len(text)} characters is too long")
    if not is_integer and base == 10:
        return _finite(text)
    number = int(text, 10 if base == 10 else 0)
    if abs(number) > _MAX_INTEGER:
        raise BadScalar(f"{text} is too large a number")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadScalar(f"{text} is too large a number")
    return number
