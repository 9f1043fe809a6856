"""Jobs on their way: the rows that `status -w`, `wait` and `apply --wait` draw, worst first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tunekit.evaluate.curves import is_far
from tunekit.model import Job, JobState, Phase, RecordedTrial
from tunekit.views.jobs import counts, percent, steps, took_s, waits_for
from tunekit.views.output import Column, Table
from tunekit.views.text import bar, duration, line, number

# Below this width bars and sparklines are short, so that every column still fits 80.
_WIDE = 100
_SPARKS = "▁▂▃▄▅▆▇█"
# A pace is measured over the latest steps, as many as this, and for so long at the least.
_SAMPLES = 30
_LEAST_SPAN_S = 2.0


@dataclass(slots=True)
class Remaining:
    """Tells how long jobs still need, from how fast they went while somebody looked.

    The service's own start is only a stand-in: it may have waited for capacity since.
    """

    _seen: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def note(self, job: Job, now_s: float) -> None:
        """Take note of how far a job is now."""
        if job.completed_steps is None or not job.is_open:
            return
        seen = self._seen.setdefault(job.id, [])
        if not seen or job.completed_steps > seen[-1][1]:
            seen.append((now_s, job.completed_steps))
            del seen[:-_SAMPLES]

    def left_s(self, job: Job, now_s: float) -> float | None:
        """Return the seconds until a running job's last step, None where nobody can tell."""
        done, total = job.completed_steps, job.total_steps
        if job.state is not JobState.RUNNING or not done or not total or done >= total:
            return None
        seen = self._seen.get(job.id) or [(now_s, done)]
        (begin_s, first), (end_s, last) = seen[0], seen[-1]
        if end_s - begin_s >= _LEAST_SPAN_S:
            pace_s = (end_s - begin_s) / (last - first)
            return max((total - last) * pace_s - (now_s - end_s), 0.0)
        # The first steps are slow, and say little.
        if job.started_s is None or now_s <= job.started_s or 100 * done < total:
            return None
        return (now_s - job.started_s) / done * (total - done)


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last `width` values as bars of eight heights, between the lowest and highest.

    Values that fall far are compared by their logarithms, as in a plot.
    """
    finite = [value for value in values if math.isfinite(value)][-width:]
    if not finite:
        return ""
    if is_far(min(finite), max(finite)):
        finite = [math.log(value) for value in finite]
    lowest, highest = min(finite), max(finite)
    scale = (len(_SPARKS) - 1) / (highest - lowest) if highest > lowest else 0.0
    return "".join(_SPARKS[round((value - lowest) * scale)] for value in finite)


def middle_cut(text: str, width: int) -> str:
    """Return at most `width` characters, cut in the middle: names differ at their ends."""
    if len(text) <= width:
        return text
    head = max((width - 1) // 2, 0)
    tail = max(width - 1 - head, 0)
    return f"{text[:head]}…{text[len(text) - tail :]}"


def stretches(width: int) -> int:
    """Return how many levels of a curve a sparkline shows on a terminal of this width."""
    return 16 if width >= _WIDE else 6


_ROUGHLY = (JobState.FAILED, JobState.UNKNOWN, JobState.CANCELLING, JobState.RUNNING)


def worst_first(trials: Sequence[RecordedTrial], *, since_s: float) -> list[RecordedTrial]:
    """Return what needs a person first, then what moves, waits, has ended, and ended long ago.

    Long ago is before `since_s`. The order of what moves is that of submitting: rows stay put.
    """

    def place(trial: RecordedTrial) -> tuple[int, float, str]:
        job = trial.current()
        if job is None:
            return 3, 0.0, trial.name
        if job.phase is Phase.INTENT:
            return 1, job.submitted_s, trial.name
        if job.state.is_terminal and (job.ended_s or job.observed_s or 0.0) < since_s:
            is_bad = job.state is JobState.FAILED
            return 20 if is_bad else 21, -(job.ended_s or 0.0), trial.name
        rank = _ROUGHLY.index(job.state) if job.state in _ROUGHLY else len(_ROUGHLY)
        # Waiting jobs follow those that run, ended ones follow both.
        is_over = job.state in (JobState.SUCCEEDED, JobState.CANCELLED)
        return 4 + rank + is_over, job.submitted_s, trial.name

    return sorted(trials, key=place)


def columns() -> tuple[Column, ...]:
    """Return the columns; on a narrow terminal those of a high rank go first."""
    return (
        Column("NAME", "name", most=40, least=10),
        Column("STATE", "state"),
        Column("PROGRESS", "progress", rank=1),
        Column("STEPS", "steps", rank=5, is_number=True),
        Column("LEFT", "left", rank=2, is_number=True),
        Column("LOSS", "loss", rank=3, is_number=True),
        Column("WAITS FOR", "detail", rank=4, most=100, least=9),
    )


def watch_table(
    trials: Sequence[RecordedTrial],
    *,
    now_s: float,
    width: int,
    levels: Mapping[int, Sequence[float]],
    remaining: Remaining,
) -> Table:
    """Return a row a job. `levels` are its losses on the way, by job id."""
    rows = []
    for trial in trials:
        job = trial.current()
        if job is None:
            refused = trial.jobs[-1].error if trial.jobs else "nothing submitted"
            rows.append({"name": trial.name, "state": "-", "detail": line(refused)})
            continue
        left_s = remaining.left_s(job, now_s)
        left = "" if left_s is None else duration(left_s)
        if job.state.is_terminal:
            left = f"in {duration(took_s(job))}" if took_s(job) is not None else ""
        rows.append(
            {
                "name": trial.name,
                "state": job.state.value,
                "progress": _progress(job, width),
                "steps": steps(job),
                "left": left,
                "loss": _loss(job, levels.get(job.id, ()), width),
                "detail": line(waits_for(job)),
            }
        )
    return Table(columns(), rows)


def _progress(job: Job, width: int) -> str:
    share = percent(job)
    if share is None and job.state is not JobState.RUNNING:
        return ""
    # Rounded, a job would be at 100% before its last step.
    is_short = (job.completed_steps or 0) < (job.total_steps or 0)
    if share is not None and is_short and job.state is not JobState.SUCCEEDED:
        share = min(share, 99.0)
    room = 20 if width >= _WIDE else 6
    told = "  ?%" if share is None else f"{int(share):3}%"
    return f"{bar((share or 0) / 100, room)} {told}"


def _loss(job: Job, levels: Sequence[float], width: int) -> str:
    room = stretches(width)
    # Of one width, so that sparklines begin below each other.
    return f"{sparkline(levels, room):<{room}} {_short(job.loss):>7}"


def _short(loss: float | None) -> str:
    """Return a loss in at most seven characters, of the sizes that losses have."""
    if loss is None or not 0 < abs(loss) < 0.01:
        return number(loss)
    return f"{loss:.1e}" if abs(loss) < 0.001 else f"{loss:.3g}"


def summary(trials: Sequence[RecordedTrial], *, page: int, pages: int, has_keys: bool) -> str:
    """Return the line below the rows: how many are in which state, and how to see the others."""
    text = counts(trials)
    if pages > 1:
        text += f" · page {page + 1} of {pages}, worst first"
        if has_keys:
            text += ": space next, b back, q quit"
    elif has_keys:
        text += " · q or Ctrl-C stops watching; the jobs go on"
    return text
