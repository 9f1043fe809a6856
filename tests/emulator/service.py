"""A running emulator, calls to it, and data for it; importing this skips where a package lacks."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra emulator")
pytest.importorskip("uvicorn", reason="needs the extra emulator")
pytest.importorskip("googleapiclient", reason="needs google-api-python-client (extra dev)")
httpx = pytest.importorskip("httpx", reason="needs httpx (comes with google-genai)")

from tests.emulator import request_schemas, schemas  # noqa: E402
from tunekit.emulator import Emulator  # noqa: E402

PLACE = "projects/p/locations/us-central1"
BUCKET = "tuning-data"


class Watched:
    """An ASGI layer that keeps the faults of every request and every answer on their way.

    `request_faults` are for the tests of clients that are ours: others send odd things on purpose.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.faults: list[str] = []
        self.request_faults: list[str] = []
        # Enum values that answers may hold though no document has them: states of the future.
        self.tolerated: set[str] = set()
        self.answers = 0
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Read whole before the fault layer, which may refuse a request without looking at it.
        messages = []
        while True:
            messages.append(await receive())
            if not messages[-1].get("more_body"):
                break
        if messages[-1]["type"] == "http.request":
            self.judge_request(scope, b"".join(message.get("body", b"") for message in messages))

        async def replay() -> Any:
            return messages.pop(0) if messages else await receive()

        start: dict[str, Any] = {}
        body = b""

        async def watch(message: Any) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    self.judge(scope, start["status"], body)
            await send(message)

        # The fault layer hangs up through `send`.
        watch.__dict__["__self__"] = getattr(send, "__self__", None)
        await self.app(scope, replay, watch)

    def judge_request(self, scope: Any, body: bytes) -> None:
        self.requests += 1
        self.request_faults += request_schemas.find_request_faults(
            method=scope["method"],
            path=scope["raw_path"].decode(),
            query=scope["query_string"].decode(),
            headers={
                key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]
            },
            body=body,
        )

    def judge(self, scope: Any, status: int, body: bytes) -> None:
        self.answers += 1
        found = schemas.find_faults(
            method=scope["method"],
            path=scope["raw_path"].decode(),
            query=scope["query_string"].decode(),
            status=status,
            body=body,
        )
        known = [f"{value!r} is not one of" for value in self.tolerated]
        self.faults += [fault for fault in found if not any(text in fault for text in known)]


class Service:
    """A running emulator, and plain HTTP calls to it."""

    def __init__(
        self, emulator: Emulator, watched: Watched, *, checks_requests: bool = False
    ) -> None:
        self.emulator = emulator
        self.watched = watched
        # At the end of the test every request must have been as documented, too.
        self.checks_requests = checks_requests
        self.url = emulator.url
        self.http = httpx.Client(base_url=emulator.url, timeout=30, trust_env=False)

    def require_documented(self) -> None:
        """Fail where an answer, or a request of ours, was not as documented."""
        # With words of their own: pytest explains only what test modules assert.
        assert not self.watched.faults, "\n".join(self.watched.faults)
        if self.checks_requests:
            assert not self.watched.request_faults, "\n".join(self.watched.request_faults)

    def call(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any
    ) -> Any:
        """Send a request whose answer must have this status; return its JSON."""
        answer = self.http.request(method, path, json=body, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def put_rows(self, name: str = "train.jsonl", count: int = 60, *, text: str = "") -> str:
        """Store training rows; return their URI."""
        if self.http.get(f"/storage/v1/b/{BUCKET}").status_code == 404:
            self.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
        data = text or gemini_jsonl(count)
        self.http.post(
            f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", content=data.encode()
        ).raise_for_status()
        return f"gs://{BUCKET}/{name}"

    def create(self, *, version: str = "v1", status: int = 200, **changes: Any) -> Any:
        """Create a job of two epochs; `changes` replace fields of the request."""
        uri = changes.pop("uri", None)
        if not uri and "supervisedTuningSpec" not in changes:
            uri = self.put_rows()
        hyper = changes.pop("hyperParameters", {"epochCount": "2"})
        body = {
            "baseModel": "gemini-3.5-flash",
            "supervisedTuningSpec": {"trainingDatasetUri": uri, "hyperParameters": hyper},
            **changes,
        }
        body = {key: value for key, value in body.items() if value is not None}
        return self.call("POST", f"/{version}/{PLACE}/tuningJobs", body, status=status)

    def until(self, name: str, *states: str, version: str = "v1beta1", seconds: float = 30) -> Any:
        """Look at a job until it is in one of the states."""
        wanted = {f"JOB_STATE_{state}" for state in states}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = self.call("GET", f"/{version}/{name}")
            if job["state"] in wanted:
                return job
            time.sleep(0.01)
        raise AssertionError(f"still {job['state']}: {job.get('error')}")

    def tuned(self, **changes: Any) -> Any:
        """Return a job that has succeeded."""
        return self.until(self.create(**changes)["name"], "SUCCEEDED", "FAILED")

    def set_faults(self, **switches: Any) -> None:
        self.call("PUT", "/_emulator/faults", switches)

    def state(self) -> Any:
        return self.call("GET", "/_emulator/state")


def pairs(count: int, *, seed: int = 1) -> list[tuple[str, str]]:
    """Return rows of a masking task that a few steps suffice to learn."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        name, order = chance.choice(["Ana", "Bo", "Cem"]), f"#{chance.randrange(1000, 9999)}"
        template = chance.choice(["{n} wants {o} back", "Where is {o}?", "All is well {i}"])
        found.append(
            (
                template.format(n=name, o=order, i=number),
                template.format(n="[NAME]", o="[ORDER]", i=number),
            )
        )
    return found


def labelled(count: int) -> list[tuple[str, str]]:
    """Return rows of a classification task."""
    texts = {"billing": "please refund my payment", "shipping": "where is the parcel I ordered"}
    labels = list(texts)
    return [(f"{texts[labels[i % 2]]} {i}", labels[i % 2]) for i in range(count)]


def gemini_line(prompt: str, response: str) -> dict[str, Any]:
    """Return one row of Gemini's supervised tuning format."""
    turns = (("user", prompt), ("model", response))
    return {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns]}


def gemini_jsonl(count: int) -> str:
    return "".join(json.dumps(gemini_line(*pair)) + "\n" for pair in pairs(count))
