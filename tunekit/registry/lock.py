"""One applier per registry: an OS lock that the kernel frees, also on kill -9."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from tunekit.errors import RegistryBusy, RegistryError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock, for the message to whoever waits."""

    who: str
    pid: int
    command: str
    since_s: float


class ApplierLock:
    """Hold `path` locked while the block runs. RegistryBusy where another holds it.

    Source: flock(2).
    """

    def __init__(
        self,
        path: Path,
        holder: Holder,
        *,
        timeout_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._holder = holder
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._file: int | None = None

    def __enter__(self) -> ApplierLock:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RegistryError(
                f"{self._path}: {error.strerror}; make the folder writable, or name another "
                "--registry"
            ) from error
        waited_s = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited_s >= self._timeout_s:
                    message = self._busy(file)
                    os.close(file)
                    raise RegistryBusy(message) from None
                self._sleep(0.1)
                waited_s += 0.1
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(self._holder)).encode(), 0)
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def _busy(self, file: int) -> str:
        try:
            held = Holder(**json.loads(os.pread(file, 4096, 0)))
        except (ValueError, TypeError):
            return "another apply holds this registry; wait for it, or give --lock-timeout"
        return (
            f"{held.who} holds this registry (process {held.pid}: {held.command}); "
            "wait for it, or give --lock-timeout"
        )
