"""Jobs for the Gemini API's provider, and a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import pairs
from tunekit.model import Example, Generation, JobSpec, Observation, PreparedDataset, SplitInfo
from tunekit.providers.gemini_api.provider import GeminiApiProvider, open_provider

pytest.importorskip("google.generativeai", reason="needs the extra gemini-api")

BASE = "gemini-1.5-flash-001-tuning"
TOKEN = "tk-" + "a" * 26
GREEDY = Generation(temperature=0, top_p=0.95, top_k=1, max_output_tokens=64)


def opened(url: str, environ: dict[str, str] | None = None, **options: Any) -> GeminiApiProvider:
    """Return a provider whose service is at a URL."""
    given = {"endpoint": url, "listing_lag_s": 0, "request_timeout_s": 20, **options}
    return open_provider(given, Path("unused"), environ or {})


def dataset(
    rows: Sequence[tuple[str, str]], **splits: Sequence[tuple[str, str]]
) -> PreparedDataset:
    """Return prepared rows."""
    found = {"train": rows, **splits}
    sizes = {
        name: SplitInfo(len(part), sum(len(a) + len(b) for a, b in part), name)
        for name, part in found.items()
    }
    return PreparedDataset(
        fingerprint="f",
        splits=sizes,
        read=lambda name: iter([Example(a, b, a, i) for i, (a, b) in enumerate(found[name])]),
    )


def job(rows: Sequence[tuple[str, str]] | None = None, **changes: Any) -> JobSpec:
    """Return a job of two epochs in batches of four."""
    given: dict[str, Any] = {
        "experiment": "mask",
        "trial": "main",
        "base_model": BASE,
        "method": "supervised",
        "hyperparameters": {"epochs": 2, "batch_size": 4},
        "dataset": dataset(pairs(40) if rows is None else rows),
        "display_name": "Mask",
        "description": "Hides names",
        **changes,
    }
    return JobSpec(**given)


def until_ended(provider: GeminiApiProvider, name: str) -> list[Observation]:
    """Return every look at a job until it has ended."""
    seen = [provider.get(name)]
    while not seen[-1].state.is_terminal:
        seen.append(provider.get(name))
    return seen


class Told:
    """A server on this machine whose answers (to method, path, body) a test decides.

    `requests` are (method, path with query, headers, body) as they came.
    """

    def __init__(self, answer: Callable[[str, str, bytes], tuple[int, Any]]) -> None:
        told = self
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                told.requests.append((self.command, self.path, headers, body))
                status, answered = answer(self.command, self.path.partition("?")[0], body)
                data = answered if isinstance(answered, bytes) else json.dumps(answered).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = respond

            def log_message(self, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
