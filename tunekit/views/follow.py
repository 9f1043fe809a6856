"""Following jobs until they end: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from tunekit.model import RecordedTrial
from tunekit.views.jobs import counts, percent, waits_for
from tunekit.views.output import STATE_STYLES, Column, Output, Table
from tunekit.views.text import clean, duration, line, number, shortened
from tunekit.views.watch import (
    Remaining,
    middle_cut,
    stretches,
    summary,
    watch_table,
    worst_first,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

# Of more jobs than this, a pipe is told ends, not every tenth of each.
_MOST_TENTHS = 20
# Head, rule, a warning, two lines of summary and the prompt.
_LINES_AROUND = 6
_LEAST_ROWS = 3

# Width and height of the screen now, in characters.
Size = Callable[[], tuple[int, int]]
# Levels of the loss of jobs by their ids, and how many levels at most.
Levels = Callable[[Sequence[int], int], Mapping[int, Sequence[float]]]


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

    def show(self, trials: Sequence[RecordedTrial], now_s: float, levels: Levels) -> None:
        """Show where the jobs are now; `levels` is asked once, for the jobs that are drawn."""
        ...

    def drawn(self, trials: Sequence[RecordedTrial]) -> set[int]:
        """Return the ids of the jobs whose curves are in sight."""
        ...


def follower(output: Output, size: Size, since_s: float) -> Follower:
    """Return what fits the stream; `since_s` is when the following begins."""
    if output.is_live:
        return LiveFollower(output, size, since_s)
    return PlainFollower(output.stream)


class PlainFollower:
    """A line whenever a job's state changes, and at every tenth of its way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, tuple[str, int]] = {}
        self._ended = -1
        self._remaining = Remaining()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        self._stream.write(clean(text) + "\n")
        self._stream.flush()

    def drawn(self, trials: Sequence[RecordedTrial]) -> set[int]:
        return set()

    def show(self, trials: Sequence[RecordedTrial], now_s: float, levels: Levels) -> None:
        are_many = len(trials) > _MOST_TENTHS
        for trial in trials:
            job = trial.current()
            if job is None:
                continue
            self._remaining.note(job, now_s)
            share = percent(job)
            tenth = 0 if are_many else int((share or 0) // 10)
            mark = (f"{job.number} {job.state}", tenth)
            if self._said.get(trial.name) == mark:
                continue
            self._said[trial.name] = mark
            parts = [f"{trial.name}: {job.state}"]
            if share is not None and job.total_steps:
                parts.append(f"{share:.0f}% ({job.completed_steps}/{job.total_steps} steps)")
            left_s = self._remaining.left_s(job, now_s)
            if left_s is not None:
                parts.append(f"{duration(left_s)} left")
            if job.loss is not None:
                parts.append(f"loss {number(job.loss)}")
            if waits_for(job):
                parts.append(line(waits_for(job)))
            self.say(", ".join(parts))
        if are_many:
            self._say_tenths(trials)

    def _say_tenths(self, trials: Sequence[RecordedTrial]) -> None:
        """Print how many of many jobs have ended, at every tenth of them."""
        ended = sum(job is not None and not job.is_open for job in (t.current() for t in trials))
        tenth = 10 * ended // len(trials)
        if tenth != self._ended:
            self._ended = tenth
            self.say(f"{ended:,} of {len(trials):,} ended: {counts(trials)}")


class LiveFollower:
    """A table that is drawn in place: bars, steps, time left, sparklines; a page at a time."""

    def __init__(self, output: Output, size: Size, since_s: float) -> None:
        from rich.live import Live

        self._size = size
        self._since_s = since_s
        self._remaining = Remaining()
        self._console = output.console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._page = 0
        self.note = ""
        self.has_keys = False

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(clean(text), soft_wrap=True)

    def turn(self, pages: int) -> None:
        """Go so many pages on, or back."""
        self._page += pages

    def drawn(self, trials: Sequence[RecordedTrial]) -> set[int]:
        shown, _ = self._shown(trials)
        return {job.id for trial in shown if (job := trial.current())}

    def show(self, trials: Sequence[RecordedTrial], now_s: float, levels: Levels) -> None:
        from rich.console import ConsoleDimensions

        width, height = self._size()
        self._console.size = ConsoleDimensions(width, height)
        for trial in trials:
            if job := trial.current():
                self._remaining.note(job, now_s)
        shown, pages = self._shown(trials)
        ids = [job.id for trial in shown if (job := trial.current())]
        table = watch_table(
            shown,
            now_s=now_s,
            width=width,
            levels=levels(ids, stretches(width)),
            remaining=self._remaining,
        )
        below = summary(trials, page=self._page, pages=pages, has_keys=self.has_keys)
        self._live.update(_drawn(table, width, [self.note, below]), refresh=True)

    def _shown(self, trials: Sequence[RecordedTrial]) -> tuple[list[RecordedTrial], int]:
        """Return the page's trials and how many pages there are."""
        room = max(self._size()[1] - _LINES_AROUND, _LEAST_ROWS)
        pages = max(-(-len(trials) // room), 1)
        self._page %= pages
        ordered = worst_first(trials, since_s=self._since_s)
        return ordered[self._page * room : (self._page + 1) * room], pages


def _drawn(table: Table, width: int, below: Sequence[str]) -> RenderableType:
    """Return what rich draws; every cell is Text, so nothing in it is read as markup."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    columns = table.fitting(width)
    for column, room in columns:
        drawn.add_column(
            Text(column.title),
            justify="right" if column.is_number else "left",
            no_wrap=True,
            width=room,
        )
    for row in table.rows:
        drawn.add_row(*(_cell(row, column, room) for column, room in columns))
    lines: list[Any] = [Text(shortened(line(text), width), "dim") for text in below if text]
    return Group(drawn, *lines)


def _cell(row: Mapping[str, str], column: Column, room: int) -> Text:
    from rich.text import Text

    cut = middle_cut if column.key == "name" else shortened
    text = cut(line(row.get(column.key, "")), room)
    style = STATE_STYLES.get(row.get("state", ""), "")
    match column.key:
        case "state":
            return Text(text, style)
        case "progress":
            length = text.count("━")
            room = length + text.count("╌")
            return Text.assemble((text[:length], style), (text[length:room], "dim"), text[room:])
        case "loss":
            sparks = text.rpartition(" ")[0]
            return Text.assemble((sparks, "cyan"), text[len(sparks) :])
        case "detail":
            return Text(text, "red" if row.get("state") == "FAILED" else "dim")
    return Text(text)
