"""What people see: harmless whatever a server sends, readable at any width."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from tests.unit.test_plan import job, recorded, trial
from tunekit.model import Clock, JobState, Phase
from tunekit.plan import Action, Plan, Step
from tunekit.views.evaluation import marked
from tunekit.views.jobs import status_table
from tunekit.views.output import Column, Output, Table
from tunekit.views.plan import print_plan
from tunekit.views.progress import Sending
from tunekit.views.text import age, clean, duration, line, number

HOSTILE = "\x1b[2J\x1b]52;c;ZXZpbA==\x07[/red][bold]x\x9b31m\u202eevil\u2066\x7f\r\n[/]"


def output(*, is_terminal: bool, width: int = 80, has_colour: bool = False) -> Output:
    return Output(
        stream=io.StringIO(),
        format="table",
        is_terminal=is_terminal,
        has_colour=has_colour,
        width=width,
    )


def written(out: Output) -> str:
    assert isinstance(out.stream, io.StringIO)
    return out.stream.getvalue()


def test_clean_leaves_no_control_character_but_tab_and_line_feed() -> None:
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2066, 0xFEFF):
        shown = clean(chr(code))
        assert shown == chr(code) if code in (9, 10) else shown.isprintable(), hex(code)
    assert clean("Grüße, 東京 🙂 مرحبا") == "Grüße, 東京 🙂 مرحبا"
    assert "\n" not in line("a\nb\u2028c")


@pytest.mark.parametrize(
    ("is_terminal", "has_colour"), [(False, False), (True, False), (True, True)]
)
def test_hostile_server_strings_stay_text(is_terminal: bool, has_colour: bool) -> None:
    out = output(is_terminal=is_terminal, has_colour=has_colour, width=200)
    table = Table([Column("NAME", "name", most=200)], [{"name": HOSTILE}], more=HOSTILE)
    out.table(table)
    out.text(HOSTILE)
    shown = written(out)
    for bad in ("\x1b[2J", "\x1b]52", "\x9b", "\u202e", "\u2066", "\x07", "\x7f", "\r"):
        assert bad not in shown
    assert "[/red][bold]x" in shown


def test_status_drops_columns_as_the_terminal_narrows_and_never_wraps() -> None:
    trials = [recorded(job(1, "A", JobState.RUNNING))]
    table = status_table(trials, now_s=1_000_000.0, limit=50)
    widths = {}
    for width in (200, 80, 60, 40, 24):
        out = output(is_terminal=True, width=width)
        out.table(table)
        head, _, row, *rest = written(out).splitlines()
        assert rest == []
        assert all(len(text) <= width for text in (head, row)), width
        assert "RUNNING" in row
        widths[width] = head
    assert "WAITS FOR" in widths[200]
    assert "BASE MODEL" in widths[200]
    assert "BASE MODEL" not in widths[60]
    assert "WAITS FOR" in widths[80]
    assert "WAITS FOR" not in widths[24]
    assert "NAME" in widths[40]
    assert "STATE" in widths[40]


def test_a_pipe_gets_whole_cells_in_plain_columns() -> None:
    out = output(is_terminal=False, width=20)
    out.table(status_table([recorded(job(1, "A", JobState.RUNNING))], now_s=1e6, limit=50))
    head, row = written(out).splitlines()
    assert head.split()[:2] == ["NAME", "PROVIDER"]
    assert head.index("STATE") == row.index("RUNNING")
    assert "text-editor" in row


def test_only_the_first_page_is_drawn_and_the_rest_counted() -> None:
    trials = [recorded(job(1, "A", JobState.SUCCEEDED)) for _ in range(120)]
    table = status_table(trials, now_s=1e6, limit=50)
    assert len(table.rows) == 50
    assert "70 more" in table.more
    assert "120 SUCCEEDED" in table.more
    assert status_table(trials, now_s=1e6, limit=None).more == ""


def test_running_jobs_come_before_those_that_wait() -> None:
    trials = [
        recorded(job(n, "A", JobState.PENDING if n > 2 else JobState.RUNNING)) for n in range(60)
    ]
    rows = status_table(trials, now_s=1e6, limit=50).rows
    assert [row["state"] for row in rows[:4]] == ["RUNNING"] * 3 + ["PENDING"]


def test_what_runs_comes_first() -> None:
    trials = [
        recorded(job(n, "A", state))
        for n, state in enumerate([JobState.SUCCEEDED, JobState.RUNNING, JobState.FAILED], start=1)
    ]
    rows = status_table(trials, now_s=1e6, limit=None).rows
    assert rows[0]["state"] == "RUNNING"


def test_an_interrupted_submit_says_what_it_waits_for() -> None:
    trials = [recorded(job(1, "A", JobState.PENDING, Phase.INTENT))]
    assert "tunekit apply" in status_table(trials, now_s=1e6, limit=None).rows[0]["waits_for"]


def test_csv_is_quoted_against_spreadsheets() -> None:
    out = output(is_terminal=False)
    out.csv([{"a": "=1+1", "b": 'x,"y"', "c": -1.5}], ["a", "b", "c"])
    assert list(csv.reader(io.StringIO(written(out)))) == [
        ["a", "b", "c"],
        ["'=1+1", 'x,"y"', "-1.5"],
    ]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_output_means_the_same_without_control_characters(form: str) -> None:
    import yaml

    out = replace(output(is_terminal=True), format=form)
    out.data("status", {"error": HOSTILE, "ok": "Grüße"})
    shown = written(out)
    for bad in ("\x1b", "\x9b", "\u202e", "\u2066", "\x07", "\x7f"):
        assert bad not in shown
    read = json.loads(shown) if form == "json" else yaml.safe_load(shown)
    assert (read["error"], read["ok"]) == (HOSTILE, "Grüße")


def test_json_carries_its_schema() -> None:
    out = output(is_terminal=False)
    out.data("status", {"trials": []})
    assert json.loads(written(out)) == {"schema": "tunekit.status/1", "trials": []}


def test_differences_are_marked_by_word() -> None:
    assert marked("Call [NAME] now", "Call Ana now") == [
        ("Call ", False),
        ("[NAME]", True),
        (" now", False),
    ]


def test_times_and_numbers_are_short() -> None:
    assert [duration(s) for s in (None, 0.4, 61, 3661, 90061)] == [
        "",
        "0s",
        "1m01s",
        "1h01m",
        "1d01h",
    ]
    assert [age(s) for s in (5, 65, 7300, 200000)] == ["5s", "1m", "2h", "2d"]
    assert [number(n) for n in (None, 0.0001234, 950.0, 1.23456)] == [
        "",
        "0.0001234",
        "950",
        "1.235",
    ]


def test_a_long_send_is_told_every_few_seconds_and_a_short_one_not_at_all() -> None:
    now, said = [0.0], []
    sending = Sending(Clock(lambda: now[0], lambda _: None, lambda: 0.0), said.append)
    sending("short", 0, 10)
    sending("short", 10, 10)
    assert said == []
    for second in range(13):
        now[0] = float(second)
        sending("long", second * 1_000_000, 12_000_000)
    assert said == [
        "uploading long: 41% of 12.0 MB",
        "uploading long: 83% of 12.0 MB",
        "uploading long: 100% of 12.0 MB",
    ]


def test_a_plan_tells_what_lists_gain_and_lose_and_booleans_as_yaml_has_them() -> None:
    before = {"evaluate": {"metrics": ["exact_match", "chrf"]}, "lifecycle": {"protect": True}}
    after = {"evaluate": {"metrics": ["exact_match", "rouge_l"]}, "lifecycle": {"protect": False}}
    known = replace(recorded(job(1, "A", JobState.SUCCEEDED)), document=before)
    wanted = trial("A")
    wanted = replace(wanted, experiment=replace(wanted.experiment, document=after))
    paths = ("evaluate.metrics", "lifecycle.protect")
    step = Step(Action.UPDATE, "x", "evaluate only", trial=wanted, recorded=known, changes=paths)
    out = output(is_terminal=False)
    print_plan(out, Plan((step,)))
    assert "evaluate.metrics: +rouge_l -chrf\n" in written(out)
    assert "lifecycle.protect: true -> false\n" in written(out)
