"""Where models are tuned, by kind. Third parties add a kind through `tunekit.providers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tunekit.errors import MissingExtra, ProviderError
from tunekit.providers.base import Provider

# A provider is made from its profile's options, a folder of its own beside the registry, and the
# environment.
Opener = Callable[[Mapping[str, Any], Path, Mapping[str, str]], Provider]

# kind -> module, whose `open_provider` is the Opener, and the extra that brings its packages
_BUILT_IN = {
    "local": ("tunekit.providers.local", ""),
    "vertex": ("tunekit.providers.vertex", "vertex"),
    "gemini-api": ("tunekit.providers.gemini_api", "gemini-api"),
}

_ENTRY_POINTS = "tunekit.providers"


def kinds() -> list[str]:
    """Return every kind that can be opened here."""
    from importlib.metadata import entry_points  # slow, and rarely needed

    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=_ENTRY_POINTS))})


def open_provider(
    kind: str, options: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> Provider:
    """Return a provider of a kind. ProviderError or MissingExtra where there is none."""
    if kind in _BUILT_IN:
        module, extra = _BUILT_IN[kind]
        try:
            opener: Opener = import_module(module).open_provider
        except ModuleNotFoundError as error:
            raise MissingExtra(needs=str(error.name), extra=extra) from error
        return opener(options, folder, environ)
    from importlib.metadata import entry_points

    for point in entry_points(group=_ENTRY_POINTS, name=kind):
        try:
            opener = point.load()
        except ModuleNotFoundError as error:
            raise ProviderError(
                f"provider kind {kind!r} needs {error.name}, which is not installed; "
                f"install the package that provides it"
            ) from error
        return opener(options, folder, environ)
    raise ProviderError(f"provider kind {kind!r} is unknown; there is: {', '.join(kinds())}")
