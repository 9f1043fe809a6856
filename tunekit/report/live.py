"""The report over HTTP, on loopback only, for whoever has its address.

The address holds a random token. The Host header is checked, so that a web page whose name was
made to point at this machine (DNS rebinding) learns nothing. There is nothing to change: whatever
is no GET or HEAD is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOST = "127.0.0.1"
_PATIENCE_S = 10.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is served now; `mark` is the data's ETag."""

    page: bytes
    data: bytes
    mark: str


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a reader who hung up; the next request is answered like any."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class LiveServer:
    """Serves what was last published, from a thread of its own. OSError where the port is taken.

    `now_s` is a clock in seconds; `asked_s` is when a reader last asked, None before the first.
    """

    def __init__(self, port: int, *, now_s: Callable[[], float]) -> None:
        self.asked_s: float | None = None
        self._now_s = now_s
        self._token = secrets.token_urlsafe(24)
        self._shown = _Shown(b"", b"", "")
        self._server = _Server((_HOST, port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The page's address, with its token."""
        return f"http://{_HOST}:{self._port}/{self._token}/"

    @property
    def _port(self) -> int:
        return int(self._server.server_address[1])

    def publish(self, page: bytes, data: bytes) -> None:
        """Serve this from now on."""
        self._shown = _Shown(page, data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        live = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                live._answer(self)

            do_HEAD = do_GET

            def _refuse(self) -> None:
                live._send(self, HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
                self.close_connection = True  # its body is not read

            do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

            def version_string(self) -> str:
                return "tunekit"

            def log_message(self, *_: Any) -> None:
                """Print nothing: addresses hold the token."""

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("Host") not in (f"{_HOST}:{self._port}", f"localhost:{self._port}"):
            self._send(request, HTTPStatus.MISDIRECTED_REQUEST)
            return
        token, _, name = request.path.partition("?")[0].removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            self._send(request, HTTPStatus.NOT_FOUND)
            return
        self.asked_s = self._now_s()
        shown = self._shown
        match name:
            case "" if not request.path.partition("?")[0].endswith("/"):
                where = {"Location": f"/{self._token}/"}
                self._send(request, HTTPStatus.PERMANENT_REDIRECT, headers=where)
            case "":
                self._send(request, HTTPStatus.OK, shown.page, kind="text/html; charset=utf-8")
            case "data.json" if request.headers.get("If-None-Match") == shown.mark:
                self._send(request, HTTPStatus.NOT_MODIFIED, headers={"ETag": shown.mark})
            case "data.json":
                mark = {"ETag": shown.mark}
                self._send(
                    request, HTTPStatus.OK, shown.data, kind="application/json", headers=mark
                )
            case _:
                self._send(request, HTTPStatus.NOT_FOUND)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: HTTPStatus,
        body: bytes = b"",
        *,
        kind: str = "text/plain; charset=utf-8",
        headers: dict[str, str] | None = None,
    ) -> None:
        if not body and status is not HTTPStatus.NOT_MODIFIED:
            body = f"{status.value} {status.phrase}\n".encode()
        request.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, **(headers or {})}.items():
            request.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD" and status is not HTTPStatus.NOT_MODIFIED:
            request.wfile.write(body)
