"""Providers against the emulator; every request of theirs must be as Google documents it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.conftest import serve

if TYPE_CHECKING:
    from tests.emulator.service import Service
    from tunekit.providers.vertex.provider import VertexProvider

__all__ = ["serve"]


class Requests:
    """An ASGI layer that keeps every request: method, path and JSON body."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[tuple[str, str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def watch() -> Any:
            message = await receive()
            # The layer around this one hands a body over whole.
            path = scope["raw_path"].decode()
            if message["type"] == "http.request" and not path.startswith(("/_emu", "/upload")):
                body = message.get("body")
                self.seen.append((scope["method"], path, json.loads(body) if body else None))
            return message

        await self.app(scope, watch, send)

    def of(self, method: str, ending: str) -> list[Any]:
        """Return the bodies of some calls."""
        return [body for verb, path, body in self.seen if verb == method and path.endswith(ending)]


@pytest.fixture
def service(serve: Callable[..., Service]) -> Service:
    return serve(checks_requests=True)


@pytest.fixture
def requests_seen(service: Service) -> Requests:
    """What the emulator is asked."""
    layer = Requests(service.watched.app)
    service.watched.app = layer
    return layer


@pytest.fixture
def vertex(service: Service, tmp_path: Path) -> VertexProvider:
    """A provider whose every service is the emulator, with its bucket."""
    from tests.providers.support import BUCKET, open_vertex

    service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
    return open_vertex(service.url, tmp_path)
