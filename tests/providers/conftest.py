"""Providers against the emulator: its fixtures, and what every request must look like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from tests.emulator.conftest import serve, service

if TYPE_CHECKING:
    from tests.emulator.service import Service
    from tunekit.providers.vertex.provider import VertexProvider

__all__ = ["serve", "service"]

# Of every Google API; `$alt` is what generated clients ask by.
_COMMON = {"$alt", "alt", "prettyPrint", "fields", "uploadType", "upload_id", "name"}


class Requests:
    """An ASGI layer that keeps every request, and what is wrong with it by the documents."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[tuple[str, str, Any]] = []
        self.faults: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""

        async def watch() -> Any:
            nonlocal body
            message = await receive()
            if message["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    self.judge(scope, body)
            return message

        await self.app(scope, watch, send)

    def judge(self, scope: Any, body: bytes) -> None:
        method, path = scope["method"], scope["raw_path"].decode()
        if path.startswith(("/_emulator", "/upload")):
            return
        data = json.loads(body) if body else None
        self.seen.append((method, path, data))
        from tests.emulator import schemas

        name = schemas._document_of(path)
        about = next(
            (a for verb, p, a in _methods(name) if verb == method and p.fullmatch(path)), None
        )
        if about is None:
            self.faults.append(f"{method} {path}: no such method")
            return
        asked = {key for key, _ in parse_qsl(scope["query_string"].decode())}
        known = set(about.get("parameters", {})) | _COMMON
        self.faults += [f"{path}: parameter {key}" for key in asked - known]
        wanted = about.get("request", {}).get("$ref")
        if wanted and data is not None:
            check = schemas.validator(name, wanted, has_enum_numbers=False)
            self.faults += [f"{path}: {e.json_path}: {e.message}" for e in check.iter_errors(data)]

    def of(self, method: str, ending: str) -> list[Any]:
        return [body for verb, path, body in self.seen if verb == method and path.endswith(ending)]


def _methods(name: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield (HTTP method, path, whole method) of a document."""
    import re

    from tests.emulator import schemas

    base = "" if name != "storage.v1" else "storage/v1/"

    def walk(resource: Any) -> Iterator[tuple[str, Any, Any]]:
        for method in resource.get("methods", {}).values():
            path = base + (method.get("flatPath") or method["path"])
            pattern = "[^/:]+".join(map(re.escape, re.split(r"\{[^}]*\}", path)))
            pattern = pattern if base == "" else pattern.replace("[^/:]+", "[^/]+")
            yield method["httpMethod"], re.compile(f"/{pattern}"), method
        for inner in resource.get("resources", {}).values():
            yield from walk(inner)

    yield from walk(schemas.document(name))


@pytest.fixture
def requests_seen(service: Service) -> Iterator[Requests]:
    """What the emulator is asked; at the end every request must have been as documented."""
    layer = Requests(service.watched.app)
    service.watched.app = layer
    yield layer
    assert layer.faults == []


@pytest.fixture
def vertex(service: Service, requests_seen: Requests, tmp_path: Path) -> VertexProvider:
    """A provider whose every service is the emulator, with its bucket."""
    from tests.providers.support import BUCKET, open_vertex

    service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
    return open_vertex(service.url, tmp_path)
