"""Everything the emulator holds, in memory; `reset` forgets it."""

from __future__ import annotations

import hashlib
import random
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .faults import Faults
from .storage import Storage
from .trainer import Turns
from .wire import JSON, camel, timestamp

if TYPE_CHECKING:
    from .jobs import Job
    from .tuned_models import TunedModel

LOG_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and how fast simulated waits pass.

    At `time_scale` 1 a job waits as long as a published job did (23 s before it started) and takes
    at least half a second a step; at 20, the default, a twentieth of it. `port` 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    time_scale: float = 20.0
    seed: int = 0
    faults: Faults = field(default_factory=Faults)


@dataclass(slots=True)
class Call:
    """One request, read: path parameters, query, and the body with camelCase names."""

    version: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: JSON
    raw: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    lists: Mapping[str, list[str]] = field(default_factory=dict)

    def asked(self, name: str, default: str = "") -> str:
        """Return a query parameter, in either spelling."""
        for key, value in self.query.items():
            if camel(key) == name:
                return value
        return default


class World:
    """The state behind every answer. Hold `lock` to read or change it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self.turns = Turns()
        self.folder = Path(tempfile.mkdtemp(prefix="tunekit-emulator-"))
        self.log: deque[JSON] = deque(maxlen=LOG_LENGTH)
        self.on_reset: Callable[[], None] = lambda: None
        self._start()

    def _start(self) -> None:
        self.faults = self.settings.faults
        self.random = random.Random(self.settings.seed)  # noqa: S311
        self.sequence = 0
        self.storage = Storage()
        self.jobs: dict[str, Job] = {}
        self.models: dict[str, JSON] = {}
        self.models_jobs: dict[str, str] = {}
        self.endpoints: dict[str, JSON] = {}
        self.checkpoints: dict[str, Path] = {}
        self.contexts: dict[str, JSON] = {}
        self.artifacts: dict[str, JSON] = {}
        self.members: dict[str, list[str]] = {}
        self.boards: dict[str, JSON] = {}
        self.series: dict[str, Any] = {}
        self.operations: dict[str, JSON] = {}
        self.tuned_models: dict[str, TunedModel] = {}
        self.log.clear()

    def reset(self) -> None:
        """Stop every job and forget everything; the fault switches go back to the flags."""
        self._stop_jobs()
        with self.lock:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._start()
        self.on_reset()

    def close(self) -> None:
        """Stop every job and remove the checkpoints."""
        self._stop_jobs()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_jobs(self) -> None:
        with self.lock:
            runs = [job.run for job in self.jobs.values()]
            runs += [model.run for model in self.tuned_models.values()]
        for run in runs:
            run.forget()
        for run in runs:
            run.thread.join(timeout=5)

    def next_number(self) -> int:
        """Return the order of creation."""
        with self.lock:
            self.sequence += 1
            return self.sequence

    def new_id(self) -> str:
        """Return an id of 19 digits, as the service gives."""
        # Not from the seed: a client that remembers ids must not meet them again after a restart.
        return str(10**18 + secrets.randbelow(8 * 10**18))

    def now(self) -> str:
        """Return the time as the wire has it."""
        return timestamp(time.time())

    def wait_s(self, seconds: float) -> float:
        """Return how long a simulated wait really takes."""
        return seconds / self.settings.time_scale

    def is_listed(self, created_s: float) -> bool:
        """True where a list may already show what was created then."""
        return time.time() - created_s >= self.faults.list_lag_s


def project_number(project: str) -> str:
    """Return a project's number: made up from its id, always the same."""
    if project.isdigit():
        return project
    return str(10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11))


def parent_of(call: Call) -> str:
    """Return `projects/NUMBER/locations/LOCATION` of a request."""
    return f"projects/{project_number(call.path['project'])}/locations/{call.path['location']}"


def canonical(name: str) -> str:
    """Return a resource name with the project's number."""
    parts = name.strip("/").split("/")
    if len(parts) > 1 and parts[0] == "projects":
        parts[1] = project_number(parts[1])
    return "/".join(parts)
