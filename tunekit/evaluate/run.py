"""Asking a model about rows: several at once, each answer handed on as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from tunekit.errors import ProviderError
from tunekit.model import Clock, Completion, Example

# After a failure, what is under way is waited for so long: it was paid for.
_LAST_ANSWERS_S = 5.0
_MOST_AT_ONCE = 200  # answers handed on together
# How often the wait for an answer looks up, so that Ctrl-C is obeyed.
_LOOK_UP_S = 0.2

Ask = Callable[[Sequence[str]], Iterable[Completion]]


class Question(NamedTuple):
    """One row to ask about. `key` names its content: the same row has it in every run."""

    key: str
    example: Example


class Answer(NamedTuple):
    """A question and what the model made of it."""

    question: Question
    completion: Completion


def questions(examples: Iterable[Example]) -> list[Question]:
    """Return each row with its key: 32 hexadecimal digits, a hash of what is asked and scored.

    Rows that are alike are told apart by how many came before.
    """
    seen: Counter[str] = Counter()
    found = []
    for example in examples:
        text = json.dumps([example.prompt, example.response, example.source])
        seen[text] += 1
        named = f"{seen[text]}\0{text}".encode("utf-8", "surrogatepass")
        found.append(Question(hashlib.sha256(named).hexdigest()[:32], example))
    return found


def ask_all(
    ask: Ask,
    asked: Sequence[Question],
    *,
    at_once: int,
    take: Callable[[Sequence[Answer]], bool],
) -> bool:
    """Ask all questions, at most `at_once` at a time; say whether all were asked.

    `take` gets answers in the order in which they come, in this thread, soon after they came; once
    it returns False nothing more is asked. What came before an error was taken before it is raised.
    With `at_once` 1, `ask` is called once for all; else once for each, in several threads.
    """
    if not asked:
        return True
    work = _Work(ask, asked, whole=at_once == 1)
    threads = [
        threading.Thread(target=work.run, name="tunekit-evaluate", daemon=True)
        for _ in range(min(at_once, len(asked)))
    ]
    for thread in threads:
        thread.start()
    try:
        return _taken(work, len(threads), len(asked), take)
    finally:
        work.stop()


def _taken(work: _Work, threads: int, asked: int, take: Callable[[Sequence[Answer]], bool]) -> bool:
    """Take answers until every thread has ended; say whether `take` wanted them all."""
    failure: Exception | None = None
    goes_on, answered = True, 0
    while threads and not work.is_late:
        batch: list[Answer] = []
        for found in work.arrived(timeout_s=_LAST_ANSWERS_S if failure else None):
            if isinstance(found, Answer):
                batch.append(found)
            else:
                threads -= 1
                failure = failure or found.error
        if batch:
            answered += len(batch)
            goes_on = take(batch) and goes_on
        if failure is not None or not goes_on:
            work.stop()
    if failure is not None:
        raise failure
    if goes_on and answered < asked:
        raise ProviderError(
            f"only {answered} of {asked} rows were answered; repeat the command to go on"
        )
    return goes_on


@dataclass(frozen=True, slots=True)
class _End:
    """A thread has ended, by an error or without."""

    error: Exception | None


class _Work:
    """Questions handed to threads, and what comes back."""

    def __init__(self, ask: Ask, asked: Sequence[Question], *, whole: bool) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._waiting = iter([asked] if whole else [[question] for question in asked])
        self._stopped = threading.Event()
        self._found: queue.SimpleQueue[Answer | _End] = queue.SimpleQueue()
        self.is_late = False

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Ask until there is nothing left; never raises."""
        error: Exception | None = None
        try:
            while (some := self._next()) is not None:
                completions = self._ask([question.example.prompt for question in some])
                for question, completion in zip(some, completions, strict=False):
                    self._found.put(Answer(question, completion))
                    if self._stopped.is_set():
                        break
        except Exception as fault:
            error = fault
            self.stop()
        self._found.put(_End(error))

    def _next(self) -> Sequence[Question] | None:
        with self._lock:
            return None if self._stopped.is_set() else next(self._waiting, None)

    def arrived(self, *, timeout_s: float | None) -> Iterator[Answer | _End]:
        """Wait for something and yield all that is there; `is_late` once the time has passed."""
        waited_s = 0.0
        while True:
            try:
                yield self._found.get(timeout=_LOOK_UP_S)
                break
            except queue.Empty:
                waited_s += _LOOK_UP_S
                if timeout_s is not None and waited_s >= timeout_s:
                    self.is_late = True
                    return
        for _ in range(_MOST_AT_ONCE - 1):
            try:
                yield self._found.get_nowait()
            except queue.Empty:
                return


class Pace:
    """Lets one call through at a time, so many a minute, evenly; for several threads."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self._gap_s = 60 / per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = 0.0

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            now_s = self._clock.now_s()
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._gap_s
        if turn_s > now_s:
            self._clock.sleep(turn_s - now_s)


class Paced(Sequence[str]):
    """Prompts that wait for their turn when they are taken, also when they are taken again."""

    def __init__(self, prompts: Sequence[str], pace: Pace) -> None:
        self._prompts = prompts
        self._pace = pace

    def __len__(self) -> int:
        return len(self._prompts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Paced: ...
    def __getitem__(self, index: int | slice) -> str | Paced:
        if isinstance(index, slice):
            return Paced(self._prompts[index], self._pace)
        return self._prompts[index]

    def __iter__(self) -> Iterator[str]:
        for prompt in self._prompts:
            self._pace.wait()
            yield prompt
