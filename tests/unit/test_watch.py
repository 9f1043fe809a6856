"""Jobs on their way: what is drawn, in which order, and how long they still take."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.test_plan import job, recorded
from tests.unit.test_views import HOSTILE, output, written
from tunekit.model import Job, JobState, Phase, RecordedTrial
from tunekit.views.follow import LiveFollower, PlainFollower, follower
from tunekit.views.watch import Remaining, middle_cut, sparkline, watch_table, worst_first

NOW_S = 1_000_000.0
RUNNING, FAILED, SUCCEEDED = JobState.RUNNING, JobState.FAILED, JobState.SUCCEEDED


def moving(number: int, state: JobState = RUNNING, **more: Any) -> RecordedTrial:
    known = {"submitted_s": NOW_S - 500 + number, "started_s": None, **more}
    made = replace(job(number, "A", state), **known)
    return replace(recorded(made), experiment=f"trial-{number:03}", key="main")


def steps(done: int, total: int = 100) -> dict[str, Any]:
    return {"completed_steps": done, "total_steps": total}


def levels(_ids: Sequence[int], _count: int) -> Mapping[int, Sequence[float]]:
    return {1: [3.0, 2.0, 1.0]}


def drawn(trials: Sequence[RecordedTrial], *, width: int = 80, height: int = 24) -> list[str]:
    """Return the last picture, line by line."""
    out = output(is_terminal=True, width=width, has_colour=True)
    with LiveFollower(out, lambda: (width, height), NOW_S - 100) as live:
        live.show(trials, NOW_S, levels)
        picture = plain(written(out))  # before it is drawn over
    return [text for text in picture.splitlines() if text.strip()]


def plain(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")


# --- rows --------------------------------------------------------------------------------


def test_a_row_has_bar_percent_steps_time_left_sparkline_and_detail_within_80_columns() -> None:
    trial = moving(
        1,
        loss=0.123456,
        started_s=NOW_S - 60,
        detail="export of the tuned model",
        **steps(1234, 5000),
    )
    head, rule, row, *below = drawn([trial])
    assert all(len(text) <= 80 for text in (head, rule, row, *below))
    assert head.split("  ")[0] == "NAME"
    for part in ("trial-001", "RUNNING", "━╌╌╌╌╌  24%", "1234/5000", "3m03s", "█▅▁", "0.1235"):
        assert part in row
    assert "export of" in row
    assert below[0].startswith("1 RUNNING")


def test_a_wide_terminal_has_longer_bars_and_whole_details() -> None:
    trial = moving(1, detail="export of the tuned model", loss=0.5, **steps(50))
    _, _, row, *_ = drawn([trial], width=120)
    assert "━" * 10 + "╌" * 10 + "  50%" in row
    assert "export of the tuned model" in row
    assert len(row) <= 120


@pytest.mark.parametrize("width", [24, 40, 60, 79, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    trials = [
        moving(1, loss=1e-9, **steps(123456, 999999)),
        moving(2, FAILED, error="quota " * 50, ended_s=NOW_S - 1),
        replace(moving(3, JobState.CANCELLING, **steps(3)), experiment="long-name-" * 8),
    ]
    shown = drawn(trials, width=width)
    assert all(len(text) <= width for text in shown)
    assert any("RUNNING" in text for text in shown)


def test_hostile_strings_stay_text() -> None:
    trial = replace(moving(1, FAILED, error=HOSTILE, ended_s=NOW_S), experiment=HOSTILE)
    out = output(is_terminal=True, width=300, has_colour=True)
    with LiveFollower(out, lambda: (300, 24), NOW_S) as live:
        live.show([trial], NOW_S, levels)
        live.say(HOSTILE)
    for bad in ("\x1b[2J", "\x1b]52", "\x9b", "\u202e", "\x07"):
        assert bad not in written(out)
    assert "[/red][bold]x" in plain(written(out))


def test_names_are_cut_in_the_middle_for_they_differ_at_their_ends() -> None:
    assert middle_cut("sweep/lr=0.001", 14) == "sweep/lr=0.001"
    assert middle_cut("sweep/lr=0.001", 9) == "swee….001"
    assert [len(middle_cut("abcdefgh", width)) for width in range(1, 9)] == list(range(1, 9))


def test_a_sparkline_spans_the_lowest_and_the_highest() -> None:
    assert sparkline([1.0, 2.0, 3.0], 8) == "▁▅█"
    assert sparkline([5.0, 5.0], 8) == "▁▁"
    assert sparkline([9.0, float("nan"), 1.0, 8.0], 2) == "▁█"
    assert sparkline([], 8) == ""
    # From 1 to a thousandth by halves of the way that logarithms go.
    assert sparkline([1.0, 0.04, 0.001], 8) == "█▅▁"


# --- order and pages -----------------------------------------------------------------------


def test_what_needs_a_person_comes_first_and_what_ended_long_ago_last() -> None:
    trials = [
        moving(1, SUCCEEDED, ended_s=NOW_S - 9),
        moving(2, JobState.PENDING),
        moving(3),
        moving(4, FAILED, ended_s=NOW_S - 5),
        moving(5, FAILED, ended_s=NOW_S - 5000),
        moving(6, JobState.UNKNOWN),
        replace(moving(7, JobState.PENDING), jobs=(job(7, "A", JobState.PENDING, Phase.INTENT),)),
        moving(8),
        moving(9, SUCCEEDED, ended_s=NOW_S - 4000),
        moving(10, JobState.CANCELLED, ended_s=NOW_S - 3),
    ]
    ordered = worst_first(trials, since_s=NOW_S - 100)
    assert [int(t.name[-3:]) for t in ordered] == [7, 4, 6, 3, 8, 2, 1, 10, 5, 9]


def test_two_hundred_jobs_are_paged_and_every_one_is_on_a_page() -> None:
    trials = [moving(n, FAILED if n == 150 else RUNNING, ended_s=NOW_S) for n in range(1, 201)]
    out = output(is_terminal=True, width=80, has_colour=True)
    live = LiveFollower(out, lambda: (80, 24), NOW_S - 100)
    live.has_keys = True
    seen: list[int] = []
    asked: list[int] = []

    def few(ids: Sequence[int], count: int) -> Mapping[int, Sequence[float]]:
        asked.append(len(ids))
        return {}

    with live:
        for _ in range(12):
            live.show(trials, NOW_S, few)
            seen += sorted(live.drawn(trials))
            live.turn(1)
    shown = plain(written(out))
    assert sorted(set(seen)) == list(range(1, 201))
    assert max(asked) <= 18  # no more is read than is drawn
    first = shown.split("page 1 of 12")[0]
    assert "FAILED" in first.splitlines()[2]
    assert "199 RUNNING" in shown
    assert "space next, b back, q quit" in shown


def test_a_page_back_from_the_first_is_the_last() -> None:
    trials = [moving(n) for n in range(1, 41)]
    out = output(is_terminal=True, width=80, has_colour=True)
    live = LiveFollower(out, lambda: (80, 16), NOW_S)
    live.turn(-1)
    assert live.drawn(trials) == set(range(31, 41))


def test_a_terminal_that_grew_is_filled() -> None:
    size = [60, 12]
    out = output(is_terminal=True, width=60, has_colour=True)
    trials = [moving(n) for n in range(1, 31)]
    with LiveFollower(out, lambda: (size[0], size[1]), NOW_S) as live:
        live.show(trials, NOW_S, levels)
        few = live.drawn(trials)
        size[:] = [150, 40]
        live.show(trials, NOW_S, levels)
        assert len(few) < len(live.drawn(trials)) == 30
    assert max(len(text) for text in plain(written(out)).splitlines()) > 60


# --- time left -------------------------------------------------------------------------------


def running(done: int, *, started_s: float | None = NOW_S - 1000) -> Job:
    return replace(job(1, "A", RUNNING), started_s=started_s, **steps(done, 1000))


def test_time_left_follows_the_pace_seen_not_the_wait_before_it() -> None:
    """Started 1,000 s ago, waited for capacity, and makes 10 steps a second now."""
    remaining = Remaining()
    for second in range(6):
        remaining.note(running(100 + 10 * second), NOW_S + second)
    assert remaining.left_s(running(150), NOW_S + 5) == pytest.approx(85.0)
    # Between two looks the time left runs on, and never below nothing.
    assert remaining.left_s(running(150), NOW_S + 15) == pytest.approx(75.0)
    assert remaining.left_s(running(150), NOW_S + 500) == 0.0


def test_without_a_pace_the_start_stands_in() -> None:
    assert Remaining().left_s(running(250), NOW_S) == pytest.approx(3000.0)
    assert Remaining().left_s(running(250, started_s=None), NOW_S) is None


def test_nobody_knows_the_time_left_at_the_first_steps_nor_after_the_last() -> None:
    assert Remaining().left_s(running(0), NOW_S) is None
    assert Remaining().left_s(running(9), NOW_S) is None
    assert Remaining().left_s(running(1000), NOW_S) is None
    assert Remaining().left_s(job(1, "A", JobState.PENDING), NOW_S) is None


# --- a pipe ------------------------------------------------------------------------------


def told(*rounds: Sequence[RecordedTrial]) -> list[str]:
    stream = io.StringIO()
    with PlainFollower(stream) as lines:
        for second, trials in enumerate(rounds):
            lines.show(trials, NOW_S + second, levels)
    return stream.getvalue().splitlines()


def test_a_pipe_is_told_states_and_tenths_in_plain_lines() -> None:
    lines = told(
        [moving(1, JobState.PENDING)],
        [moving(1, loss=2.0, **steps(1))],
        [moving(1, loss=1.9, **steps(2))],
        [moving(1, loss=1.0, started_s=NOW_S - 50, **steps(50))],
        [moving(1, SUCCEEDED, loss=0.5, **steps(100))],
    )
    assert lines == [
        "trial-001: PENDING, the provider to start it",
        "trial-001: RUNNING, 1% (1/100 steps), loss 2",
        "trial-001: RUNNING, 50% (50/100 steps), 2s left, loss 1",
        "trial-001: SUCCEEDED, 100% (100/100 steps), loss 0.5",
    ]


def test_of_two_hundred_jobs_a_pipe_is_told_states_and_tenths_of_all() -> None:
    def at(ended: int, done: int) -> list[RecordedTrial]:
        return [
            moving(n, SUCCEEDED if n <= ended else RUNNING, **steps(done)) for n in range(1, 201)
        ]

    lines = told(at(0, 10), at(0, 50), at(19, 60), at(20, 60), at(200, 100))
    assert len(lines) == 200 + 200 + 3
    assert lines[200] == "0 of 200 ended: 200 RUNNING"
    assert "20 of 200 ended: 20 SUCCEEDED, 180 RUNNING" in lines
    assert lines[-1] == "200 of 200 ended: 200 SUCCEEDED"


@pytest.mark.parametrize(
    ("is_terminal", "has_colour", "is_live"),
    [(True, True, True), (True, False, False), (False, False, False)],
)
def test_only_a_terminal_with_colour_is_drawn_on(
    is_terminal: bool, has_colour: bool, is_live: bool
) -> None:
    out = output(is_terminal=is_terminal, has_colour=has_colour)
    assert isinstance(follower(out, lambda: (80, 24), 0.0), LiveFollower) is is_live


def test_a_trial_without_a_job_says_why() -> None:
    refused = replace(job(1, "A", FAILED, Phase.ABSENT), error="400: no such base model")
    table = watch_table(
        [recorded(refused)], now_s=NOW_S, width=80, levels={}, remaining=Remaining()
    )
    assert table.rows[0]["detail"] == "400: no such base model"


def test_a_job_says_100_percent_only_with_its_last_step() -> None:
    _, _, row, *_ = drawn([moving(1, **steps(2759, 2760))])
    assert " 99%" in row
    _, _, row, *_ = drawn([moving(1, **steps(2760, 2760))])
    assert "100%" in row
