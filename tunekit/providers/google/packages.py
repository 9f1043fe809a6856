"""Google's packages, imported when they are first used and without their talk about Python."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from tunekit.errors import MissingExtra


def load(module: str, *, package: str, extra: str) -> Any:
    """Return a module. MissingExtra naming the package where it is not installed."""
    try:
        with warnings.catch_warnings():
            # A dozen about the age of Python 3.11, on every import.
            warnings.simplefilter("ignore", FutureWarning)
            return import_module(module)
    except ImportError as error:
        raise MissingExtra(needs=package, extra=extra) from error
