"""The keyboard while something is watched: single keys, without Enter."""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType
from typing import Any, Self

from tunekit.model import Clock


class Keys:
    """Reads keys until its `with` block ends; the terminal is then as it was.

    Where standard input is no terminal of this process's, there are none and waiting only waits.
    Ctrl-C interrupts as ever.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._former: Any = None

    @property
    def are_there(self) -> bool:
        return self._former is not None

    def __enter__(self) -> Self:
        try:
            import termios
            import tty

            # A process in the background would be stopped for touching the terminal.
            if sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp():
                self._former = termios.tcgetattr(sys.stdin.fileno())
                tty.setcbreak(sys.stdin.fileno())
        except (ImportError, OSError, ValueError, AttributeError):
            self._former = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._former is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._former)

    def wait(self, seconds: float) -> str:
        """Return the key that was pressed, as soon as one is; empty once the time is over."""
        if self._former is None:
            self._clock.sleep(seconds)
            return ""
        descriptor = sys.stdin.fileno()
        ready, _, _ = select.select([descriptor], [], [], seconds)
        if not ready:
            return ""
        pressed = os.read(descriptor, 32)
        if not pressed:  # hung up
            self._former = None
        return pressed.decode(errors="replace")
