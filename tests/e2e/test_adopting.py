"""Jobs that the registry does not know: finding them, adopting them; and what doctor sees."""

from __future__ import annotations

import pytest

from tests.conftest import Project


@pytest.fixture
def forgotten(tuned: Project) -> Project:
    """A project whose registry is lost and whose job is still there."""
    for file in (tuned.root / ".tunekit").glob("registry.db*"):
        file.unlink()
    return tuned


def remote(project: Project) -> str:
    (job,) = project.json("discover")["jobs"]
    assert job["provider"] == "local"
    assert job["state"] == "SUCCEEDED"
    return str(job["name"])


def test_a_job_of_the_registry_is_no_discovery(tuned: Project) -> None:
    assert tuned.json("discover")["jobs"] == []
    done = tuned.run("discover")
    assert "Every job is in the registry." in done.stderr


def test_a_lost_job_is_adopted_by_its_spec(forgotten: Project) -> None:
    name = remote(forgotten)
    done = forgotten.run("import", name, "--name", "mask")
    assert done.returncode == 0, done.stderr
    assert forgotten.run("plan", "--detailed-exitcode").returncode == 0
    assert forgotten.job()["state"] == "SUCCEEDED"
    assert forgotten.json("metrics", "mask")["jobs"][0]["series"]
    assert forgotten.json("discover")["jobs"] == []
    assert forgotten.json("evaluate", "mask")["scores"]["exact_match"] > 0.5


def test_an_adopted_job_gets_a_spec_that_plans_clean(forgotten: Project) -> None:
    name = remote(forgotten)
    forgotten.ok("import", name, "--write", "experiments/adopted.yaml", "--name", "adopted")
    (forgotten.root / "experiments/mask.yaml").unlink()
    assert forgotten.run("plan", "--detailed-exitcode").returncode == 0
    assert forgotten.job("adopted")["state"] == "SUCCEEDED"
    assert forgotten.ok("validate").startswith("1 experiment")


def test_without_a_file_the_spec_is_only_printed(forgotten: Project) -> None:
    done = forgotten.run("import", remote(forgotten))
    assert done.returncode == 0
    assert "base_model: text-editor" in done.stdout
    assert "Nothing was recorded" in done.stderr
    assert remote(forgotten)


def test_of_a_job_that_is_recorded_its_name_there_is_told(tuned: Project) -> None:
    done = tuned.run("import", str(tuned.job()["name"]))
    assert done.returncode == 0
    assert "base_model: text-editor" in done.stdout
    assert "The registry has it already, as mask@1." in done.stderr
    assert "--write" not in done.stderr


def test_a_job_that_was_asked_for_something_else_is_refused(forgotten: Project) -> None:
    forgotten.spec(epochs=7)
    done = forgotten.run("import", remote(forgotten), "--name", "mask")
    assert done.returncode == 2
    assert "tuning.epochs is 7 in the spec and 2 in the job" in done.stderr
    assert remote(forgotten)


def test_a_job_is_adopted_once(tuned: Project) -> None:
    name = tuned.job()["name"]
    done = tuned.run("import", name, "--write", "experiments/again.yaml")
    assert done.returncode == 4
    assert "is recorded already, as mask@1" in done.stderr
    assert not (tuned.root / "experiments/again.yaml").exists()


INTERRUPTED = """
from tunekit.observe import Observer
def refresh(*_, **__): raise KeyboardInterrupt
Observer.refresh = refresh
from tunekit.cli import main
main()
"""


def test_an_interrupt_after_the_adoption_leaves_the_spec_of_what_is_recorded(
    forgotten: Project,
) -> None:
    (forgotten.root / "experiments/mask.yaml").unlink()
    wanted = ("import", remote(forgotten), "--write", "experiments/again.yaml")
    assert forgotten.run(*wanted, code=INTERRUPTED).returncode == 130
    assert forgotten.sql("SELECT phase FROM jobs") == [("BOUND",)]
    assert forgotten.run("plan", "--detailed-exitcode").returncode == 0


def test_a_file_is_never_overwritten(forgotten: Project) -> None:
    before = (forgotten.root / "experiments/mask.yaml").read_text()
    done = forgotten.run("import", remote(forgotten), "--write", "experiments/mask.yaml")
    assert done.returncode == 2
    assert (forgotten.root / "experiments/mask.yaml").read_text() == before


def test_an_unknown_job_says_where_it_was_looked_for(project: Project) -> None:
    done = project.run("import", "jobs/tk-nothing", "--provider", "local")
    assert done.returncode == 5
    assert "tunekit discover" in done.stderr


def test_doctor_finds_nothing_wrong_with_a_good_project(tuned: Project) -> None:
    found = tuned.json("doctor")
    assert found["is_ok"] is True
    subjects = {check["subject"] for check in found["checks"]}
    assert {
        "tunekit",
        "registry",
        "experiments",
        "job folder",
        "base model text-editor",
    } <= subjects


def test_doctor_names_what_is_wrong_and_the_remedy(project: Project) -> None:
    project.spec(more="typo: 1\n")
    done = project.run("doctor")
    assert done.returncode == 1
    assert "FAIL  experiments" in done.stdout
    assert "fix: see `tunekit validate`" in done.stdout
