"""Watching and reading curves, through real processes."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.e2e.test_terminal import ESCAPES, Terminal, screen
from tests.emulator.service import Service

LOSS = "/train_total_loss"


@pytest.fixture
def terminal(project: Project) -> Iterator[Terminal]:
    made = Terminal(project)
    yield made
    made.close()


# --- status -w -----------------------------------------------------------------------------


def test_jobs_past_the_screen_are_paged_and_q_leaves_them_running(
    project: Project, terminal: Terminal
) -> None:
    for number in range(5):
        project.endless(f"job{number}")
    project.ok("apply", "-y")
    child = terminal("status", "-w", height=9)
    child.expect_exact("page 1 of 2")
    child.send(" ")
    child.expect_exact("page 2 of 2")
    child.send("b")
    child.expect_exact("page 1 of 2")
    child.send("q")
    screen(child)
    assert child.exitstatus == 0
    states = {t["job"]["state"] for t in project.json("status")["trials"]}
    assert states <= {"PENDING", "RUNNING"}


def test_the_terminal_is_left_as_it_was(project: Project, terminal: Terminal) -> None:
    project.endless()
    project.ok("apply", "-y")
    child = terminal("status", "-w")
    child.expect_exact("RUNNING")
    child.send("q")
    shown = child.read()
    assert "\x1b[?25h" in shown  # the cursor is back
    child.close()
    assert child.exitstatus == 0


def test_a_watch_in_a_pipe_is_plain_lines_and_then_the_table(project: Project) -> None:
    project.spec(epochs=40)
    project.ok("apply", "-y")
    done = project.run("status", "-w")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert re.search(r"mask: SUCCEEDED, 100% \(320/320 steps\), loss", done.stderr)
    assert done.stdout.splitlines()[1].split()[:2] == ["mask", "local"]


def test_twelve_jobs_move_at_once_with_bars_sparklines_and_what_they_wait_for(
    project: Project, terminal: Terminal, serve: Callable[..., Service]
) -> None:
    cloud = Cloud(project, serve())
    for number in range(12):
        cloud.spec("vertex", f"job{number:02}", epochs=30)
    project.ok("apply", "-y")
    child = terminal("status", "-w", width=80)
    child.expect_exact("tuning", timeout=60)
    shown = screen(child)
    assert child.exitstatus == 0
    assert "12 SUCCEEDED" in shown
    assert shown.count("job11") > 1
    assert re.search(r"[▁-█]{4,6} +[0-9.e-]+", shown)
    lines = ESCAPES.sub("", shown).replace("\r", "\n").split("\n")
    assert all(len(text) <= 80 for text in lines)


# --- wait ----------------------------------------------------------------------------------


def test_wait_ends_at_any_end_with_the_gravest_code(project: Project) -> None:
    project.spec("good")
    project.endless("bad")
    project.ok("apply", "-y")
    project.running("bad")
    waiting = project.start("wait", "good", "bad", "-o", "json")
    project.until(lambda job: job["state"] == "SUCCEEDED", name="good")
    time.sleep(0.3)
    assert waiting.poll() is None
    project.ok("cancel", "bad", "-y")
    out, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 103, said
    jobs = {job["job"]: job["state"] for job in json.loads(out)["jobs"]}
    assert jobs == {"good@1": "SUCCEEDED", "bad@1": "CANCELLED"}


def test_wait_for_a_numbered_job_means_that_very_one(tuned: Project) -> None:
    tuned.endless()
    tuned.ok("apply", "-y")
    done = tuned.run("wait", "mask@1")
    assert done.returncode == 0
    assert "mask@1 SUCCEEDED" in done.stderr
    assert tuned.run("wait", "mask@2", "--timeout", "0.2").returncode == 101
    unknown = tuned.run("wait", "mask@9")
    assert unknown.returncode == 2
    assert "has no job 9" in unknown.stderr


# --- metrics -------------------------------------------------------------------------------


@pytest.fixture
def pair(project: Project) -> Project:
    """Two tuned experiments: five epochs each, one in half as many steps."""
    project.spec("small", epochs=5, batch_size=4)
    project.spec("large", epochs=5, batch_size=8)
    project.ok("apply", "-y", "--wait")
    return project


def test_curves_of_two_jobs_are_overlaid_and_written(pair: Project) -> None:
    drawn = pair.ok("metrics", "small", "large", "--plot")
    for name in ("small@1 train loss", "small@1 eval loss", "large@1 train loss"):
        assert name in drawn
    for name, start in (("c.png", b"\x89PNG"), ("c.svg", b"<?xml"), ("c.parquet", b"PAR1")):
        done = pair.run("metrics", "small", "large", "--out", name)
        assert done.returncode == 0, done.stderr
        assert f"Wrote {name}: 2 jobs" in done.stderr
        assert (pair.root / name).read_bytes().startswith(start)
    assert [p.name for p in pair.root.iterdir() if p.name.startswith(".c")] == []


def test_by_epoch_and_by_step_agree(pair: Project) -> None:
    steps = pair.json("metrics", "small")["jobs"][0]["series"][LOSS]
    means = pair.json("metrics", "small", "--by", "epoch")["jobs"][0]["series"][LOSS]
    assert means["epochs"] == [1, 2, 3, 4, 5]
    assert len(steps["steps"]) == 75
    assert means["values"][0] == pytest.approx(sum(steps["values"][:15]) / 15)
    pair.ok("metrics", "small", "large", "--by", "epoch", "--out", "e.csv")
    rows = list(csv.DictReader(io.StringIO((pair.root / "e.csv").read_text())))
    assert [(row["job"], row["epoch"]) for row in rows[4:6]] == [("small@1", "5"), ("large@1", "1")]


def test_advice_is_printed_with_its_rule_and_is_data_in_json(pair: Project) -> None:
    shown = pair.ok("metrics", "small")
    assert "few-rows: 60 training rows" in shown
    advice = {a["rule"]: a for a in pair.json("metrics", "small")["jobs"][0]["advice"]}
    assert advice["few-rows"]["numbers"] == {"rows": 60, "wanted": 100}
    assert advice["plateau"]["numbers"]["epochs"] == 5


def test_wrong_use_of_out_and_by_is_told(pair: Project) -> None:
    for arguments, said in (
        (["--out", "c.gif"], ".png, .svg, .csv, .json, .parquet"),
        (["--out", "no/such/c.png"], "No such file"),
        (["--plot", "-o", "json"], "--plot draws"),
        (["--metric", "nothing"], "this job has /eval"),
    ):
        done = pair.run("metrics", "small", *arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr
    assert not (pair.root / "c.gif").exists()


def test_a_picture_needs_matplotlib_and_says_so(pair: Project) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from tunekit.cli import main; sys.exit(main())"
    )
    done = pair.run("metrics", "small", "--out", "c.png", code=code)
    assert done.returncode == 5
    assert "pip install 'tunekit[plot]'" in done.stderr
    assert not Path(pair.root / "c.png").exists()
