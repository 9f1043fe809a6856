"""Trouble on demand: the switches, and the ASGI layer that makes it."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from .wire import ApiError, bad_fields, slow_down

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ADMIN = "/_emulator/"
# What a client must not blindly repeat: a create that was accepted costs money.
_ACCEPTS = re.compile(r"/(?:tuningJobs|tunedModels)$|/tuningJobs/[^/]+:cancel$")


@dataclass(frozen=True, slots=True)
class Faults:
    """Which trouble, and how often: shares are of all calls, from 0 to 1; times in seconds.

    `drop_after_accept` closes the connection after a create or cancel took effect, without an
    answer. `truncate` cuts an answer's body in half. `delay_s` holds every answer back, and
    `list_lag_s` keeps what is new out of lists. `denied_projects` get a 403; `require_auth` gives
    calls without a credential a 401, `denied_permissions` a 403 (also in part of a project).

    `fail_rate` is trouble of all kinds: so many calls meet a 429, a 503, an answer cut in half, or
    a connection closed without one, before or after the call took effect; each as often.
    """

    drop_after_accept: float = 0.0
    error_429: float = 0.0
    error_503: float = 0.0
    truncate: float = 0.0
    fail_rate: float = 0.0
    delay_s: float = 0.0
    list_lag_s: float = 0.0
    retry_after_s: float = 1.0
    denied_projects: tuple[str, ...] = ()
    denied_permissions: tuple[str, ...] = ()
    require_auth: bool = False
    max_concurrent: int | None = None

    def changed(self, given: Any) -> Faults:
        """Return these faults with some switches set. ApiError 400 for one that does not exist."""
        if not isinstance(given, dict):
            raise bad_fields([("faults", "Expected an object of switches.")])
        known = {field.name: str(field.type) for field in fields(self)}
        for name, value in given.items():
            if name not in known:
                raise bad_fields([(name, f"Unknown switch; there are: {', '.join(known)}.")])
            if not _is_of_type(known[name], value):
                raise bad_fields([(name, f"Invalid value {value!r}, expected {known[name]}.")])
        lists = {k: tuple(map(str, v)) for k, v in given.items() if known[k].startswith("tuple")}
        return replace(self, **{**given, **lists})

    def wire(self) -> dict[str, Any]:
        """Return the switches as the admin path shows them."""
        return asdict(self)


_SHARES = ("drop_after_accept", "error_429", "error_503", "truncate", "fail_rate")
_KINDS = ("error_429", "error_503", "truncate", "drop_before", "drop_after")


def _is_of_type(wanted: str, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match wanted:
        case "float":
            return is_number and value >= 0
        case "bool":
            return isinstance(value, bool)
        case "int | None":
            return value is None or (isinstance(value, int) and is_number and value >= 0)
        case _:
            return isinstance(value, (list, tuple))


class FaultLayer:
    """Runs an ASGI app and spoils some of its answers, the same ones for the same seed."""

    def __init__(self, app: App, current: Callable[[], Faults], *, seed: int) -> None:
        self.app = app
        self.current = current
        self.seed = seed
        self.restart()

    def restart(self) -> None:
        """Draw from the seed anew."""
        self.random = random.Random(self.seed)  # noqa: S311

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(ADMIN):
            await self.app(scope, receive, send)
            return
        faults = self.current()
        # One draw a switch and call, so that setting one leaves the others' draws as they were.
        hit = {name: self.random.random() < getattr(faults, name) for name in _SHARES}
        kind = self.random.choice(_KINDS)
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        is_accept = scope["method"] == "POST" and bool(_ACCEPTS.search(path))
        match _trouble(hit, kind, is_accept=is_accept):
            case "error_429":
                await answer_error(send, slow_down(faults.retry_after_s))
            case "error_503":
                await answer_error(send, ApiError(503, "The service is currently unavailable."))
            case "drop_before":
                _hang_up(send)
            case "drop_after":
                await self.app(scope, receive, _swallow)
                _hang_up(send)
            case "truncate":
                await self.app(scope, receive, _Halved(send))
            case _:
                await self.app(scope, receive, send)


def _trouble(hit: dict[str, bool], kind: str, *, is_accept: bool) -> str:
    """Return which trouble a call meets; the switches of one kind come before the mix."""
    for name in ("error_429", "error_503"):
        if hit[name]:
            return name
    if hit["drop_after_accept"] and is_accept:
        return "drop_after"
    if hit["truncate"]:
        return "truncate"
    return kind if hit["fail_rate"] else ""


async def answer_error(send: Send, error: ApiError) -> None:
    """Send an error as a whole answer."""
    body = json.dumps(error.body()).encode()
    headers = {"content-type": "application/json; charset=UTF-8", **error.headers}
    headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.code, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _swallow(_message: Message) -> None:
    return None


def _hang_up(send: Send) -> None:
    # ASGI has no word for it. uvicorn's `send` is a method of the cycle that holds the transport.
    send.__self__.transport.close()  # type: ignore[attr-defined]


class _Halved:
    """Promises the whole body, sends its first half and hangs up."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body") or self.start is None:
            return
        headers = [(k, v) for k, v in self.start["headers"] if k.lower() != b"content-length"]
        headers.append((b"content-length", str(max(len(self.body), 2)).encode()))
        await self.send({**self.start, "headers": headers})
        half = self.body[: len(self.body) // 2]
        await self.send({"type": "http.response.body", "body": half, "more_body": True})
        _hang_up(self.send)
