"""Costs, comparison and origins of jobs on Vertex AI, as an emulator serves it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import BASES, Cloud
from tests.emulator.service import Service


@pytest.fixture
def continued(project: Project, serve: Callable[..., Service]) -> Project:
    """A project with `first`, and `further`, which is tuned from a checkpoint of it."""
    cloud = Cloud(project, serve())
    cloud.spec("vertex", "first", more="tags: {team: a}\n")
    project.ok("apply", "-y", "--wait")
    cloud.spec("vertex", "further", epochs=3)
    path = project.root / "experiments/further.yaml"
    base = f"base_model: {BASES['vertex']}"
    path.write_text(path.read_text().replace(base, "base_model: {experiment: first}"))
    project.ok("apply", "-y", "--wait")
    return project


def test_an_endpoint_leads_back_through_what_it_was_tuned_from(continued: Project) -> None:
    endpoint = continued.job("further")["endpoint"]
    end = endpoint.split("/endpoints/")[1]
    assert "projects/p/" not in endpoint  # the service says the project's number
    address = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us/endpoints"
    for asked in (
        endpoint,
        f"endpoints/{end}",
        f"{address}/{end}:generateContent",  # as a client has it
    ):
        origins = continued.json("why", asked)["origins"]
        assert [(o["depth"], o["job"]) for o in origins] == [(0, "further@1"), (1, "first@1")]
    further, first = origins
    assert further["base_model"].startswith(first["model"].partition("@")[0])
    assert further["hyperparameters"] == {"epochs": 3}
    assert first["tags"] == {"team": "a"}
    shown = continued.ok("why", endpoint)
    assert "tuned from first@1" in shown
    assert BASES["vertex"] in shown
    compared = continued.json("compare", "first", "further")
    tuned_from = next(row for row in compared["rows"] if row["key"] == "tuned_from")
    assert tuned_from["values"] == {"first@1": None, "further@1": further["base_model"]}


def test_a_job_that_never_reached_the_service_cost_nothing(
    project: Project, serve: Callable[..., Service]
) -> None:
    cloud = Cloud(project, serve())
    cloud.spec("vertex", "first")
    path = project.root / "tunekit.yaml"
    written = path.read_text()
    path.write_text(re.sub(r"bucket: [a-z0-9-]+", "bucket: no-such-bucket", written))
    assert project.run("apply", "-y").returncode == 5
    (job,) = project.json("history")["jobs"]
    assert (job["phase"], job["cost_usd"]) == ("ABSENT", None)
    path.write_text(written)
    project.ok("apply", "-y", "--wait")
    paid = project.json("history")["jobs"][0]
    assert (paid["phase"], paid["cost_usd"] > 0) == ("BOUND", True)


def test_history_says_what_jobs_cost_and_sorts_by_it(continued: Project) -> None:
    jobs = continued.json("history", "--sort", "-cost_usd")["jobs"]
    assert [job["job"] for job in jobs] == ["further@1", "first@1"]
    dear, cheap = (job["cost_usd"] for job in jobs)
    assert dear == pytest.approx(cheap * 3 / 2)
    assert cheap > 0
    head, *lines = continued.ok("history").splitlines()
    assert "COST USD" in head
    assert len(lines) == 2
