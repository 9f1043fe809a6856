"""Real training behind simulated jobs: rows in, steps and checkpoints out, on a thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tunekit.providers.local.training as training
from tunekit.providers.local.training import Model, StepReport

Pairs = Sequence[tuple[str, str]]

# A published job showed about this pace; simulated, so that metrics can be watched growing.
STEP_S = 0.5
MOST_LABELS_OF_A_TIE = 50


class Stopped(Exception):
    """The job was cancelled, or the emulator ends."""


class Slots:
    """As many trainings compute at once as there are cores; the others wait for capacity."""

    def __init__(self) -> None:
        self.free = threading.Semaphore(os.cpu_count() or 1)

    def take(self, stop: threading.Event) -> None:
        """Wait for a slot. Raises Stopped."""
        while not self.free.acquire(timeout=0.1):
            if stop.is_set():
                raise Stopped

    def give(self) -> None:
        """Let another one compute."""
        self.free.release()


class Run:
    """A thread that lives a job from its creation to its end."""

    def __init__(self, live: Callable[[], None], name: str) -> None:
        self.stop = threading.Event()
        self.forgotten = threading.Event()
        self.thread = threading.Thread(target=live, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def forget(self) -> None:
        """End as soon as possible: nobody will look at the job again."""
        self.forgotten.set()
        self.stop.set()

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Stopped as soon as the job is cancelled."""
        if self.stop.wait(seconds):
            raise Stopped


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained: the local trainer's base model, rows and settings."""

    base_model: str
    train: Pairs
    validation: Pairs
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int

    @property
    def total_steps(self) -> int:
        return training.total_steps(len(self.train), epochs=self.epochs, batch_size=self.batch_size)


def make_plan(
    train: Pairs,
    validation: Pairs,
    *,
    epochs: int | None,
    batch_size: int | None,
    multiplier: float,
    seed: int,
) -> Plan:
    """Choose the local base model for the rows, and fill in its defaults."""
    base = training.BASE_MODELS[choose_base_model(train)]
    return Plan(
        base_model=base.name,
        train=train,
        validation=validation,
        epochs=epochs or base.epochs,
        batch_size=batch_size or base.batch_size,
        learning_rate=base.learning_rate * multiplier,
        seed=seed,
    )


def choose_base_model(rows: Pairs) -> str:
    """Return text-classifier where outputs are a small set that recurs, else text-editor."""
    as_labels = training.check("text-classifier", rows)
    if as_labels.is_refused:
        return "text-editor"
    as_edits = training.check("text-editor", rows)
    if as_labels.unfit != as_edits.unfit:
        return "text-classifier" if as_labels.unfit < as_edits.unfit else "text-editor"
    few = len({output for _, output in rows}) <= MOST_LABELS_OF_A_TIE
    return "text-classifier" if few else "text-editor"


def train(
    plan: Plan,
    run: Run,
    slots: Slots,
    *,
    folder: Path,
    step_s: float,
    on_start: Callable[[], None],
    on_step: Callable[[StepReport], None],
) -> None:
    """Train, at most one step every `step_s` seconds. Raises Stopped."""
    slots.take(run.stop)
    has_slot = True
    began = time.monotonic()

    def report(step: StepReport) -> None:
        nonlocal has_slot
        on_step(step)
        if run.stop.is_set():
            raise Stopped
        early = began + step.step * step_s - time.monotonic()
        if early > 0.001:
            slots.give()
            has_slot = False
            run.wait(early)
            slots.take(run.stop)
            has_slot = True

    try:
        on_start()
        training.train(
            plan.base_model,
            plan.train,
            plan.validation,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate,
            seed=plan.seed,
            folder=folder,
            on_step=report,
        )
    finally:
        if has_slot:
            slots.give()


def checkpoints(folder: Path, *, most: int) -> list[tuple[int, Path]]:
    """Return (epoch, folder) of the kept checkpoints, evenly spaced past `most`, and the last."""
    found = sorted((int(path.name.split("-")[1]), path) for path in folder.glob("epoch-*"))
    every = -(-len(found) // most) or 1
    return found[::-1][::every][::-1]


@lru_cache(maxsize=16)
def load(folder: Path) -> Model:
    """Return the model of a checkpoint."""
    return training.load(folder)
