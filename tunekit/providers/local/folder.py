"""One job's folder: what the provider and the worker tell each other, through files.

job.json          what was asked for; written once, before the folder gets its name
train.jsonl       the rendered rows (0600), and validation.jsonl where there are any
started.json      the worker's process; there from its first moment
state.json        how far it is; replaced whole
metrics.jsonl     one line a step; appended to
cancel            there once somebody asked for the end
alive             locked by the worker as long as it lives, so that the kernel tells of its death
model/epoch-N/    checkpoints
worker.log        what the worker printed
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunekit.errors import ProviderError
from tunekit.model import MetricPoint

_STEP = b'{"step": '
_TAIL_BYTES = 4096  # more than the longest line
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class JobFolder:
    """The files of one job. `path.name` is its token."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def job(self) -> Path:
        return self.path / "job.json"

    @property
    def alive(self) -> Path:
        return self.path / "alive"

    @property
    def cancel(self) -> Path:
        return self.path / "cancel"

    @property
    def log(self) -> Path:
        return self.path / "worker.log"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def is_job(self) -> bool:
        """True where a worker lives or once lived; a submit that died before it left no job."""
        return self.job.exists() and (self.is_worker_alive() or self.was_started())

    def created_s(self) -> float:
        """Return when the job was asked for, 0 where the folder is being removed."""
        try:
            return self.job.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def was_started(self) -> bool:
        """True once a worker lived in this folder, if only for a moment."""
        return (self.path / "started.json").exists()

    def read(self, name: str) -> dict[str, Any]:
        """Return one of the JSON files, {} where it is not there. ProviderError if damaged."""
        path = self.path / name
        try:
            loaded = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ProviderError(
                f"{path}: is damaged; remove the folder to forget the job"
            ) from error
        return loaded if isinstance(loaded, dict) else {}

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace one of the JSON files whole: a reader sees the old one or the new one."""
        new = self.path / f".{name}.new"
        with open_private(new) as file:
            file.write(json.dumps(value).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path / name)

    def is_worker_alive(self) -> bool:
        """True while a worker, or the process that is starting it, holds the lock."""
        try:
            file = os.open(self.alive, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: askers do not block askers
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def points(self, after_step: int) -> Iterator[MetricPoint]:
        """Yield the points past a step; a line that is still being written is left for later."""
        try:
            file = self.metrics.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                # {"step": N, …: most lines are known already and need not be read whole.
                if _step_of(line) <= after_step:
                    continue
                point = json.loads(line)
                for metric, value in point["values"].items():
                    yield MetricPoint(metric, point["step"], value, point["time_s"])

    def last_step(self) -> int:
        """Return the last step that was written down whole, 0 where there is none."""
        try:
            with self.metrics.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return 0
        return _step_of(lines[-1]) if lines else 0


def _step_of(line: bytes) -> int:
    return int(line[len(_STEP) : line.index(b",")])


def open_private(path: Path, *, append: bool = False) -> Any:
    """Open a file for writing that only its owner may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    return os.fdopen(os.open(path, flags, _FILE_MODE), "ab" if append else "wb")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, that only its owner may enter."""
    path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
