"""Text that may be shown: the one place where foreign strings are made harmless."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

# C0 and C1 controls, DEL, and the bidirectional controls that reorder what a reader sees
# (CVE-2021-42574). Tab and line feed stay.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_BREAKS = re.compile("[\t\n\u2028\u2029]+")


def clean(text: object) -> str:
    """Return text with control characters spelt out, so that a terminal only prints it."""
    return _UNSAFE.sub(lambda found: _spelt(found[0]), str(text))


def line(text: object) -> str:
    """Return text clean and on one line."""
    return clean(_BREAKS.sub(" ", str(text))).strip()


def escaped(json_text: str) -> str:
    """Return JSON text in which control characters are escapes; it means the same."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def has_unsafe(text: str) -> bool:
    """True where text holds a character that must not reach a terminal."""
    return _UNSAFE.search(text) is not None


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shortened(text: str, width: int) -> str:
    """Return at most `width` characters, the last an ellipsis where something was cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def duration(seconds: float | None) -> str:
    """Return `8s`, `3m12s`, `2h05m` or `4d03h`; empty where unknown."""
    if seconds is None:
        return ""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def age(seconds: float | None) -> str:
    """Return how long ago in one unit: `8s`, `3m`, `2h`, `4d`; empty where unknown."""
    if seconds is None:
        return ""
    whole = max(int(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def number(value: float | None) -> str:
    """Return four significant digits, whole numbers whole; empty where unknown."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"


def bar(share: float, width: int) -> str:
    """Return a bar of `width` characters, `share` of it filled."""
    filled = int(max(0.0, min(share, 1.0)) * width)
    return "━" * filled + "╌" * (width - filled)


_SPARKS = "▁▂▃▄▅▆▇█"


def bucketed(values: Sequence[float], count: int) -> list[float]:
    """Return at most `count` means, each of its share of the values; only finite ones count."""
    finite = [value for value in values if math.isfinite(value)]
    count = min(count, len(finite))
    edges = [round(place * len(finite) / count) for place in range(count + 1)] if count else []
    parts = [finite[start:end] for start, end in pairwise(edges)]
    return [sum(part) / len(part) for part in parts]


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """Return a curve, a character a value, which is as high as the value between low and high."""
    if high <= low:
        return _SPARKS[0] * len(values)
    share = ((value - low) / (high - low) for value in values)
    return "".join(_SPARKS[min(max(int(part * 8), 0), 7)] for part in share)


def plural(count: int, noun: str) -> str:
    """Return `1 job`, `2 jobs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
