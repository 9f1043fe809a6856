"""Following jobs until they end: bars on a terminal, plain lines elsewhere. On standard error."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from tunekit.model import RecordedTrial
from tunekit.views.jobs import percent, waits_for
from tunekit.views.output import Output
from tunekit.views.text import clean, duration, line, number

# More bars than this scroll off a terminal; the others are counted.
_MOST_BARS = 20


class Follower(Protocol):
    """Shows jobs as they move; a context manager that leaves the terminal as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def say(self, text: str) -> None:
        """Print one line that stays."""
        ...

    def show(self, trials: Sequence[RecordedTrial], now_s: float) -> None:
        """Show where the jobs are now."""
        ...


def follower(output: Output) -> Follower:
    """Return what fits the stream."""
    return BarFollower(output) if output.is_terminal else PlainFollower(output.stream)


class PlainFollower:
    """A line whenever a job's state changes, and at every tenth of its way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        self._stream.write(clean(text) + "\n")
        self._stream.flush()

    def show(self, trials: Sequence[RecordedTrial], now_s: float) -> None:
        for trial in trials:
            job = trial.current()
            if job is None:
                continue
            share = percent(job)
            mark = (f"{job.number} {job.state}", int((share or 0) // 10))
            if self._said.get(trial.name) == mark:
                continue
            self._said[trial.name] = mark
            parts = [f"{trial.name}: {job.state}"]
            if share is not None and job.total_steps:
                parts.append(f"{share:.0f}% ({job.completed_steps}/{job.total_steps} steps)")
            if job.loss is not None:
                parts.append(f"loss {number(job.loss)}")
            if waits_for(job):
                parts.append(line(waits_for(job)))
            self.say(", ".join(parts))


class BarFollower:
    """A progress bar a job."""

    def __init__(self, output: Output) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        is_wide = output.width >= 100
        columns: list[Any] = [
            TextColumn("{task.fields[name]}", markup=False),
            TextColumn("{task.fields[state]}", style="", markup=False),
            BarColumn(bar_width=30 if is_wide else 12),
            TextColumn("{task.fields[steps]}", markup=False, justify="right"),
            TextColumn("{task.fields[loss]}", markup=False),
        ]
        if is_wide:
            columns.append(TextColumn("{task.fields[left]}", markup=False))
        self._progress = Progress(*columns, console=output.console(), auto_refresh=False)
        self._bars: dict[str, Any] = {}
        self._room = max(output.width - 62, 12)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._progress.console.print(clean(text), soft_wrap=True)

    def show(self, trials: Sequence[RecordedTrial], now_s: float) -> None:
        for trial in trials:
            job = trial.current()
            if job is None:
                continue
            if trial.name not in self._bars:
                if len(self._bars) >= _MOST_BARS:
                    continue
                self._bars[trial.name] = self._progress.add_task(
                    "", total=None, name="", state="", steps="", loss="", left=""
                )
            share = percent(job)
            steps = f"{job.completed_steps or 0}/{job.total_steps}" if job.total_steps else ""
            self._progress.update(
                self._bars[trial.name],
                total=100,
                completed=share or 0,
                name=trial.name[: self._room],
                state=f"{job.state.value:<10}",
                steps=f"{share or 0:3.0f}% {steps}",
                loss=f"loss {number(job.loss)}" if job.loss is not None else "",
                left=_left(job.started_s, share, now_s) if job.is_open else line(waits_for(job)),
            )
        self._progress.refresh()


def _left(started_s: float | None, share: float | None, now_s: float) -> str:
    """Return the time a job still needs if it goes on as fast as so far."""
    if started_s is None or not share or share < 1:
        return ""
    return f"{duration((now_s - started_s) * (100 - share) / share)} left"
