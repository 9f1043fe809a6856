"""A project in a temporary folder, driven as a user drives it: through real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

SPEC = """\
name: {name}
provider: local
base_model: text-editor
dataset:
  source: {{path: data.jsonl}}
  columns: {{input: message, output: masked}}
  prompt: "Mask: {{input}}"
  split: {{train: 60, validation: 10, test: 20}}
tuning: {{epochs: {epochs}, batch_size: {batch_size}}}
"""


class Project:
    """A folder with specs and data, and the `tunekit` command run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.extra_environment: dict[str, str] = {}
        self.write("data.jsonl", rows(100))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def spec(
        self, name: str = "mask", *, epochs: int = 2, batch_size: int = 8, more: str = ""
    ) -> None:
        """Write an experiment; it trains in well under a second."""
        text = SPEC.format(name=name, epochs=epochs, batch_size=batch_size) + more
        self.write(f"experiments/{name}.yaml", text)

    def endless(self, name: str = "mask", *, more: str = "") -> None:
        """Write an experiment whose job trains for minutes."""
        self.spec(name, epochs=1000, batch_size=1, more=more)

    def environment(self) -> dict[str, str]:
        plain = {"NO_COLOR": "1", "COLUMNS": "120", "PYTHONWARNINGS": "default"}
        return {**os.environ, **plain, **self.extra_environment}

    def start(self, *arguments: str, code: str | None = None) -> subprocess.Popen[str]:
        """Start a command; `code` runs instead of `-m tunekit`, with the arguments in sys.argv."""
        how = ["-c", code] if code else ["-m", "tunekit"]
        return subprocess.Popen(
            [sys.executable, *how, *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=mind_ctrl_c,
        )

    def run(
        self, *arguments: str, code: str | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        how = ["-c", code] if code else ["-m", "tunekit"]
        return subprocess.run(
            [sys.executable, *how, *arguments],
            cwd=self.root,
            env=self.environment(),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=120,
        )

    def ok(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command that must succeed, and return its standard output."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "-o", "json"))

    def job(self, name: str = "mask") -> Any:
        """Return the current job as `status` sees it."""
        trials = {t["name"]: t for t in self.json("status")["trials"]}
        return trials[name]["job"]

    def jobs(self) -> list[Any]:
        return list(self.json("history")["jobs"])

    def until(
        self, is_so: Callable[[Any], bool], *, name: str = "mask", seconds: float = 30
    ) -> Any:
        """Look at a job until something holds of it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = self.job(name)
            if is_so(job):
                return job
            time.sleep(0.05)
        raise AssertionError(f"not so after {seconds} s: {job}")

    def running(self, name: str = "mask") -> Any:
        return self.until(
            lambda job: job["state"] == "RUNNING" and job["completed_steps"] > 0, name=name
        )

    def sql(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        connection = sqlite3.connect(self.root / ".tunekit/registry.db")
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def folders(self) -> list[Path]:
        """Return the provider's own job folders."""
        jobs = self.root / ".tunekit/local/jobs"
        return (
            sorted(p for p in jobs.glob("*") if not p.name.startswith(".")) if jobs.exists() else []
        )

    def workers(self) -> list[int]:
        """Return the processes of workers that still live."""
        found = []
        for folder in self.folders():
            started = folder / "started.json"
            if started.exists():
                process = json.loads(started.read_text())["process"]
                try:
                    command = Path(f"/proc/{process}/cmdline").read_bytes()
                except OSError:
                    continue
                if str(folder).encode() in command:
                    found.append(process)
        return found


def mind_ctrl_c() -> None:
    """Let a child obey Ctrl-C, also where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def rows(count: int, *, seed: int = 1) -> str:
    """Return JSON lines of a masking task that a few steps suffice to learn."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        name = chance.choice(["Ana", "Bo", "Cem", "Dee", "Eli"])
        order = f"#{chance.randrange(1000, 9999)}"
        template = chance.choice(
            ["{n} wants order {o} back", "Where is {o}?", "Hello from {n}", "All is well {i}"]
        )
        lines.append(
            json.dumps(
                {
                    "message": template.format(n=name, o=order, i=number),
                    "masked": template.format(n="[NAME]", o="[ORDER]", i=number),
                }
            )
        )
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    for process in made.workers():
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def tuned(project: Project) -> Project:
    """A project whose one experiment is tuned."""
    project.spec()
    project.ok("apply", "-y", "--wait")
    return project
