"""One process, one port: the emulator as a thread beside a test, or in the foreground."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import uvicorn

from .app import make_app
from .faults import App
from .world import Settings, World


class Emulator:
    """The emulator on a port of this machine, from `with` to its end.

    `wrap` puts an ASGI layer around it, to watch or to change what goes over the wire.
    """

    def __init__(
        self, settings: Settings | None = None, *, wrap: Callable[[App], App] | None = None
    ) -> None:
        self.settings = settings or Settings()
        # Bound first, so that a port that is taken is an error before anything is printed.
        self._socket = socket.create_server((self.settings.host, self.settings.port))
        # asyncio leaves it off for such a socket, and Nagle's algorithm holds answers for 40 ms.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self.world = World(self.settings)
        app: App = make_app(self.world)
        self._app = wrap(app) if wrap else app
        self._server = _Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_level="critical",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return where it listens; clients on this machine reach 0.0.0.0 at 127.0.0.1."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that point Google's clients here."""
        host = self.url.removeprefix("http://").rpartition(":")[0]
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GOOGLE_VERTEX_BASE_URL": self.url,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.url}/",
            "NO_PROXY": host,
        }

    def run(self) -> None:
        """Serve in the foreground until Ctrl-C or SIGTERM."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def close(self) -> None:
        """Stop every job, forget everything and free the port."""
        self.world.close()
        self._socket.close()

    def __enter__(self) -> Emulator:
        self._thread = threading.Thread(target=self.run, name="tunekit-emulator", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the emulator did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=15)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises a signal again once it has shut down; here that is the normal end.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
