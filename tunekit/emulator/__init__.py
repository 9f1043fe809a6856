"""Vertex AI tuning, the Gemini API's tuned models and Cloud Storage, over HTTP on this machine.

Behaviour follows public documents and observed clients; it was never compared with the services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import Faults
from .world import Settings

if TYPE_CHECKING:
    from .server import Emulator

__all__ = ["Emulator", "Faults", "Settings"]


def __getattr__(name: str) -> object:
    # Starlette and uvicorn are an extra: only a running emulator needs them.
    if name == "Emulator":
        from .server import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
