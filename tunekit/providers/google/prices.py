"""Prices of training tokens: a table, and what a profile says instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunekit.model import Price


def prices(options: Mapping[str, Any], known: Mapping[str, Price]) -> dict[str, Price]:
    """Return prices by base model; those of the profile count before the known ones."""
    given = options.get("usd_per_million_tokens")
    own = given if isinstance(given, Mapping) else {}
    source = "usd_per_million_tokens in tunekit.yaml"
    return {**known, **{str(name): Price(float(usd), source) for name, usd in own.items()}}
