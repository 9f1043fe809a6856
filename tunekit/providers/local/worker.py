"""The process that trains one job: `python -m tunekit.providers.local.worker FOLDER SLOTS LIMIT`.

It inherits the job's `alive` lock, waits for a free slot, trains, and writes how it ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tunekit.model import (
    EVAL_CORRECT,
    EVAL_LOSS,
    EVAL_PREDICTIONS,
    MEAN_LOSS,
    TRAIN_CORRECT,
    TRAIN_LOSS,
    TRAIN_PREDICTIONS,
    JobState,
)
from tunekit.providers.local import training
from tunekit.providers.local.folder import JobFolder, open_private
from tunekit.providers.local.rows import read_rows

# How often the state file is replaced, and how often a waiting worker looks for a slot.
_REPORT_EVERY_S = 0.2
_LOOK_EVERY_S = 0.2


class _Cancelled(BaseException):
    """Somebody asked for the end. No library that is at work then may take it for its own."""


def main(arguments: list[str]) -> int:
    """Train the job in a folder; 0 where it ended as it was meant to."""
    folder, slots, limit = JobFolder(Path(arguments[0])), Path(arguments[1]), int(arguments[2])
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _on_terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder.write("started.json", {"process": os.getpid(), "started_s": time.time()})
    progress = _Progress(folder)
    try:
        # Asked for before there was a process to tell.
        if folder.cancel.exists():
            raise _Cancelled
        progress.put(state=JobState.PENDING, detail="waiting for a free slot")
        with _slot(slots, limit):
            _train(folder, progress)
        progress.end(JobState.SUCCEEDED)
    except _Cancelled:
        if folder.cancel.exists():
            progress.end(JobState.CANCELLED)
        else:
            progress.end(JobState.FAILED, error="the worker was told to end (SIGTERM) by others")
    except MemoryError:
        progress.end(JobState.FAILED, error="out of memory; use fewer rows or a smaller batch_size")
    except Exception as error:
        if folder.cancel.exists():
            # A signal in the middle of an import comes out as whatever the import made of it.
            progress.end(JobState.CANCELLED)
            return 0
        # The text of an unforeseen error may quote a row: it goes to the owner's log alone.
        import traceback

        traceback.print_exc()
        kind = type(error).__name__
        progress.end(JobState.FAILED, error=f"{kind} in training; the worker's log: {folder.log}")
        return 1
    return 0


def _on_terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _Cancelled


@contextmanager
def _slot(slots: Path, limit: int) -> Iterator[None]:
    """Wait for one of `limit` slots and hold it; the longest waiting comes first."""
    queue = os.open(slots / "queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    files = [
        os.open(slots / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for number in range(limit)
    ]
    try:
        fcntl.flock(queue, fcntl.LOCK_EX)  # only the head of the queue looks; the others sleep
        while not any(_try_lock(file) for file in files):
            time.sleep(_LOOK_EVERY_S)
        os.close(queue)
        queue = -1
        yield
    finally:
        for file in [*files, queue]:
            if file >= 0:
                os.close(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _train(folder: JobFolder, progress: _Progress) -> None:
    asked = folder.read("job.json")
    if folder.cancel.exists():
        raise _Cancelled
    rows, validation = (read_rows(folder.path / f"{s}.jsonl") for s in ("train", "validation"))
    progress.put(
        state=JobState.RUNNING,
        detail="reading",
        started_s=time.time(),
        steps_per_epoch=training.total_steps(len(rows), epochs=1, batch_size=asked["batch_size"]),
    )
    with open_private(folder.metrics, append=True) as file:

        def on_step(report: training.StepReport) -> None:
            if folder.cancel.exists():
                raise _Cancelled
            line = {"step": report.step, "time_s": time.time(), "values": _values(report)}
            file.write(json.dumps(line).encode() + b"\n")
            is_last = report.step == report.total_steps
            if progress.is_due() or report.mean_loss is not None or is_last:
                file.flush()
                progress.put(detail="", step=report.step, epoch=report.epoch, loss=report.loss)

        training.train(
            asked["base_model"],
            rows,
            validation,
            epochs=asked["epochs"],
            batch_size=asked["batch_size"],
            learning_rate=asked["learning_rate"],
            seed=asked["seed"],
            folder=folder.model,
            on_step=on_step,
        )


def _values(report: training.StepReport) -> dict[str, float]:
    values = {
        TRAIN_LOSS: report.loss,
        TRAIN_CORRECT: report.correct,
        TRAIN_PREDICTIONS: report.predictions,
    }
    if report.evaluation is not None:
        values[EVAL_LOSS] = report.evaluation.loss
        values[EVAL_CORRECT] = report.evaluation.correct
        values[EVAL_PREDICTIONS] = report.evaluation.predictions
    if report.mean_loss is not None:
        values[MEAN_LOSS] = report.mean_loss
    return values


class _Progress:
    """The job's state file, replaced as the job moves."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._state: dict[str, Any] = {}
        self._written_s = 0.0

    def is_due(self) -> bool:
        return time.monotonic() - self._written_s >= _REPORT_EVERY_S

    def put(self, **changes: Any) -> None:
        self._state.update(changes)
        self._folder.write("state.json", self._state)
        self._written_s = time.monotonic()

    def end(self, state: JobState, *, error: str = "") -> None:
        # From here on a late SIGTERM changes nothing: the end is being written.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.put(state=state, detail="", error=error, ended_s=time.time())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
