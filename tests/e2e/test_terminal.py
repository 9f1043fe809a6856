"""On a real terminal: the question, the bars, the live table, the keyboard."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pexpect
import pytest

from tests.conftest import Project, mind_ctrl_c

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """Starts commands on pseudo-terminals of a given width."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._started: list[pexpect.spawn[str]] = []

    def __call__(
        self, *arguments: str, width: int = 80, height: int = 24, colour: bool = True
    ) -> pexpect.spawn[str]:
        environment = self._project.environment()
        environment.pop("COLUMNS")
        if colour:
            environment.pop("NO_COLOR")
        child = pexpect.spawn(
            sys.executable,
            ["-m", "tunekit", *arguments],
            cwd=str(self._project.root),
            env={**environment, "TERM": "xterm-256color"},
            dimensions=(height, width),
            encoding="utf-8",
            timeout=30,
            preexec_fn=mind_ctrl_c,
        )
        self._started.append(child)
        return child

    def close(self) -> None:
        for child in self._started:
            child.close(force=True)


@pytest.fixture
def terminal(project: Project) -> Iterator[Terminal]:
    made = Terminal(project)
    yield made
    made.close()


def screen(child: pexpect.spawn[str]) -> str:
    child.expect(pexpect.EOF)
    child.close()
    return ESCAPES.sub("", child.before or "")


def test_apply_asks_and_a_no_does_nothing(project: Project, terminal: Terminal) -> None:
    project.spec()
    child = terminal("apply")
    child.expect_exact("Apply this plan? [y/N]")
    child.sendline("n")
    child.expect_exact("Nothing was done.")
    screen(child)
    assert child.exitstatus == 1
    assert project.folders() == []


def test_a_yes_submits_and_bars_move_to_the_end(project: Project, terminal: Terminal) -> None:
    project.spec(epochs=30)
    child = terminal("apply", "--wait", width=100)
    child.expect_exact("Apply this plan? [y/N]")
    child.sendline("y")
    shown = screen(child)
    assert child.exitstatus == 0
    assert "━" in shown
    assert re.search(r"100% +240/240", shown)
    assert "tunekit evaluate mask" in shown


def test_status_watches_until_nothing_runs(project: Project, terminal: Terminal) -> None:
    project.spec(epochs=60)
    project.ok("apply", "-y")
    child = terminal("status", "-w")
    shown = screen(child)
    assert child.exitstatus == 0
    assert "SUCCEEDED" in shown
    assert all(len(text) <= 80 for text in shown.replace("\r", "\n").split("\n"))


def test_colour_only_where_wanted(tuned: Project) -> None:
    terminal = Terminal(tuned)
    for colour in (True, False):
        child = terminal("status", colour=colour)
        child.expect(pexpect.EOF)
        assert ("\x1b[32mSUCCEEDED" in (child.before or "")) is colour
    terminal.close()


def test_ctrl_c_in_a_watch_leaves_the_job_alone(project: Project, terminal: Terminal) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    child = terminal("status", "-w")
    child.expect_exact("RUNNING")
    child.sendintr()
    screen(child)
    assert child.exitstatus == 130
    assert project.job()["state"] == "RUNNING"


def test_a_closed_pipe_is_no_error(tuned: Project) -> None:
    import subprocess

    command = f"{sys.executable} -m tunekit metrics mask -o csv | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tuned.root,
        env=tuned.environment(),
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("job,step,")


def test_completion_knows_recorded_names(tuned: Project) -> None:
    import subprocess

    environment = {
        **tuned.environment(),
        "_TUNEKIT_COMPLETE": "bash_complete",
        "COMP_WORDS": "tunekit metrics m",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from tunekit.cli import main; main()"],
        cwd=tuned.root,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "plain,mask" in done.stdout
    assert "_tunekit_completion" in tuned.ok("completion", "bash")
