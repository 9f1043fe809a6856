"""When a call that could not be answered is made again. Providers never do so by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from tunekit.errors import Unavailable
from tunekit.model import Clock, Completion, Generation
from tunekit.providers.base import Provider

# So many tries without an answer, and the provider is not well.
MOST_TRIES = 6
_LONGEST_S = 60.0

T = TypeVar("T")


def backoff_s(tries: int, *, asked_s: float | None, random: Callable[[], float]) -> float:
    """Return how long to wait before the next try: full jitter, never less than was asked for.

    `tries` counts those made. Source:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return max(asked_s or 0.0, random() * min(_LONGEST_S, 2.0**tries))


def in_seconds(wait_s: float) -> str:
    """Return ` in 7 s`, for the end of a sentence; nothing for less than half a second."""
    return f" in {wait_s:.0f} s" if wait_s >= 0.5 else ""


def patiently(call: Callable[[], T], clock: Clock, *, say: Callable[[str], None]) -> T:
    """Return what `call` returns, calling again while it is Unavailable; the last such is raised.

    Only for calls that do no harm when they are made twice.
    """
    for tries in range(1, MOST_TRIES):
        try:
            return call()
        except Unavailable as error:
            _pause(error, tries, clock, say)
    return call()


def ask(
    provider: Provider,
    model: str,
    prompts: Sequence[str],
    generation: Generation,
    *,
    clock: Clock,
    say: Callable[[str], None],
) -> Iterator[Completion]:
    """Yield one answer a prompt, in order, and go on after the last answer where it breaks off."""
    return resumed(
        lambda answered: provider.generate(model, prompts[answered:], generation),
        clock=clock,
        say=say,
    )


def resumed(
    call: Callable[[int], Iterable[T]], *, clock: Clock, say: Callable[[str], None]
) -> Iterator[T]:
    """Yield what `call(0)` yields; where it is Unavailable after n of them, go on by `call(n)`."""
    done = tries = 0
    while True:
        try:
            for found in call(done):
                yield found
                done, tries = done + 1, 0
            return
        except Unavailable as error:
            tries += 1
            if tries >= MOST_TRIES:
                raise
            _pause(error, tries, clock, say)


def _pause(error: Unavailable, tries: int, clock: Clock, say: Callable[[str], None]) -> None:
    wait_s = backoff_s(tries, asked_s=error.retry_after_s, random=clock.random)
    say(f"{error}; trying again{in_seconds(wait_s)}")
    clock.sleep(wait_s)
