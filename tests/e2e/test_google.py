"""The main job on both Google services, as an emulator serves them, through real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import ROOT, Project
from tests.e2e.cloud import API_KEY, BASES, Cloud
from tests.emulator.service import Service

BOTH = pytest.mark.parametrize("provider", ["vertex", "gemini-api"])


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve())


@BOTH
def test_the_quickstart_runs_with_its_provider_changed(cloud: Cloud, provider: str) -> None:
    project = cloud.project
    shutil.copytree(ROOT / "experiments/data", project.root / "experiments/data")
    spec = (ROOT / "experiments/quickstart.yaml").read_text()
    assert spec.count("provider: local") == spec.count("base_model: text-editor") == 1
    spec = spec.replace("provider: local", f"provider: {provider}")
    spec = spec.replace("base_model: text-editor", f"base_model: {BASES[provider]}")
    project.write("experiments/quickstart.yaml", spec)

    planned = project.run("plan")
    assert planned.returncode == 0, planned.stderr
    assert "1 to submit" in planned.stdout
    assert cloud.remote_jobs() == {}
    applied = project.run("apply", "-y", "--wait")
    assert applied.returncode == 0, applied.stderr
    assert len(cloud.remote_jobs()) == 1
    job = project.job("quickstart")
    assert (job["state"], job["percent"]) == ("SUCCEEDED", 100.0)
    assert job["completed_steps"] == job["total_steps"] > 0
    series = project.json("metrics", "quickstart")["jobs"][0]["series"]
    losses = next(iter(series.values()))["values"]
    assert losses[-1] < losses[0]
    scores = project.json("evaluate", "quickstart", "--rows", "40")
    assert scores["rows"] == 40
    assert scores["scores"]["exact_match"] > scores["baselines"]["copy"]["exact_match"] + 0.3
    assert project.run("plan", "--detailed-exitcode").returncode == 0
    assert "Nothing to do" in project.run("apply", "-y").stderr
    assert len(cloud.remote_jobs()) == 1


@BOTH
def test_a_killed_apply_is_resumed_without_a_second_job(cloud: Cloud, provider: str) -> None:
    project = cloud.project
    cloud.spec(provider)
    code = """
