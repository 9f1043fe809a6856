"""A tuning job's whole life, over the wire, against the emulator."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator.service import PLACE, Service
from tests.providers.conftest import Requests
from tests.providers.support import (
    BUCKET,
    TOKEN,
    examples,
    job_spec,
    open_vertex,
    prepared,
    until_ended,
)
from tunekit.errors import NotFound, ProviderError
from tunekit.model import JobState
from tunekit.providers.vertex.provider import VertexProvider


def test_a_job_succeeds_and_says_what_it_made(vertex: VertexProvider) -> None:
    job = job_spec(prepared(40, 8), hyperparameters={"epochs": 2})
    accepted = vertex.submit(job, TOKEN)
    assert accepted.token == TOKEN
    assert not accepted.state.is_terminal
    seen = until_ended(vertex, accepted.name)
    assert seen.state is JobState.SUCCEEDED
    assert (seen.epoch, seen.completed_steps, seen.total_steps) == (2, 20, 20)
    assert [mark.epoch for mark in seen.checkpoints] == [1, 2]
    assert seen.checkpoints[-1].model == seen.endpoint
    assert "/locations/us/endpoints/" in str(seen.endpoint)
    assert str(seen.model).endswith("@1")
    assert seen.base_model == "gemini-3.5-flash"
    assert seen.display_name == "pii-masking"
    times = [seen.created_s or 0, seen.started_s or 0, seen.ended_s or 0]
    assert times == sorted(times)
    assert times[0] > time.time() - 60


def test_the_files_hold_the_rows_in_geminis_format(
    vertex: VertexProvider, service: Service
) -> None:
    name = vertex.submit(job_spec(prepared(3, 2, system="You mask.")), TOKEN).name
    spec = service.call("GET", f"/v1beta1/{name}")["supervisedTuningSpec"]
    for uri, rows in ((spec["trainingDatasetUri"], 3), (spec["validationDatasetUri"], 2)):
        lines = service.emulator.world.storage.read(uri).decode().splitlines()  # type: ignore[union-attr]
        assert len(lines) == rows
        line = json.loads(lines[0])
        assert line["systemInstruction"] == {"parts": [{"text": "You mask."}]}
        assert [turn["role"] for turn in line["contents"]] == ["user", "model"]
        assert line["contents"][0]["parts"][0]["text"].startswith("Mask: ")


def test_preference_tuning_sends_both_answers(
    vertex: VertexProvider, requests_seen: Requests, service: Service
) -> None:
    rows = examples(20, rejected="I will not say")
    job = job_spec(prepared(rows), method="preference", base_model="gemini-2.5-flash")
    seen = until_ended(vertex, vertex.submit(job, TOKEN).name)
    assert seen.state is JobState.SUCCEEDED
    assert seen.total_steps
    [body] = requests_seen.of("POST", "/tuningJobs")
    uri = body["preferenceOptimizationSpec"]["trainingDatasetUri"]
    line = json.loads(service.emulator.world.storage.read(uri).decode().splitlines()[0])  # type: ignore[union-attr]
    scores = {c["score"]: c["completion"]["parts"][0]["text"] for c in line["completions"]}
    assert scores == {1: rows[0].response, 0: "I will not say"}
    assert vertex.describe(seen.name).method == "preference"
    assert {p.metric for p in vertex.metrics(seen.name, 0)} == {
        "/preference_optimization_train_loss"
    }


def test_ready_made_files_are_used_where_they_lie(
    vertex: VertexProvider, requests_seen: Requests, service: Service
) -> None:
    uri = service.put_rows("mine/train.jsonl")
    job = job_spec(prepared(60, uris={"train": uri}))
    assert until_ended(vertex, vertex.submit(job, TOKEN).name).state is JobState.SUCCEEDED
    [body] = requests_seen.of("POST", "/tuningJobs")
    assert body["supervisedTuningSpec"]["trainingDatasetUri"] == uri
    assert [name for _, name in service.emulator.world.storage.blobs] == ["mine/train.jsonl"]


def test_tuning_continues_from_a_tuned_model_and_its_checkpoint(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    first = until_ended(vertex, vertex.submit(job_spec(hyperparameters={"epochs": 2}), TOKEN).name)
    assert first.model
    job = job_spec(base_model=first.model, base_checkpoint=first.checkpoints[0].id)
    second = until_ended(vertex, vertex.submit(job, TOKEN[:-1] + "0").name)
    assert second.state is JobState.SUCCEEDED
    assert second.base_model == first.model
    body = requests_seen.of("POST", "/tuningJobs")[-1]
    assert body["preTunedModel"] == {"tunedModelName": first.model, "checkpointId": "1"}
    assert "baseModel" not in body
    told = vertex.describe(second.name)
    assert (told.base_model, told.base_checkpoint) == (first.model, "1")


def test_find_returns_the_tokens_job_alone(vertex: VertexProvider) -> None:
    mine = vertex.submit(job_spec(), TOKEN)
    vertex.submit(job_spec(), TOKEN[:-1] + "0")
    found = vertex.find(TOKEN)
    assert found
    assert found.name == mine.name
    assert vertex.find("tk-nobody") is None


def test_two_jobs_of_one_token_stop_everything(vertex: VertexProvider) -> None:
    names = [vertex.submit(job_spec(), TOKEN).name for _ in range(2)]
    with pytest.raises(ProviderError) as caught:
        vertex.find(TOKEN)
    assert all(name in str(caught.value) for name in names)


def test_list_goes_through_every_page_newest_first(
    vertex: VertexProvider, requests_seen: Requests, service: Service
) -> None:
    uri = service.put_rows()
    job = job_spec(prepared(60, uris={"train": uri}))
    names = [vertex.submit(job, f"tk-{number}").name for number in range(120)]
    listed = [seen.name for seen in vertex.list()]
    assert listed == names[::-1]
    assert len(requests_seen.of("GET", "/tuningJobs")) == 2


def test_cancel_ends_a_job_and_may_be_repeated(vertex: VertexProvider, service: Service) -> None:
    job = job_spec(hyperparameters={"epochs": 500})
    name = vertex.submit(job, TOKEN).name
    vertex.cancel(name)
    seen = until_ended(vertex, name)
    assert seen.state is JobState.CANCELLED
    assert seen.error == ""
    vertex.cancel(name)
    vertex.cancel(f"{PLACE}/tuningJobs/404")


def test_a_running_job_tells_its_detail_and_progress(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    slow = serve(time_scale=50)
    uri = slow.put_rows()
    vertex = open_vertex(slow.url, tmp_path)
    job = job_spec(prepared(60, uris={"train": uri}), hyperparameters={"epochs": 40})
    name = vertex.submit(job, TOKEN).name
    details, progress = set(), set()
    end = time.monotonic() + 30
    while time.monotonic() < end and len(progress) < 3:
        seen = vertex.get(name)
        assert seen.state is not JobState.UNKNOWN
        if seen.state is JobState.RUNNING:
            details.add(seen.detail)
            progress.add((seen.completed_steps, seen.total_steps))
        time.sleep(0.02)
    vertex.cancel(name)
    assert "tuning" in details
    assert len(details) > 1
    assert all(total for done, total in progress if done)


def test_a_job_that_fails_says_why(vertex: VertexProvider, service: Service) -> None:
    uri = service.put_rows(text='{"contents": []}\n')
    name = vertex.submit(job_spec(prepared(1, uris={"train": uri})), TOKEN).name
    seen = until_ended(vertex, name)
    assert seen.state is JobState.FAILED
    assert "line 1" in seen.error
    assert (seen.model, seen.endpoint) == (None, None)


def test_describe_gives_a_job_back(vertex: VertexProvider) -> None:
    job = job_spec(
        prepared(40, 8),
        hyperparameters={"epochs": 2, "adapter_size": 8, "learning_rate_multiplier": 0.5},
        description="Mask personal data",
        tags={"team": "privacy"},
        export_last_checkpoint_only=True,
    )
    seen = until_ended(vertex, vertex.submit(job, TOKEN).name)
    told = vertex.describe(seen.name)
    assert told.hyperparameters == job.hyperparameters
    assert told.tags == {"team": "privacy"}
    assert told.source
    assert sorted(told.source) == ["gcs", "validation"]
    assert told.source["gcs"].startswith(f"gs://{BUCKET}/tunekit/")
    assert (told.display_name, told.description) == ("pii-masking", "Mask personal data")
    assert told.export_last_checkpoint_only
    assert len(seen.checkpoints) == 1
    # What was adopted asks for the same again.
    again = dataclasses.replace(job, dataset=prepared(40, 8, uris={"train": told.source["gcs"]}))
    assert until_ended(vertex, vertex.submit(again, "tk-again").name).state is JobState.SUCCEEDED


@pytest.mark.parametrize("name", ["", "7", "projects/p/locations/x.y/tuningJobs/7", "a/../b"])
def test_what_is_no_jobs_name_is_not_asked_for(vertex: VertexProvider, name: str) -> None:
    with pytest.raises(NotFound, match="is no tuning job"):
        vertex.get(name)
    with pytest.raises(NotFound, match="is no tuning job"):
        vertex.cancel(name)


def test_a_job_that_is_gone_is_not_found(vertex: VertexProvider) -> None:
    with pytest.raises(NotFound, match="HTTP 404"):
        vertex.get(f"{PLACE}/tuningJobs/404")
