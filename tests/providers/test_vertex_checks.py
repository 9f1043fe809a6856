"""What Vertex AI would refuse, said before anything is asked; and opening, which asks nothing."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.emulator.service import Service
from tests.providers.conftest import Requests
from tests.providers.support import BUCKET, TOKEN, examples, job_spec, open_vertex, prepared
from tunekit.errors import ProviderError
from tunekit.model import JobSpec, PreparedDataset, SplitInfo
from tunekit.providers.vertex import limits, open_provider
from tunekit.providers.vertex.places import Places
from tunekit.providers.vertex.provider import VertexProvider

PROFILE = {"project": "p", "location": "us-central1", "bucket": BUCKET}


def sized(train: int, validation: int = 0) -> PreparedDataset:
    """A ready-made data set of so many rows, none of which can be read."""
    counts = {"train": train, "validation": validation}
    splits = {name: SplitInfo(n, 0, "d") for name, n in counts.items() if n}
    uris = {name: f"gs://b/{name}.jsonl" for name in splits}
    return PreparedDataset("f", splits, lambda split: pytest.fail("read"), None, uris)


def found(job: JobSpec, **options: Any) -> list[tuple[str, str, str]]:
    """Return (severity, key, text) of what is wrong with a job."""
    given = {key: value for key, value in {**PROFILE, **options}.items() if value is not None}
    provider = open_provider(given, Path("/nowhere"), {})
    return [(p.severity.value, p.key, str(p)) for p in provider.check(job)]


def test_a_good_job_has_no_problems() -> None:
    assert found(job_spec(prepared(100, 20), tags={"team": "privacy"})) == []
    assert found(job_spec(sized(10_000, 3_000))) == []


@pytest.mark.parametrize("key", ["project", "location", "bucket"])
@pytest.mark.parametrize("value", [None, "", "not legal/"])
def test_a_profile_that_lacks_something_is_an_error(key: str, value: str | None) -> None:
    problems = found(job_spec(prepared(100)), **{key: value})
    severity, where, text = problems[0]
    assert (severity, where) == ("error", "provider")
    assert "tunekit.yaml" in text
    assert f"{key}: " in text
    with pytest.raises(ProviderError, match=r"tunekit\.yaml"):
        open_provider({**PROFILE, key: value}, Path("/nowhere"), {}).submit(job_spec(), TOKEN)


def test_ready_made_data_needs_no_bucket() -> None:
    assert found(job_spec(sized(100)), bucket=None) == []


@pytest.mark.parametrize(
    ("changes", "location", "severity", "key", "says"),
    [
        ({}, "europe-west1", "error", "base_model", "us-central1 or europe-west4"),
        ({}, "us", "error", "base_model", "where tuned models only answer"),
        ({}, "global", "error", "base_model", "not tuned in global"),
        ({"base_model": "gemini-2.5-flash"}, "global", "warning", "base_model", "set a region"),
        ({"base_model": "gemini-2.5-pro"}, "us-central1", "warning", "base_model", "2026-10-20"),
        ({"base_model": "meta/llama3_1@x"}, "us-central1", "error", "base_model", "open models"),
        ({"method": "preference"}, "us-central1", "warning", "tuning.method", "gemini-2.5-flash"),
        (
            {
                "base_model": "gemini-2.5-pro",
                "hyperparameters": {"adapter_size": 16},
            },
            "us-central1",
            "error",
            "tuning.adapter_size",
            "takes 1, 2, 4, 8",
        ),
        (
            {"base_model": "projects/7/locations/europe-west4/models/5@1"},
            "us-central1",
            "warning",
            "base_model",
            "lives in europe-west4",
        ),
        ({"hyperparameters": {"epochs": 0}}, "us-central1", "error", "tuning.epochs", "1 or more"),
        (
            {"hyperparameters": {"adapter_size": 3}},
            "us-central1",
            "error",
            "tuning.adapter_size",
            "takes 1, 2, 4, 8, 16",
        ),
        (
            {"hyperparameters": {"batch_size": 4}},
            "us-central1",
            "error",
            "tuning.batch_size",
            "not taken",
        ),
        ({"method": "dreaming"}, "us-central1", "error", "tuning.method", "preference or"),
        ({"tags": {"Team": "x"}}, "us-central1", "warning", "tags.Team", "can't be a label"),
        ({"display_name": "n" * 129}, "us-central1", "warning", "display_name", "128"),
        ({"dataset": sized(99)}, "us-central1", "warning", "dataset.split", "recommends 100"),
        ({"dataset": sized(90_000, 5_001)}, "us-central1", "error", "dataset.split", "5,000"),
        ({"dataset": sized(3_000, 1_001)}, "us-central1", "error", "dataset.split", "30%"),
        ({"dataset": sized(10_000_001)}, "us-central1", "error", "dataset.split", "10,000,000"),
    ],
)
def test_each_limit_is_told_with_its_key(
    changes: dict[str, Any], location: str, severity: str, key: str, says: str
) -> None:
    job = job_spec(**{"dataset": sized(100), **changes})
    problems = found(job, location=location)
    assert any((s, k) == (severity, key) and says in text for s, k, text in problems), problems


@pytest.mark.parametrize("model", ["gemini-9-ultra", "publishers/google/models/gemini-9"])
def test_an_unknown_base_model_is_left_to_the_service(model: str) -> None:
    assert found(job_spec(sized(100), base_model=model), location="asia-east1") == []


def test_exactly_a_thousand_validation_rows_are_free() -> None:
    assert found(job_spec(sized(1_000, 1_000))) == []
    assert found(job_spec(sized(5_000, 1_500))) == []


def test_rows_are_looked_at_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = examples(100, rejected="no")
    rows[4] = rows[4]._replace(prompt="canary " * 80_000)
    rows[6] = rows[6]._replace(response="  ")
    rows[8] = rows[8]._replace(rejected=None)
    problems = found(job_spec(prepared(rows), method="preference", base_model="gemini-2.5-flash"))
    texts = {key: (severity, text) for severity, key, text in problems if "row" in text}
    assert texts["dataset.columns"][0] == "error"
    assert "first: rows.jsonl:9" in texts["dataset.columns"][1]
    sources = [text for _, key, text in problems if key == "dataset.source"]
    assert len(sources) == 2
    assert "first: rows.jsonl:7" in sources[0]
    assert "first: rows.jsonl:5" in sources[1]
    assert "131,072 tokens" in sources[1]
    assert not any("canary" in text for _, _, text in problems)
    monkeypatch.setattr(limits, "MOST_FILE_BYTES", 10_000)
    assert any("1 GB" in text for _, _, text in found(job_spec(prepared(100))))


def test_a_uri_that_is_no_jsonl_object_is_refused() -> None:
    data = dataclasses.replace(sized(100), uris={"train": "gs://b/train.csv"})
    assert [(s, k) for s, k, _ in found(job_spec(data))] == [("error", "dataset.source")]


def test_every_line_of_the_table_has_a_source_and_a_price() -> None:
    for model in limits.BASE_MODELS.values():
        assert model.url.startswith("https://")
        assert model.usd_per_million_tokens > 0
        assert model.adapter_sizes
        assert model.confidence in ("high", "medium", "low")


def test_what_can_be_done_is_known_offline() -> None:
    remote = open_provider({**PROFILE, "request_timeout_s": 20}, Path("/x"), {}).capabilities
    local = open_vertex("http://127.0.0.1:1", Path("/x")).capabilities
    assert remote.methods == {"supervised", "preference"}
    assert set(remote.hyperparameters) == {"epochs", "learning_rate_multiplier", "adapter_size"}
    assert (remote.listing_lag_s, remote.poll_every_s) == (50.0, 10.0)
    assert (local.listing_lag_s, local.poll_every_s) == (90.0, 0.5)
    assert remote.can_cancel
    assert remote.can_continue
    assert remote.has_system_instruction


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location: str, host: str) -> None:
    places = Places("p", "us-central1")
    assert places.host(location) == host
    name = f"projects/p/locations/{location}/endpoints/1"
    assert places.url(name) == f"{host}/v1beta1/{name}"
    assert Places("p", "us-central1", "http://127.0.0.1:1").host(location) == "http://127.0.0.1:1"


def test_opening_and_checking_load_no_sdk() -> None:
    code = (
        "from pathlib import Path; from tunekit.providers import open_provider\n"
        "from tests.providers.support import job_spec, prepared\n"
        f"provider = open_provider('vertex', {PROFILE!r}, Path('/nowhere'), {{}})\n"
        "assert provider.check(job_spec(prepared(100))) == []\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (t for t in done.stderr.splitlines() if t.startswith("import time:"))
    loaded = {text.rpartition("|")[2].strip().split(".")[0] for text in lines}
    assert "tunekit" in loaded
    assert loaded & {"google", "requests", "urllib3", "grpc", "httpx", "google_crc32c"} == set()


def test_the_doctor_passes_on_a_good_profile(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    lines = {line.subject: line for line in vertex.diagnose(["gemini-3.5-flash"])}
    assert all(line.is_ok for line in lines.values()), lines
    assert f"bucket {BUCKET}" in lines
    assert "project p in us-central1" in lines
    assert {method for method, path, _ in requests_seen.seen if path != "/storage/v1/b"} == {"GET"}


def test_the_doctor_names_each_fault_and_its_remedy(service: Service, tmp_path: Path) -> None:
    sick = open_vertex(service.url, tmp_path, bucket="not-there")
    service.set_faults(denied_projects=["p"])
    models = ["gemini-2.5-pro", "gemini-9", "projects/7/locations/l/models/5"]
    lines = {line.subject: line for line in sick.diagnose(models)}
    assert lines["credentials"].is_ok
    project = lines["project p in us-central1"]
    assert project.is_ok is False
    assert "roles/aiplatform.user" in project.remedy
    bucket = lines["bucket not-there"]
    assert bucket.is_ok is False
    assert "not-there" in bucket.remedy
    assert f"{service.url}/storage/v1/b?project=p" in bucket.remedy
    assert lines["base model gemini-2.5-pro"].is_ok is None
    assert "gemini-3.5-flash" in lines["base model gemini-2.5-pro"].remedy
    assert lines["base model gemini-9"].is_ok is None


def test_the_doctor_never_raises(tmp_path: Path) -> None:
    for options in (
        {"endpoint": "http://127.0.0.1:1"},
        {**PROFILE, "endpoint": "http://127.0.0.1:1"},
    ):
        lines = list(open_provider(options, tmp_path, {}).diagnose(["gemini-3.5-flash"]))
        assert any(line.is_ok is False for line in lines)
        assert all(line.remedy for line in lines if line.is_ok is False)
