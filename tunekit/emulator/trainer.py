"""Real training behind simulated jobs: rows in, steps and checkpoints out, on a thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tunekit.providers.local.training as training
from tunekit.providers.local.training import Model, StepReport

Pairs = Sequence[tuple[str, str]]

# A published job showed about this pace; simulated, so that metrics can be watched growing.
STEP_S = 0.5
# So long one training computes while others wait: a short one to its end, an endless one not.
TURN_S = 1.0
MOST_LABELS_OF_A_TIE = 50


class Stopped(Exception):
    """The job was cancelled, or the emulator ends."""


class Turns:
    """One training computes at a time, the others in turn after it.

    Two at once are no faster, for Python's threads share a lock, and answers come later: of fifty
    jobs on two cores, a list took 14 to 19 ms (median) with one and 26 to 28 ms with two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    def take(self, stop: threading.Event) -> None:
        """Wait for a turn. Raises Stopped."""
        mine = threading.Event()
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            self._waiting.append(mine)
        while not mine.wait(timeout=0.1):
            if not stop.is_set():
                continue
            with self._lock:
                is_mine = mine.is_set()
                if not is_mine:
                    self._waiting.remove(mine)
            if is_mine:
                self.give()
            raise Stopped

    def give(self) -> None:
        """Let the one that has waited longest compute."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False

    @property
    def is_wanted(self) -> bool:
        """True where another one waits."""
        return bool(self._waiting)


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
    turns: Turns,
    *,
    folder: Path,
    step_s: float,
    on_start: Callable[[], None],
    on_step: Callable[[StepReport], None],
) -> None:
    """Train, at most one step every `step_s` seconds. Raises Stopped."""
    turns.take(run.stop)
    has_turn = True
    began = turn_began = time.monotonic()

    def report(step: StepReport) -> None:
        nonlocal has_turn, turn_began
        on_step(step)
        if run.stop.is_set():
            raise Stopped
        now = time.monotonic()
        early = began + step.step * step_s - now
        if early > 0.001 or (now - turn_began > TURN_S and turns.is_wanted):
            turns.give()
            has_turn = False
            run.wait(max(early, 0))
            turns.take(run.stop)
            has_turn = True
            turn_began = time.monotonic()

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
        if has_turn:
            turns.give()


def checkpoints(folder: Path, *, most: int) -> list[tuple[int, Path]]:
    """Return (epoch, folder) of the kept checkpoints, evenly spaced past `most`, and the last."""
    found = sorted((int(path.name.split("-")[1]), path) for path in folder.glob("epoch-*"))
    every = -(-len(found) // most) or 1
    return found[::-1][::every][::-1]


@lru_cache(maxsize=16)
def load(folder: Path) -> Model:
    """Return the model of a checkpoint."""
    return training.load(folder)
