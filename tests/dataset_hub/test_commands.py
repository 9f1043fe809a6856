"""A hub data set in the commands: planned, tuned on, and not looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project, rows
from tests.dataset_hub.conftest import Reached

SPEC = """\
name: mask
provider: local
base_model: text-editor
dataset:
  source: {{hub: o/n, revision: {commit}}}
  columns: {{input: message, output: masked}}
  split: {{train: 60, test: 20}}
tuning: {{epochs: 2, batch_size: 8}}
"""


@pytest.fixture
def hub_project(reached: Reached, project: Project, tmp_path: Path) -> Project:
    pinned = reached.hub.repo("o/n").commit({"train.jsonl": rows(100)})
    reached.hub.repo("o/n").commit({"train.jsonl": rows(100, seed=2)})
    project.write("experiments/mask.yaml", SPEC.format(commit=pinned))
    home = str(tmp_path / "cache")
    project.extra_environment = {"HF_ENDPOINT": reached.hub.url, "HF_HOME": home}
    return project


def test_a_pinned_data_set_is_tuned_on_and_not_asked_for_again(
    reached: Reached, hub_project: Project
) -> None:
    project = hub_project
    project.ok("validate")
    assert reached.hub.asked == []
    project.ok("apply", "-y", "--wait")
    assert project.job()["state"] == "SUCCEEDED"
    reached.hub.asked.clear()
    # The branch has moved since; the commit has not.
    assert "1 unchanged" in project.ok("plan", "--detailed-exitcode")
    assert reached.hub.asked == []


def test_a_plan_without_the_hub_says_what_to_do(reached: Reached, hub_project: Project) -> None:
    reached.hub.status = 503
    done = hub_project.run("plan")
    assert done.returncode == 2
    assert "experiments/mask.yaml:5:12: hub:o/n: the Hub answered 503; try again" in done.stderr
    assert "Traceback" not in done.stderr
