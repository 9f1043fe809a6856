"""Long sends, told in lines: the same on a terminal, in a pipe and in a log."""

from __future__ import annotations

from collections.abc import Callable

from tunekit.model import Clock

_EVERY_S = 5.0
_MEGABYTE = 1_000_000


class Sending:
    """Says how far a send is, every few seconds; what is quicker than that needs no words."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._name = ""
        self._said_s = 0.0
        self._has_said = False

    def __call__(self, name: str, done: int, total: int) -> None:
        """Take note that `done` of `total` bytes are there."""
        now_s = self._clock.now_s()
        if name != self._name:
            self._name, self._said_s, self._has_said = name, now_s, False
        is_end = done >= total
        if now_s - self._said_s < _EVERY_S and not (is_end and self._has_said):
            return
        self._said_s, self._has_said = now_s, not is_end
        share = 100 * done // total if total else 100
        self._say(f"uploading {name}: {share}% of {total / _MEGABYTE:,.1f} MB")
