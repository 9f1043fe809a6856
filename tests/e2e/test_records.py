"""Rows on record and money before the click, on an emulated Vertex AI, through real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.emulator.service import BUCKET, Service


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve(checks_requests=True))


def edit(project: Project) -> None:
    """Change the answer of line 6, take line 11 away."""
    lines = (project.root / "data.jsonl").read_text().splitlines()
    lines[5] = json.dumps({**json.loads(lines[5]), "masked": "changed"})
    del lines[10]
    project.write("data.jsonl", "\n".join(lines) + "\n")


def diff(project: Project, *arguments: str) -> Any:
    return project.json("dataset", "diff", *arguments)["splits"]["train"]


def test_plan_and_diff_say_which_rows_a_new_revision_has(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    project.ok("apply", "-y", "--wait")
    edit(project)
    planned = project.ok("plan")
    assert "dataset: +1 -1 ~1 rows, " in planned
    assert "cost: about 0.01" in planned
    (step,) = project.json("plan")["steps"]
    assert step["cost"]["usd_low"] < step["cost"]["usd"] < step["cost"]["usd_high"]
    assert (step["dataset"]["train"]["added"], step["dataset"]["train"]["changed"]) == (1, 1)

    found = diff(project, "mask@1", "mask", "--texts")
    assert [row["where"] for row in found["removed"]] == ["data.jsonl:11"]
    (changed,) = found["changed"]
    assert {changed[when]["where"] for when in ("before", "after")} == {"data.jsonl:6"}
    assert changed["after"]["text"]["response"] == "changed"
    assert "text" not in changed["before"]  # nobody kept it
    project.ok("apply", "-y", "--wait")
    assert diff(project, "mask@1", "mask@2") == diff(project, "mask@1", "mask")
    shown = project.json("dataset", "show", "mask@1")
    assert shown["tuned_on_by"] == ["mask@1"]
    stats = project.json("dataset", "stats", "mask@1")["splits"]["train"]
    assert sum(bucket["rows"] for bucket in stats["histogram"]) == stats["rows"] == 60
    assert stats["row_tokens"]["min"] <= stats["row_tokens"]["median"] <= stats["row_tokens"]["max"]
    registry = (project.root / ".tunekit/registry.db").read_bytes()
    assert b"[ORDER]" not in registry


def test_an_export_is_the_uploaded_file_to_the_byte(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    project.ok("apply", "-y", "--wait")
    out = project.root / "out.jsonl"
    done = project.json("dataset", "export", "mask@1", "--to", "out.jsonl")
    assert (done["rows"], done["size_bytes"]) == (60, out.stat().st_size)
    assert out.stat().st_mode & 0o777 == 0o600
    (uploaded,) = [
        name for name in cloud.service.state()["objects"] if name.startswith(f"gs://{BUCKET}/")
    ]
    name = quote(uploaded.removeprefix(f"gs://{BUCKET}/"), safe="")
    url = f"{cloud.service.url}/download/storage/v1/b/{BUCKET}/o/{name}?alt=media"
    with urlopen(url) as answer:
        assert answer.read() == out.read_bytes()

    again = project.run("dataset", "export", "mask", "--to", "out.jsonl")
    assert again.returncode == 2
    assert "it is there already" in again.stderr
    edit(project)
    gone = project.run("dataset", "export", "mask@1", "--to", "gone.jsonl")
    assert gone.returncode == 3
    assert not (project.root / "gone.jsonl").exists()


def test_dropped_rows_are_shown_by_their_line_and_many_flag_the_job(cloud: Cloud) -> None:
    project = cloud.project
    lines = (project.root / "data.jsonl").read_text().splitlines()
    # Blank lines are no rows: the third row stands on line 5.
    project.write("data.jsonl", "\n".join([*lines[:2], "", "", *lines[2:]]) + "\n")
    cloud.spec("vertex")
    project.ok("apply", "-y", "--wait")
    assert not project.job()["is_flagged"]
    cloud.spec("vertex", epochs=3)
    project.ok("apply", "-y")
    newest = project.jobs()[0]["name"]
    stats = {
        "tuningDatasetExampleCount": "60",
        "totalBillableTokenCount": "800",
        "tuningStepCount": "45",
        "totalTruncatedExampleCount": "4",
        "truncatedExampleIndices": ["3", "60"],
        "droppedExampleReasons": ["Too many tokens.", "Empty answer."],
    }
    body = {"tuningDataStats": {"supervisedTuningDataStats": stats}}
    cloud.service.call("PUT", f"/_emulator/jobs/{newest.rpartition('/')[2]}", body)
    project.ok("wait")
    shown = project.json("show", "mask")
    assert [(row["number"], row["where"]) for row in shown["dropped_rows"]] == [
        (3, "data.jsonl:5"),
        (60, "data.jsonl:62"),
    ]
    assert shown["job"]["is_flagged"]
    text = project.ok("show", "mask")
    assert "4 of 60 rows (6.7%), flagged" in text
    assert "row 3, data.jsonl:5: Too many tokens." in text
    assert "800 tokens an epoch x 3 = 2,400" in text
    assert "4 of 60 rows" in project.ok("status")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("limits: {max_cost_usd: 0.0001}\n", "may cost up to 0.02"),
        ("limits: {max_cost_usd: 1}\n", ""),
    ],
)
def test_a_job_that_may_cost_too_much_is_never_submitted(
    cloud: Cloud, limits: str, says: str
) -> None:
    project = cloud.project
    cloud.spec("vertex", more=limits)
    planned = project.run("plan")
    applied = project.run("apply", "-y", "--wait")
    if not says:
        assert (planned.returncode, applied.returncode) == (0, 0), applied.stderr
        assert len(cloud.remote_jobs()) == 1
        return
    assert (planned.returncode, applied.returncode) == (2, 2)
    assert says in planned.stderr
    assert says in applied.stderr
    assert cloud.remote_jobs() == {}


def test_a_child_that_may_cost_too_much_is_refused_when_its_turn_comes(cloud: Cloud) -> None:
    """No preflight sees it: its base model is not there when the plan is reviewed."""
    project = cloud.project
    cloud.spec("vertex", "parent")
    text = (project.root / "experiments/parent.yaml").read_text()
    child = text.replace("name: parent", "name: child").replace(
        "base_model: gemini-3.5-flash", "base_model: {experiment: parent}"
    )
    project.write("experiments/child.yaml", child + "limits: {max_cost_usd: 0.0001}\n")
    applied = project.run("apply", "-y", "--wait")
    assert applied.returncode == 2
    assert "child" in applied.stderr
    assert "may cost up to" in applied.stderr
    assert len(cloud.remote_jobs()) == 1


def test_an_unknown_price_is_said_and_refused_only_where_there_is_a_limit(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("gemini-api")
    assert "cost: not known" in project.ok("plan")
    cloud.spec("gemini-api", more="limits: {max_cost_usd: 5}\n")
    refused = project.run("plan")
    assert refused.returncode == 2
    assert "no price of gemini-1.5-flash-001-tuning is known" in refused.stderr
    settings = (project.root / "tunekit.yaml").read_text()
    own = "    usd_per_million_tokens: {gemini-1.5-flash-001-tuning: 2}\n"
    project.write("tunekit.yaml", settings + own)
    planned = project.ok("plan")
    assert "at 2 USD a million" in planned
    assert "usd_per_million_tokens in tunekit.yaml" in planned


def test_an_export_never_leaves_a_part_nor_replaces_a_file(tuned: Project) -> None:
    tuned.write("there.jsonl", "mine")
    refused = tuned.run("dataset", "export", "mask", "--to", "there.jsonl")
    assert refused.returncode == 2
    assert "--to there.jsonl: it is there already; name another file" in refused.stderr
    assert (tuned.root / "there.jsonl").read_text() == "mine"
    lost = tuned.run("dataset", "export", "mask", "--to", "no/folder.jsonl")
    assert "--to no/folder.jsonl: No such file or directory" in lost.stderr
    names = {path.name for path in tuned.root.iterdir()}
    tuned.ok("dataset", "export", "mask", "--to", "rows.jsonl")
    assert {path.name for path in tuned.root.iterdir()} == names | {"rows.jsonl"}
    assert (tuned.root / "rows.jsonl").stat().st_mode & 0o777 == 0o600
