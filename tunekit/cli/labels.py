"""Flags of the form key=value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunekit.errors import UsageError


def labels(pairs: Sequence[str], flag: str = "-l") -> dict[str, str]:
    """Return what `-l key=value` asks for. UsageError where it is not of that form."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"{flag} {pair}: write it as key=value")
        found[key] = value
    return found


def has_labels(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """True where the tags hold every wanted pair."""
    return all(tags.get(key) == value for key, value in wanted.items())
