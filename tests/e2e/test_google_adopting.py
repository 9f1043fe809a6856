"""Jobs of Vertex AI that the registry did not start, lost, or must not mistake for another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.emulator.service import Service


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve(checks_requests=True))


def test_vertex_is_told_to_keep_the_last_checkpoint_only(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    text = (project.root / "experiments/mask.yaml").read_text()
    more = "{epochs: 2, export_last_checkpoint_only: true}"
    project.write("experiments/mask.yaml", text.replace("{epochs: 2}", more))
    project.ok("apply", "-y")
    sent = cloud.service.call("GET", f"/v1beta1/{project.job()['name']}")
    assert sent["supervisedTuningSpec"]["exportLastCheckpointOnly"] is True


def test_a_copy_of_a_job_is_discovered_though_it_carries_our_token(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    project.ok("apply", "-y", "--wait")
    mine = cloud.service.call("GET", f"/v1beta1/{project.job()['name']}")
    copy = cloud.service.create(version="v1beta1", labels=mine["labels"])
    (found,) = project.json("discover", "--provider", "vertex")["jobs"]
    assert found["name"] == copy["name"]
    assert project.job()["name"] == mine["name"]


def test_a_job_that_arrived_after_it_was_given_up_is_discovered_and_adopted(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    cloud.service.set_faults(denied_projects=["p"])
    assert project.run("apply", "-y").returncode == 5
    cloud.service.set_faults(denied_projects=[])
    [(token, phase)] = project.sql("SELECT token, phase FROM jobs")
    assert phase == "ABSENT"
    name = cloud.service.create(version="v1beta1", labels={"tunekit_token": token})["name"]
    (found,) = project.json("discover", "--provider", "vertex")["jobs"]
    assert found["name"] == name
    project.ok("import", name, "--name", "mask")
    assert project.sql("SELECT token, phase, name FROM jobs") == [(token, "BOUND", name)]
    project.ok("apply", "-y", "--wait")
    assert list(cloud.service.state()["tuning_jobs"]) == [name]


def forget(project: Project) -> None:
    for file in (project.root / ".tunekit").glob("registry.db*"):
        file.unlink()


def test_an_adopted_child_is_not_tuned_again(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex", "first")
    text = (project.root / "experiments/first.yaml").read_text()
    child = text.replace("name: first", "name: further")
    child = child.replace("base_model: gemini-3.5-flash", "base_model: {experiment: first}")
    project.write("experiments/further.yaml", child)
    project.ok("apply", "-y", "--wait")
    names = {name: project.job(name)["name"] for name in ("first", "further")}
    forget(project)
    early = project.run("import", names["further"], "--name", "further")
    assert early.returncode == 2
    assert "first has no job yet; adopt first's job first" in early.stderr
    for name, remote in names.items():
        project.ok("import", remote, "--name", name)
    assert project.run("plan", "--detailed-exitcode").returncode == 0
    assert len(cloud.remote_jobs()) == 2


def test_a_job_called_like_an_experiment_does_not_take_its_place(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    project.ok("apply", "-y", "--wait")
    before = project.sql("SELECT experiment, document FROM trials")
    stranger = cloud.service.tuned(tunedModelDisplayName="Mask!")["name"]
    done = project.run("import", stranger, "--write", "experiments/other.yaml")
    assert done.returncode == 2
    assert "mask is in the files already; give --name" in done.stderr
    assert project.sql("SELECT experiment, document FROM trials") == before
    assert not (project.root / "experiments/other.yaml").exists()
    assert project.run("plan", "--detailed-exitcode").returncode == 0


def test_a_job_of_other_rows_is_not_adopted(cloud: Cloud) -> None:
    project = cloud.project
    uri = cloud.service.put_rows("mine.jsonl")
    project.write(
        "experiments/mask.yaml",
        f"name: mask\nprovider: vertex\nbase_model: gemini-3.5-flash\n"
        f"dataset: {{source: {{gcs: {uri}}}}}\ntuning: {{epochs: 2}}\n",
    )
    other = cloud.service.tuned(uri=cloud.service.put_rows("other.jsonl"))["name"]
    done = project.run("import", other, "--name", "mask")
    assert done.returncode == 2
    assert "other.jsonl in the job" in done.stderr
    project.ok("import", cloud.service.tuned(uri=uri)["name"], "--name", "mask")
