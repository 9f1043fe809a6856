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


@pytest.mark.parametrize("written", ["", "revision: main", "revision: v1"])
def test_a_branch_that_moved_is_told_and_its_pinned_data_are_not_tuned_on_again(
    reached: Reached, project: Project, tmp_path: Path, written: str
) -> None:
    repo = reached.hub.repo("o/n")
    first = repo.commit({"train.jsonl": rows(100)})
    spec = SPEC.replace(", revision: {commit}", f", {written}" if written else "").format()
    project.write("experiments/mask.yaml", spec)
    home = str(tmp_path / "cache")
    project.extra_environment = {"HF_ENDPOINT": reached.hub.url, "HF_HOME": home}
    if written.endswith("v1"):
        repo.tags["v1"] = first
    project.ok("apply", "-y", "--wait")
    recorded = project.sql("SELECT json_extract(dataset, '$.commit') FROM revisions")
    assert recorded == [(first,)]

    second = repo.commit({"train.jsonl": rows(100, seed=2)})
    if written.endswith("v1"):
        repo.tags["v1"] = second
    planned = project.run("plan", "--detailed-exitcode")
    assert planned.returncode == 0, planned.stderr
    branch = written.partition(": ")[2] or "main"
    assert (
        f"mask: {branch} of hub:o/n moved: {first[:12]} -> {second[:12]}; pinned" in planned.stderr
    )
    # Other hyperparameters re-tune on the pinned rows; a new revision in the spec takes the new.
    project.write("experiments/mask.yaml", spec.replace("epochs: 2", "epochs: 3"))
    assert "rows" not in project.ok("plan").partition("dataset:")[2]
    old = f", {written}" if written else ""
    project.write(
        "experiments/mask.yaml",
        spec.replace(f"hub: o/n{old}", f"hub: o/n, revision: {second}"),
    )
    replanned = project.run("plan", "--detailed-exitcode")
    assert (replanned.returncode, "dataset:" in replanned.stdout) == (2, True), replanned.stdout


def test_a_pinned_data_set_is_planned_without_the_hub(
    reached: Reached, project: Project, tmp_path: Path
) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": rows(100)})
    project.write("experiments/mask.yaml", SPEC.replace(", revision: {commit}", "").format())
    home = str(tmp_path / "cache")
    project.extra_environment = {"HF_ENDPOINT": reached.hub.url, "HF_HOME": home}
    project.ok("apply", "-y", "--wait")
    reached.hub.status = 503
    planned = project.run("plan")
    assert planned.returncode == 0
    assert "1 unchanged" in planned.stdout
    assert "mask: whether its data moved is not known: hub:o/n: the Hub answered 503" in (
        planned.stderr
    )


def test_a_pin_follows_a_spec_to_another_tag_whose_training_rows_are_the_same(
    reached: Reached, project: Project, tmp_path: Path
) -> None:
    repo = reached.hub.repo("o/n")
    lines = rows(100).splitlines()
    repo.tags["v1"] = repo.commit({"train.jsonl": "\n".join(lines)})
    repo.tags["v2"] = repo.commit({"train.jsonl": "\n".join([*lines[:70], *lines[90:]])})
    spec = SPEC.replace("revision: {commit}", "revision: v1").format()
    project.write("experiments/mask.yaml", spec.replace("test: 20", "test: 5"))
    home = str(tmp_path / "cache")
    project.extra_environment = {"HF_ENDPOINT": reached.hub.url, "HF_HOME": home}
    project.ok("apply", "-y", "--wait")
    moved_on = spec.replace("v1", "v2").replace("test: 20", "test: 15")
    project.write("experiments/mask.yaml", moved_on)
    project.ok("apply", "-y", "--wait")
    assert len(project.sql("SELECT id FROM jobs")) == 1
    assert project.sql("SELECT data_commit FROM trials") == [(repo.tags["v2"],)]
    assert "moved" not in project.run("plan").stderr
