"""Jobs to submit, providers to submit them to, and a server that answers what it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tunekit.model import Example, JobSpec, Observation, PreparedDataset, SplitInfo
from tunekit.providers.vertex import open_provider
from tunekit.providers.vertex.provider import VertexProvider

TOKEN = "tk-0123456789abcdefghijklmnop"
BUCKET = "tuning-data"
PARENT = "projects/p/locations/us-central1"
JOB = f"{PARENT}/tuningJobs/7"


def examples(count: int, *, seed: int = 0, rejected: str | None = None) -> list[Example]:
    """Return rows of a masking task that a few steps suffice to learn."""
    found = []
    for number in range(count):
        name, order = ("Ana", "Bo", "Cem")[(number + seed) % 3], f"#{1000 + number * 7 % 9000}"
        prompt = f"Mask: {name} wants {order} back ({number})"
        answer = f"[NAME] wants [ORDER] back ({number})"
        found.append(Example(prompt, answer, prompt, number + 1, rejected))
    return found


def prepared(
    train: int | Sequence[Example] = 40,
    validation: int | Sequence[Example] = 0,
    *,
    system: str | None = None,
    uris: Mapping[str, str] | None = None,
) -> PreparedDataset:
    """Return a data set of so many rows, or of these."""
    rows = {
        name: examples(given, seed=seed) if isinstance(given, int) else list(given)
        for seed, (name, given) in enumerate({"train": train, "validation": validation}.items())
    }
    splits = {
        name: SplitInfo(len(found), sum(len(r.prompt + r.response) for r in found), name)
        for name, found in rows.items()
        if found
    }
    return PreparedDataset(
        "f",
        splits,
        lambda split: iter(rows[split]),
        system,
        dict(uris or {}),
        source="rows.jsonl",
    )


def job_spec(dataset: PreparedDataset | None = None, **changes: Any) -> JobSpec:
    """Return a job of one epoch; `changes` replace its fields."""
    given: dict[str, Any] = {
        "experiment": "pii-masking",
        "trial": "main",
        "base_model": "gemini-3.5-flash",
        "method": "supervised",
        "hyperparameters": {"epochs": 1},
        "dataset": dataset or prepared(),
        "display_name": "pii-masking",
        **changes,
    }
    return JobSpec(**given)


def open_vertex(url: str, folder: Path, **options: Any) -> VertexProvider:
    """Return the provider of a profile whose every service is at `url`."""
    given = {
        "project": "p",
        "location": "us-central1",
        "bucket": BUCKET,
        "endpoint": url,
        **options,
    }
    return open_provider(given, folder / "vertex", {})


def until_ended(provider: VertexProvider, name: str, seconds: float = 30) -> Observation:
    """Look at a job until it has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = provider.get(name)
        if seen.state.is_terminal:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"still {seen.state}")


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


# (status, body) or (status, body, headers); a body that is no bytes goes out as JSON.
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Answering:
    """A server on this machine that answers as `reply` says, and keeps what it was asked."""

    reply: Callable[[Asked], Reply | None]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def calls(self, method: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method]


@contextmanager
def answering(reply: Callable[[Asked], Reply | None]) -> Iterator[Answering]:
    """Serve until the end of the block; a reply of None hangs up."""
    server = Answering(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return

        def serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, raw)
            server.asked.append(asked)
            answer = server.reply(asked)
            self.close_connection = True
            if answer is None:
                return
            status, body, *more = answer
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            sent = {
                "connection": "close",
                "content-length": str(len(data)),
                **(more[0] if more else {}),
            }
            for key, value in sent.items():
                self.send_header(key, value)
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                return

        do_GET = do_POST = do_PUT = do_DELETE = serve

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
