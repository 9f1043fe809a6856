"""`tunekit dataset stats --count-tokens`, at emulated services and by real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.emulator.service import Service
from tunekit.emulator.rows import count_tokens

SYSTEM = "You mask orders."


@pytest.fixture
def cloud(project: Project, serve: Callable[..., Service]) -> Cloud:
    return Cloud(project, serve(checks_requests=True))


def texts(project: Project) -> list[str]:
    """Return what is sent of each row, prompt and answer."""
    lines = (project.root / "data.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [f"Mask: {row['message']}\n{row['masked']}" for row in rows]


def with_system(project: Project) -> None:
    spec = (project.root / "experiments/mask.yaml").read_text(encoding="utf-8")
    more = spec.replace("  prompt:", f"  system_instruction: {SYSTEM}\n  prompt:")
    project.write("experiments/mask.yaml", more)


def counted(project: Project, *arguments: str) -> Any:
    return project.json("dataset", "stats", "mask", "--count-tokens", "provider", *arguments)


def test_a_whole_split_is_counted_by_the_service_and_nothing_is_printed_of_its_rows(
    cloud: Cloud,
) -> None:
    project = cloud.project
    cloud.spec("vertex")
    with_system(project)
    found = counted(project)
    assert found["counted_by"] == {
        "by": "provider",
        "provider": "vertex",
        "model": "gemini-3.5-flash",
    }
    train = found["splits"]["train"]["counted"]
    system = count_tokens(SYSTEM)
    truth = sum(count_tokens(text) + system for text in texts(project)[:60])
    assert (train["sample_rows"], train["sample_tokens"]) == (60, truth)
    assert (train["total"], train["margin"]) == (truth, 0)
    assert train["ratio"] == pytest.approx(truth / train["sample_guess"], abs=1e-4)
    (step,) = project.json("plan")["steps"]
    assert train["split_guess"] == train["sample_guess"] == step["cost"]["tokens"]
    assert found["splits"]["test"]["counted"]["sample_rows"] == 20
    assert "ORDER" not in json.dumps(found)


def test_a_sample_is_spread_over_the_split_and_scaled_to_it(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex")
    found = counted(project, "--sample", "10")
    train = found["splits"]["train"]["counted"]
    picked = texts(project)[:60][3::6]
    assert len(picked) == 10
    assert train["sample_tokens"] == sum(map(count_tokens, picked))
    assert train["total"] == pytest.approx(train["ratio"] * train["split_guess"], rel=1e-3)
    assert train["margin"] > 0
    text = project.ok("dataset", "stats", "mask", "--count-tokens", "provider", "--sample", "10")
    assert f"counted: {train['sample_tokens']:,} tokens in 10 rows (guessed " in text
    assert f"all rows: {train['total']:,} ± {train['margin']:,} billable tokens an epoch" in text
    assert "by vertex, for gemini-3.5-flash" in text
    calls = [e for e in cloud.requests() if e["path"].endswith(":countTokens")]
    assert len(calls) == 2 * (10 + 10)


def test_a_continued_job_is_counted_by_the_model_that_tuning_began_with(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("vertex", "parent")
    text = (project.root / "experiments/parent.yaml").read_text(encoding="utf-8")
    child = text.replace("name: parent", "name: mask").replace(
        "base_model: gemini-3.5-flash", "base_model: {experiment: parent}"
    )
    project.write("experiments/mask.yaml", child)
    early = project.run("dataset", "stats", "mask", "--count-tokens", "provider")
    assert early.returncode == 2
    assert "parent, which has no job yet" in early.stderr
    project.ok("apply", "-y", "--wait")
    for name in ("mask", "mask@1"):
        found = project.json("dataset", "stats", name, "--count-tokens", "provider")
        assert found["counted_by"]["model"] == "gemini-3.5-flash"


def test_the_gemini_api_counts_too_and_rows_that_are_gone_are_not_guessed(cloud: Cloud) -> None:
    project = cloud.project
    cloud.spec("gemini-api")
    project.ok("apply", "-y", "--wait")
    stats = ("dataset", "stats", "mask@1", "--count-tokens", "provider")
    train = project.json(*stats)["splits"]["train"]["counted"]
    assert train["total"] == sum(map(count_tokens, texts(project)[:60]))
    lines = (project.root / "data.jsonl").read_text(encoding="utf-8").splitlines()
    project.write("data.jsonl", "\n".join(lines[1:]) + "\n")
    gone = project.run(*stats)
    assert gone.returncode == 3
    assert "no longer those of mask@1" in gone.stderr


def test_a_model_without_a_tokenizer_is_refused_and_nobody_else_is_asked(cloud: Cloud) -> None:
    pytest.importorskip("sentencepiece", reason="needs the extra tokenizer")
    cloud.spec("gemini-api")
    refused = cloud.project.run("dataset", "stats", "mask", "--count-tokens", "tokenizer")
    assert refused.returncode == 5
    assert "no tokenizer of gemini-1.5-flash-001-tuning" in refused.stderr
    assert not [e for e in cloud.requests() if e["path"].endswith(":countTokens")]


def test_a_service_that_refuses_ends_it_with_the_role_that_is_missing(cloud: Cloud) -> None:
    cloud.spec("vertex")
    cloud.service.set_faults(denied_permissions=["aiplatform.endpoints.predict"])
    refused = cloud.project.run("dataset", "stats", "mask", "--count-tokens", "provider")
    assert refused.returncode == 5
    assert "roles/aiplatform.user" in refused.stderr
    assert refused.stdout == ""


def test_what_can_not_count_says_so(tuned: Project) -> None:
    refused = tuned.run("dataset", "stats", "mask", "--count-tokens", "provider")
    assert refused.returncode == 5
    assert "local does not count tokens" in refused.stderr
    plain = tuned.ok("dataset", "stats", "mask")
    assert "nobody has counted them" in plain