import os, signal
from tunekit.registry import Registry
def die(self, *arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
Registry.record_observation = die
from tunekit.cli import main
main()
"""
    killed = project.run("apply", "-y", code=code)
    assert killed.returncode == -signal.SIGKILL
    assert len(cloud.remote_jobs()) == 1
    assert project.sql("SELECT phase FROM jobs") == [("INTENT",)]
    again = project.run("apply", "-y", "--wait")
    assert again.returncode == 0, again.stderr
    assert len(cloud.remote_jobs()) == 1
    assert project.job()["state"] == "SUCCEEDED"


@BOTH
def test_no_secret_and_no_row_is_left_anywhere(cloud: Cloud, provider: str) -> None:
    project = cloud.project
    cloud.spec(provider)
    said = []
    for command in (("plan",), ("apply", "-y", "--wait"), ("status",), ("doctor",), ("history",)):
        done = project.run(*command, "-o", "json")
        assert done.returncode == 0, done.stderr
        said.append(done.stdout + done.stderr)
    row = json.loads((project.root / "data.jsonl").read_text().splitlines()[0])["message"]
    kept = b"".join(
        path.read_bytes() for path in (project.root / ".tunekit").rglob("*") if path.is_file()
    )
    for canary in (API_KEY, row):
        assert canary not in "".join(said)
        assert canary.encode() not in kept


def test_a_vertex_job_is_cancelled(cloud: Cloud) -> None:
    project = cloud.project
    cloud.service.call("PUT", "/_emulator/faults", {})
    cloud.spec("vertex", epochs=500)
    project.ok("apply", "-y")
    project.ok("cancel", "mask", "-y", "--wait")
    assert project.job()["state"] == "CANCELLED"
    assert list(cloud.remote_jobs().values()) == ["JOB_STATE_CANCELLED"]


def test_a_gemini_job_can_not_be_cancelled_and_says_so(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("gemini-api", epochs=200)
    project.ok("apply", "-y")
    done = project.run("cancel", "mask", "-y")
    assert done.returncode == 5
    assert "can't cancel jobs" in done.stderr
    assert project.job()["state"] in ("PENDING", "RUNNING", "SUCCEEDED")


def test_fifty_jobs_are_watched_by_one_list(
    project: Project, serve: Callable[..., Service]
) -> None:
    cloud = Cloud(project, serve(time_scale=1))
    for number in range(50):
        cloud.spec("vertex", f"job-{number:02}", more=f"tags: {{n: '{number}'}}\n")
    project.ok("apply", "-y")
    assert len(cloud.remote_jobs()) == 50
    before = len(cloud.requests())
    trials = project.json("status")["trials"]
    asked = cloud.requests()[before:]
    assert len(asked) == 1, asked
    assert len(trials) == 50
    assert {trial["job"]["state"] for trial in trials} <= {"PENDING", "RUNNING"}


def test_status_shows_detail_states_and_percent(
    project: Project, serve: Callable[..., Service]
) -> None:
    cloud = Cloud(project, serve(time_scale=20))
    cloud.spec("vertex", epochs=40)
    project.ok("apply", "-y")
    details, percents = set(), set()
    while (job := project.job())["state"] in ("PENDING", "RUNNING"):
        details.add(job["detail"])
        percents.add(job["percent"])
    assert job["state"] == "SUCCEEDED"
    assert any("tuning" in detail for detail in details), details
    assert any(percent is not None and 0 < percent < 100 for percent in percents), percents


def test_tuning_continues_from_another_experiments_best_checkpoint(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex", "first", epochs=3)
    text = (project.root / "experiments/first.yaml").read_text()
    measured = text.replace("train: 60,", "train: 60, validation: 10,")
    project.write("experiments/first.yaml", measured)
    base = f"base_model: {BASES['vertex']}"
    further = measured.replace("name: first", "name: further")
    further = further.replace(base, "base_model: {experiment: first, checkpoint: best}")
    project.write("experiments/further.yaml", further)

    planned = {step["name"]: step for step in project.json("plan")["steps"]}
    assert planned["further"]["action"] == "wait"
    assert "first has no job yet" in planned["further"]["reason"]
    project.ok("apply", "-y", "--wait")
    jobs = {name: project.job(name) for name in ("first", "further")}
    assert {job["state"] for job in jobs.values()} == {"SUCCEEDED"}
    sent = cloud.service.call("GET", f"/v1beta1/{jobs['further']['name']}")["preTunedModel"]
    assert sent["tunedModelName"] == jobs["first"]["model"]
    assert sent["checkpointId"] in {c["id"] for c in jobs["first"]["checkpoints"]}
    assert project.run("plan", "--detailed-exitcode").returncode == 0


def test_a_file_in_cloud_storage_is_used_where_it_lies(cloud: Cloud) -> None:
    project = cloud.project
    uri = cloud.service.put_rows(count=60)
    project.write(
        "experiments/mask.yaml",
        f"name: mask\nprovider: vertex\nbase_model: gemini-3.5-flash\n"
        f"dataset: {{source: {{gcs: {uri}}}}}\ntuning: {{epochs: 2}}\n",
    )
    project.ok("apply", "-y", "--wait")
    job = cloud.service.call("GET", f"/v1beta1/{project.job()['name']}")
    assert job["supervisedTuningSpec"]["trainingDatasetUri"] == uri
    assert list(cloud.service.state()["objects"]) == [uri]
    assert project.run("plan", "--detailed-exitcode").returncode == 0
    cloud.service.put_rows(count=61)
    (step,) = project.json("plan")["steps"]
    assert step["action"] == "retune"
    assert step["changes"] == ["dataset rows"]


def test_a_strangers_job_is_discovered_and_adopted(cloud: Cloud) -> None:
    project = cloud.project
    name = cloud.service.tuned(tunedModelDisplayName="Old one", labels={"team": "a"})["name"]
    (found,) = project.json("discover", "--provider", "vertex")["jobs"]
    assert (found["name"], found["display_name"]) == (name, "Old one")
    project.ok("import", name, "--provider", "vertex", "--write", "experiments/old.yaml")
    assert project.run("plan", "--detailed-exitcode").returncode == 0
    job = project.job("old-one")
    assert job["state"] == "SUCCEEDED"
    assert project.json("metrics", "old-one")["jobs"][0]["series"]
    assert project.ok("predict", "old-one", "--raw", "Where is #4321?").strip()
    assert project.json("discover", "--provider", "vertex")["jobs"] == []


def test_doctor_names_what_google_lacks(project: Project, serve: Callable[..., Service]) -> None:
    cloud = Cloud(project, serve())
    cloud.spec("vertex")
    assert project.run("doctor", "--provider", "vertex").returncode == 0
    text = (project.root / "tunekit.yaml").read_text()
    project.write("tunekit.yaml", text.replace("bucket: tuning-data", "bucket: not-there"))
    done = project.run("doctor", "--provider", "vertex")
    assert done.returncode == 1
    assert "not-there" in done.stdout
    assert "fix: " in done.stdout
    assert os.environ.get("HOME", "?") + "/.config" not in done.stdout


def test_a_plan_that_apply_would_refuse_says_so(project: Project) -> None:
    project.write(
        "tunekit.yaml",
        "providers: {vertex: {project: my-project, location: us-west4, bucket: rows}}\n",
    )
    project.spec()
    text = (project.root / "experiments/mask.yaml").read_text()
    text = text.replace("provider: local", "provider: vertex").replace(", batch_size: 8", "")
    project.write(
        "experiments/mask.yaml",
        text.replace("base_model: text-editor", "base_model: gemini-3.5-flash"),
    )
    done = project.run("plan")
    assert done.returncode == 2
    assert "gemini-3.5-flash is not tuned in us-west4; set location to us-central1" in done.stderr
    assert done.stderr.endswith("`tunekit apply` does none of this before that is mended.\n")
    assert project.run("apply", "-y").returncode == 2
    assert project.json("status")["trials"] == []


def test_validate_says_once_what_a_profile_lacks(cloud: Cloud) -> None:
    project = cloud.project
    for name in ("one", "two"):
        cloud.spec("vertex", name)
    text = (project.root / "tunekit.yaml").read_text()
    project.write("tunekit.yaml", text.replace("    location: us-central1\n", ""))
    before = cloud.requests()
    done = project.run("validate")
    assert done.returncode == 2
    assert done.stderr.count("the vertex profile has no location") == 1
    assert "such as location: us-central1" in done.stderr
    assert cloud.requests() == before
