"""Which commit of the Hub is read where a spec has named several."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project, rows
from tests.dataset_hub.conftest import Reached
from tests.dataset_hub.test_commands import SPEC

UNPINNED = SPEC.replace(", revision: {commit}", "").format()


@pytest.fixture
def moving(reached: Reached, project: Project, tmp_path: Path) -> Project:
    """Return a project that was tuned on the branch's first commit."""
    reached.hub.repo("o/n").commit({"train.jsonl": rows(100)})
    project.write("experiments/mask.yaml", UNPINNED)
    home = str(tmp_path / "cache")
    project.extra_environment = {"HF_ENDPOINT": reached.hub.url, "HF_HOME": home}
    project.ok("apply", "-y", "--wait")
    return project


def _at(commit: str) -> str:
    return SPEC.format(commit=commit)


def test_a_commit_that_the_spec_names_is_read_though_its_training_rows_are_those_of_before(
    reached: Reached, moving: Project
) -> None:
    before = moving.ok("dataset", "show", "mask")
    lines = rows(100).splitlines(keepends=True)
    other_test = "".join([*lines[:60], *reversed(lines[60:])])
    second = reached.hub.repo("o/n").commit({"train.jsonl": other_test})
    moving.write("experiments/mask.yaml", _at(second))
    assert "nothing re-tunes" in moving.ok("apply", "-y")
    planned = moving.run("plan", "--detailed-exitcode")
    assert (planned.returncode, "moved" in planned.stderr) == (0, False), planned.stderr
    after = moving.ok("dataset", "show", "mask")
    digests = [
        [line.split()[-1] for line in text.splitlines() if line.startswith(("train", "test"))]
        for text in (before, after)
    ]
    assert digests[0][0] == digests[1][0]
    assert digests[0][1] != digests[1][1]


def test_rows_of_a_former_job_are_read_at_the_commit_that_it_was_tuned_on(
    reached: Reached, moving: Project
) -> None:
    moving.ok("dataset", "export", "mask", "--to", "now.jsonl")
    second = reached.hub.repo("o/n").commit({"train.jsonl": rows(100, seed=2)})
    moving.write("experiments/mask.yaml", _at(second))
    moving.ok("apply", "-y", "--wait")
    moving.ok("dataset", "export", "mask@1", "--to", "then.jsonl")
    assert (moving.root / "then.jsonl").read_bytes() == (moving.root / "now.jsonl").read_bytes()
