"""A tuned model that is tuned further knows what its parent knew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator.service import PLACE, Service, gemini_line

REFUNDS = [(f"please refund payment {i}", "billing") for i in range(30)]
PARCELS = [(f"where is parcel {i}", "shipping") for i in range(30)]
THANKS = [(f"many thanks, friend {i}", "praise") for i in range(30)]


def put(service: Service, name: str, rows: list[tuple[str, str]]) -> str:
    lines = [json.dumps(gemini_line(*row)) for row in rows]
    return service.put_rows(name, text="\n".join(lines))


def ask(service: Service, job: Any, text: str) -> str:
    asked = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    path = f"/v1/{job['tunedModel']['endpoint']}:generateContent"
    answer = service.call("POST", path, asked)
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


@pytest.fixture
def first(service: Service) -> Any:
    return service.tuned(uri=put(service, "first.jsonl", REFUNDS + PARCELS))


@pytest.mark.parametrize(
    ("model", "checkpoint"),
    [("tunedModelName", "checkpointId"), ("tuned_model_name", "checkpoint_id")],
)
def test_it_answers_as_its_parent_and_by_its_own_rows(
    service: Service, first: Any, model: str, checkpoint: str
) -> None:
    named = {model: first["tunedModel"]["model"], checkpoint: "1"}
    uri = put(service, "second.jsonl", THANKS)
    # What the parent learned from may be gone by then.
    service.http.delete("/storage/v1/b/tuning-data/o/first.jsonl").raise_for_status()
    second = service.tuned(baseModel=None, preTunedModel=named, uri=uri)
    assert second["preTunedModel"] == {
        "tunedModelName": first["tunedModel"]["model"],
        "checkpointId": "1",
        "baseModel": "gemini-3.5-flash",
    }
    stats = second["tuningDataStats"]["supervisedTuningDataStats"]
    assert stats["tuningDatasetExampleCount"] == "30"
    questions = ("refund a payment please", "where is that parcel", "thanks friend")
    assert [ask(service, second, text) for text in questions] == ["billing", "shipping", "praise"]
    assert ask(service, first, "thanks friend") != "praise"
    # As its parent, it is served where Gemini 3 is.
    assert "/locations/us/endpoints/" in second["tunedModel"]["endpoint"]


def test_it_goes_on_over_generations_and_by_base_model_too(service: Service, first: Any) -> None:
    model = first["tunedModel"]["model"]
    second = service.tuned(baseModel=model, uri=put(service, "second.jsonl", THANKS))
    assert second["baseModel"] == model
    rows = [(f"the app crashed {i}", "bug") for i in range(30)]
    third = service.tuned(
        baseModel=second["tunedModel"]["model"], uri=put(service, "third.jsonl", rows)
    )
    questions = ("refund a payment please", "thanks friend", "crashed app")
    assert [ask(service, third, text) for text in questions] == ["billing", "praise", "bug"]


def test_a_model_of_another_region_or_none_is_refused(service: Service, first: Any) -> None:
    named = {"tunedModelName": first["tunedModel"]["model"]}
    spec = {"trainingDatasetUri": "gs://tuning-data/first.jsonl"}
    body = {"preTunedModel": named, "supervisedTuningSpec": spec}
    elsewhere = PLACE.replace("us-central1", "europe-west4")
    refused = service.call("POST", f"/v1/{elsewhere}/tuningJobs", body, status=400)
    assert refused["error"]["status"] == "FAILED_PRECONDITION"
    bad = {**body, "preTunedModel": {**named, "checkpointId": "9"}}
    refused = service.call("POST", f"/v1/{PLACE}/tuningJobs", bad, status=400)
    assert "checkpoint_id" in str(refused)
    service.create(baseModel=None, preTunedModel={"tunedModelName": f"{PLACE}/models/1"},
                   status=404)  # fmt: skip
