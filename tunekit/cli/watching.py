"""`status -w`: a live table of jobs, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tunekit.cli import waiting
from tunekit.cli.context import App
from tunekit.cli.keys import Keys
from tunekit.model import RecordedTrial
from tunekit.observe import Pace

if TYPE_CHECKING:
    from tunekit.views.follow import LiveFollower

# How often what is shown is drawn anew: the time left runs on between two looks.
_DRAW_EVERY_S = 1.0
_ON = (" ", "n", "\x1b[6~", "\x1b[C", "\x1b[B")  # also page down, right, down
_BACK = ("b", "p", "\x1b[5~", "\x1b[D", "\x1b[A")


def watch(app: App, choose: Callable[[], Sequence[RecordedTrial]]) -> None:
    """Follow jobs until none is open any more, or until q; `choose` reads them afresh."""
    from tunekit.views.follow import LiveFollower

    follower = app.follower(app.output)
    if not isinstance(follower, LiveFollower):
        # Those chosen now are followed to their ends, also past a --state that they leave.
        names = {trial.name for trial in choose()}
        waiting.until_ended(app, waiting.named(app, names), timeout_s=None)
        return
    pace, clock = Pace(app.observer()), app.clock
    trials = choose()
    with Keys(clock) as keys, follower:
        while True:
            unsettled = app.registry.unsettled_jobs()
            drawn = follower.drawn(trials)
            warnings = pace.refresh(unsettled, with_metrics=True, drawn=drawn)
            follower.note = f"warning: {warnings[0]}" if warnings else ""
            trials = choose()
            is_over = not any(job.is_open for t in trials if (job := t.current()))
            follower.has_keys = keys.are_there and not is_over
            follower.show(trials, clock.now_s(), waiting.levels(app))
            if is_over:
                return
            until_s = clock.now_s() + pace.pause_s({job.provider for job in unsettled})
            if not _drawn_until(app, until_s, follower, keys, trials):
                return


def _drawn_until(
    app: App,
    until_s: float,
    follower: LiveFollower,
    keys: Keys,
    trials: Sequence[RecordedTrial],
) -> bool:
    """Obey keys and keep the picture alive until a moment; False once told to stop."""
    while (left_s := until_s - app.clock.now_s()) > 0:
        match keys.wait(min(left_s, _DRAW_EVERY_S)):
            case "q" | "Q":
                return False
            case key if key in _ON:
                follower.turn(1)
            case key if key in _BACK:
                follower.turn(-1)
        follower.show(trials, app.clock.now_s(), waiting.levels(app))
    return True
