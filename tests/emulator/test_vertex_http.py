"""Vertex AI by plain HTTP, as curl would call it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.service import PLACE, Service, gemini_line, labelled, pairs

DETAILS = ("WAITING_FOR_QUOTA", "PROCESSING_DATASET", "WAITING_FOR_CAPACITY", "TUNING",
           "POST_PROCESSING")  # fmt: skip


def violations(answer: Any) -> list[str]:
    return [v["field"] for d in answer["error"]["details"] for v in d["fieldViolations"]]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_job_tunes_a_model_that_answers(service: Service, version: str) -> None:
    uri = service.put_rows(count=120)
    checked = service.put_rows("validation.jsonl", 20)
    accepted = service.create(
        version=version,
        supervisedTuningSpec={
            "training_dataset_uri": uri,
            "validationDatasetUri": checked,
            "hyper_parameters": {"epochCount": 3, "adapterSize": 2, "learningRateMultiplier": 1.5},
        },
        labels={"team": "a", "tunekit_token": "x-1"},
        tunedModelDisplayName="mask",
    )
    assert accepted["state"] == "JOB_STATE_PENDING"
    assert "experiment" not in accepted
    job = service.until(accepted["name"], "SUCCEEDED", version=version)
    hyper = job["supervisedTuningSpec"]["hyperParameters"]
    assert hyper == {
        "epochCount": "3",
        "adapterSize": "ADAPTER_SIZE_FOUR",
        "learningRateMultiplier": 1.5,
    }
    assert job["createTime"] < job["startTime"] < job["endTime"]
    stats = job["tuningDataStats"]["supervisedTuningDataStats"]
    assert stats["tuningDatasetExampleCount"] == "120"
    shares = (stats["userInputTokenDistribution"], stats["userOutputTokenDistribution"])
    assert int(stats["totalBillableTokenCount"]) == sum(int(s["billableSum"]) for s in shares)
    checkpoints = job["tunedModel"]["checkpoints"]
    assert [(c["checkpointId"], c["epoch"]) for c in checkpoints] == [
        ("1", "1"),
        ("2", "2"),
        ("3", "3"),
    ]
    assert checkpoints[-1]["step"] == stats["tuningStepCount"]
    assert job["tunedModel"]["endpoint"] == checkpoints[-1]["endpoint"]
    assert ("tuningJobMetadata" in job) == (version == "v1beta1")
    endpoint = service.call("GET", f"/{version}/{job['tunedModel']['endpoint']}")
    model = service.call("GET", f"/{version}/{job['tunedModel']['model']}")
    for deployed in (endpoint, model):
        assert deployed["displayName"] == "mask"
        assert deployed["labels"].items() >= {"team": "a", "tunekit_token": "x-1"}.items()
    asked = {"contents": {"role": "user", "parts": [{"text": "Where is #4321?"}]}}
    answer = service.call("POST", f"/{version}/{endpoint['name']}:generateContent", asked)
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "Where is [ORDER]?"}]
    assert answer["candidates"][0]["finishReason"] == "STOP"


def test_detail_states_come_in_order_and_only_in_v1beta1(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100)
    name = service.create(hyperParameters={"epochCount": "4"})["name"]
    seen: list[str] = []
    while True:
        assert "tuningJobState" not in service.call("GET", f"/v1/{name}")
        job = service.call("GET", f"/v1beta1/{name}")
        detail = job.get("tuningJobState", "").removeprefix("TUNING_JOB_STATE_")
        if job["state"] == "JOB_STATE_SUCCEEDED":
            break
        if detail and detail not in seen:
            assert job["state"] == "JOB_STATE_RUNNING"
            assert "startTime" in job
            seen.append(detail)
        time.sleep(0.005)
    assert seen == [detail for detail in DETAILS if detail in seen]
    assert {"PROCESSING_DATASET", "TUNING", "POST_PROCESSING"} <= set(seen)
    assert job["tuningJobMetadata"]["completedEpochCount"] == "4"


def test_a_cancelled_job_says_so(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=2)
    name = service.create(hyperParameters={"epochCount": "50"})["name"]
    assert service.call("POST", f"/v1/{name}:cancel") == {}
    assert service.call("GET", f"/v1/{name}")["state"] == "JOB_STATE_CANCELLING"
    job = service.until(name, "CANCELLED", "SUCCEEDED")
    assert job["state"] == "JOB_STATE_CANCELLED"
    assert job["error"]["code"] == 1
    assert "endTime" in job
    assert "tunedModel" not in job
    refused = service.call("POST", f"/v1/{name}:cancel", {}, status=400)
    assert refused["error"]["status"] == "FAILED_PRECONDITION"


def test_lists_page_and_filter(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=1)
    uri = service.put_rows()
    names = [
        service.create(uri=uri, labels={"n": str(n), "odd": str(n % 2)})["name"] for n in range(5)
    ]
    path = f"/v1/{PLACE}/tuningJobs"
    first = service.call("GET", f"{path}?pageSize=2")
    # A job made between two pages shifts neither.
    service.create(uri=uri)
    second = service.call("GET", f"{path}?pageSize=2&pageToken={first['nextPageToken']}")
    third = service.call("GET", f"{path}?pageSize=2&pageToken={second['nextPageToken']}")
    assert "nextPageToken" not in third
    shown = [job["name"] for page in (first, second, third) for job in page["tuningJobs"]]
    assert shown == names[::-1]
    service.call("POST", f"/v1/{names[0]}:cancel")

    def found(text: str) -> list[str]:
        answer = service.call("GET", path, params={"filter": text})
        return [job["name"] for job in answer.get("tuningJobs", [])]

    assert found("labels.n=3") == [names[3]]
    assert found('labels.odd="1" AND labels.n!="1"') == [names[3]]
    assert found('labels.n:* AND NOT (labels.n="0" OR labels.n="4")') == names[3:0:-1]
    assert found('state="JOB_STATE_CANCELLING" OR state=JOB_STATE_CANCELLED') == [names[0]]
    assert found('state="JOB_STATE_SUCCEEDED"') == []
    assert (
        service.call("GET", f"/v1/{PLACE.replace('us-central1', 'europe-west4')}/tuningJobs") == {}
    )
    for bad in ("nonsense=1", "state=", "(state=x", '"', "state ~ 3"):
        refused = service.call("GET", path, params={"filter": bad}, status=400)
        assert violations(refused) == ["filter"]
    refused = service.call("GET", f"{path}?pageToken=xyz", status=400)
    assert violations(refused) == ["page_token"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"baseModel": None}, "tuning_job.base_model"),
        ({"baseModel": "gemini-0.1"}, "tuning_job.base_model"),
        ({"uri": "s3://b/x.jsonl"}, "tuning_job.training_dataset_uri"),
        ({"uri": "gs://tuning-data/x.csv"}, "tuning_job.training_dataset_uri"),
        ({"uri": "gs://tuning-data/missing.jsonl"}, "tuning_job.training_dataset_uri"),
        ({"supervisedTuningSpec": {}}, "tuning_spec"),
        ({"labels": {"Team": "a"}}, "tuning_job.labels"),
        ({"labels": {"team": "x" * 65}}, "tuning_job.labels"),
        ({"tunedModelDisplayName": "x" * 129}, "tuning_job.tuned_model_display_name"),
        ({"hyperParameters": {"epochCount": "-1"}}, "epoch_count"),
        ({"hyperParameters": {"epochCount": "many"}}, "epoch_count"),
        ({"hyperParameters": {"learningRateMultiplier": -1}}, "learning_rate_multiplier"),
        ({"hyperParameters": {"adapterSize": "BIG"}}, "hyper_parameters.adapter_size"),
        ({"hyperParameters": {"batchSize": "4"}}, "hyper_parameters.batch_size"),
        ({"reinforcementTuningSpec": {"evaluateInterval": 1}}, "tuning_spec"),
        ({"nonsense": 1}, "tuning_job"),
    ],
)
def test_a_bad_create_names_its_field(
    service: Service, changes: dict[str, Any], field: str
) -> None:
    refused = service.create(version="v1beta1", status=400, **changes)
    assert refused["error"]["status"] == "INVALID_ARGUMENT"
    assert violations(refused) == [field]
    assert service.state()["tuning_jobs"] == {}


def test_v1_lacks_fields_of_v1beta1(service: Service) -> None:
    refused = service.create(version="v1", status=400, hyperParameters={"batchSize": "4"})
    assert violations(refused) == ["tuning_job.supervised_tuning_spec.hyper_parameters"]
    assert "Cannot find field" in refused["error"]["message"]


def test_what_does_not_exist_is_a_404(service: Service) -> None:
    for path in ("tuningJobs/1", "models/1", "endpoints/1", "tensorboards/1",
                 "metadataStores/default/contexts/x", "metadataStores/other"):  # fmt: skip
        refused = service.call("GET", f"/v1/{PLACE}/{path}", status=404)
        assert refused["error"]["status"] == "NOT_FOUND"
    service.call("DELETE", f"/v1/{PLACE}/tuningJobs/1", status=404)
    service.call("GET", "/v1/nowhere", status=404)


def test_gemini_3_is_tuned_in_two_regions_and_served_in_multi_regions(service: Service) -> None:
    uri = service.put_rows()
    body = {
        "baseModel": "gemini-3.1-flash-lite",
        "supervisedTuningSpec": {"trainingDatasetUri": uri},
    }
    for region in ("us-east1", "global"):
        path = f"/v1/projects/p/locations/{region}/tuningJobs"
        service.call("POST", path, body, status=400)
    job = service.call("POST", "/v1/projects/p/locations/europe-west4/tuningJobs", body)
    job = service.until(job["name"], "SUCCEEDED")
    assert "/locations/eu/endpoints/" in job["tunedModel"]["endpoint"]
    elsewhere = job["tunedModel"]["endpoint"].replace("/eu/", "/europe-west4/")
    asked = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    service.call("POST", f"/v1/{elsewhere}:generateContent", asked, status=404)


def test_row_problems_appear_once_the_job_runs(service: Service) -> None:
    good = json.dumps(gemini_line("a", "b"))
    bad = good + "\nnot json\n" + json.dumps({"contents": [{"role": "user", "parts": []}]}) + "\n"
    job = service.tuned(uri=service.put_rows("bad.jsonl", text=bad))
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == 3
    assert "line 2: it is not JSON" in job["error"]["message"]
    assert "line 3: contents must have a user and a model turn" in job["error"]["message"]
    assert "startTime" in job


def test_the_rows_decide_which_model_trains(service: Service) -> None:
    lines = [json.dumps(gemini_line(*pair)) for pair in labelled(60)]
    job = service.tuned(uri=service.put_rows("labels.jsonl", text="\n".join(lines)))
    asked = {"contents": [{"parts": [{"text": "refund the payment of last week"}]}]}
    path = f"/v1/{job['tunedModel']['endpoint']}:generateContent"
    answer = service.call("POST", path, asked)
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == "billing"


def test_preferences_are_tuned_on_the_chosen_completion(service: Service) -> None:
    lines = []
    for prompt, response in pairs(60):
        completions = [
            {"score": score, "completion": {"role": "model", "parts": [{"text": text}]}}
            for score, text in ((0, "no"), (1, response))
        ]
        contents = gemini_line(prompt, "")["contents"][:1]
        lines.append(json.dumps({"contents": contents, "completions": completions}))
    spec = {"trainingDatasetUri": service.put_rows("pref.jsonl", text="\n".join(lines))}
    job = service.tuned(supervisedTuningSpec=None, preferenceOptimizationSpec=spec)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert "preferenceOptimizationDataStats" in job["tuningDataStats"]
    asked = {"contents": [{"parts": [{"text": "Where is #1111?"}]}]}
    path = f"/v1/{job['tunedModel']['endpoint']}:generateContent"
    answer = service.call("POST", path, asked)
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == "Where is [ORDER]?"


def test_open_models_take_a_batch_size(service: Service) -> None:
    lines = [json.dumps({"prompt": a, "completion": b}) for a, b in pairs(60)]
    job = service.tuned(
        version="v1beta1",
        baseModel="google/gemma-3-27b-it",
        outputUri="gs://tuning-data/out",
        uri=service.put_rows("open.jsonl", text="\n".join(lines)),
        hyperParameters={"epochCount": 2, "batchSize": 30, "learningRate": 0.0002},
    )
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["tuningJobMetadata"] == {"completedEpochCount": "2", "completedStepCount": "4"}
    seen_by_v1 = service.call("GET", f"/v1/{job['name']}")
    assert "batchSize" not in seen_by_v1["supervisedTuningSpec"]["hyperParameters"]


def test_a_stream_is_an_array_or_events(service: Service) -> None:
    endpoint = service.tuned()["tunedModel"]["endpoint"]
    asked = {"contents": [{"role": "user", "parts": [{"text": "Ana wants #1234 back"}]}]}
    path = f"/v1/{endpoint}:streamGenerateContent"
    chunks = service.call("POST", path, asked)
    events = service.http.post(f"{path}?alt=sse", json=asked)
    assert events.headers["content-type"].startswith("text/event-stream")
    streamed = [json.loads(line[6:]) for line in events.text.splitlines() if line]
    for answer in (chunks, streamed):
        texts = [c["candidates"][0]["content"]["parts"][0]["text"] for c in answer]
        assert len(texts) > 1
        assert "".join(texts) == "[NAME] wants [ORDER] back"
        assert answer[-1]["candidates"][0]["finishReason"] == "STOP"


def test_generation_settings_count(service: Service) -> None:
    endpoint = service.tuned()["tunedModel"]["endpoint"]
    asked: dict[str, Any] = {"contents": [{"parts": [{"text": "Ana wants #1234 back"}]}]}
    path = f"/v1/{endpoint}:generateContent"
    asked["generationConfig"] = {"temperature": 2.0, "topK": 40.0, "candidateCount": 4, "seed": 3}
    several = service.call("POST", path, asked)
    assert len(several["candidates"]) == 4
    assert service.call("POST", path, asked)["candidates"] == several["candidates"]
    asked["generation_config"] = asked.pop("generationConfig") | {"top_p": 7}
    assert violations(service.call("POST", path, asked, status=400)) == ["generation_config"]
    assert violations(service.call("POST", path, {}, status=400)) == ["contents"]


def test_clean_up_undeploys_first(service: Service) -> None:
    job = service.tuned(hyperParameters={"epochCount": "1"})
    endpoint, model = job["tunedModel"]["endpoint"], job["tunedModel"]["model"].partition("@")[0]
    refused = service.call("DELETE", f"/v1/{model}", status=400)
    assert refused["error"]["status"] == "FAILED_PRECONDITION"
    service.call("DELETE", f"/v1/{endpoint}", status=400)
    deployed = service.call("GET", f"/v1/{endpoint}")["deployedModels"][0]["id"]
    path = f"/v1/{endpoint}:undeployModel"
    operation = service.call("POST", path, {"deployedModelId": deployed})
    assert service.call("GET", f"/v1/{operation['name']}")["done"]
    asked = {"contents": [{"parts": [{"text": "x"}]}]}
    service.call("POST", f"/v1/{endpoint}:generateContent", asked, status=400)
    for name in (endpoint, model):
        operation = service.call("DELETE", f"/v1/{name}")
        assert operation["done"]
        service.call("GET", f"/v1/{name}", status=404)
    state = service.state()
    assert state["models"] == state["endpoints"] == []


def test_models_and_endpoints_are_listed_by_label(service: Service) -> None:
    service.tuned(labels={"team": "a"}, hyperParameters={"epochCount": "1"})
    service.tuned(labels={"team": "b"}, hyperParameters={"epochCount": "3"})
    found = service.call("GET", f"/v1/{PLACE}/models", params={"filter": "labels.team=b"})
    (model,) = found["models"]
    assert model["defaultCheckpointId"] == "3"
    versions = service.call("GET", f"/v1/{model['name']}:listVersions")
    assert versions["models"][0]["versionId"] == "1"
    everything = service.call("GET", f"/v1/{PLACE}/models?filter=labels.tune-type:*&pageSize=1")
    assert everything["nextPageToken"]
    served = "/v1/projects/p/locations/us/endpoints"
    assert len(service.call("GET", served)["endpoints"]) == 4
    path = f"/v1/{model['name']}?updateMask=defaultCheckpointId"
    changed = service.call("PATCH", path, {"defaultCheckpointId": "2"})
    assert changed["defaultCheckpointId"] == "2"
    service.call("PATCH", path, {"defaultCheckpointId": "9"}, status=400)


def test_a_tuned_model_can_be_tuned_again(service: Service) -> None:
    first = service.tuned()
    again = service.tuned(baseModel=None, preTunedModel={
        "tuned_model_name": first["tunedModel"]["model"], "checkpointId": "1"})  # fmt: skip
    assert again["state"] == "JOB_STATE_SUCCEEDED"
    missing = {"tunedModelName": f"{PLACE}/models/1@1"}
    service.create(baseModel=None, preTunedModel=missing, status=404)


def test_data_that_fit_no_model_well_still_tune(service: Service) -> None:
    words = ["sun", "moon", "rain", "wind", "snow", "fog"]
    rows = [(f"{a} {b}", f"le {b[::-1]} et {a[::-1]}") for a in words for b in words]
    lines = [json.dumps(gemini_line(*row)) for row in rows]
    job = service.tuned(uri=service.put_rows("free.jsonl", text="\n".join(lines)))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    asked = {"contents": [{"parts": [{"text": "sun rain"}]}]}
    path = f"/v1/{job['tunedModel']['endpoint']}:generateContent"
    assert service.call("POST", path, asked)["candidates"]


def test_base_models_repeat_the_prompt(service: Service) -> None:
    asked = {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}
    models = f"/v1/{PLACE}/publishers/google/models"
    answer = service.call("POST", f"{models}/gemini-3.5-flash:generateContent", asked)
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == "hello there"
    service.call("POST", f"{models}/gemini-0:generateContent", asked, status=404)


def test_only_the_last_checkpoint_is_exported_where_asked(service: Service) -> None:
    spec = {
        "trainingDatasetUri": service.put_rows(),
        "exportLastCheckpointOnly": True,
        "hyperParameters": {"epochCount": 3},
    }
    job = service.tuned(supervisedTuningSpec=spec)
    assert [c["epoch"] for c in job["tunedModel"]["checkpoints"]] == ["3"]


def test_too_many_validation_rows_fail_the_job(service: Service) -> None:
    spec = {
        "trainingDatasetUri": service.put_rows(count=60),
        "validationDatasetUri": service.put_rows("validation.jsonl", 1001),
    }
    job = service.tuned(supervisedTuningSpec=spec)
    assert job["state"] == "JOB_STATE_FAILED"
    assert "30%" in job["error"]["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["a"]},
        {"labels": "a"},
        {"preTunedModel": "m", "baseModel": None},
        {"supervisedTuningSpec": []},
        {"supervisedTuningSpec": "gs://x"},
        {"supervisedTuningSpec": {"hyperParameters": 3}},
        {"hyperParameters": {"epochCount": {}}},
        {"hyperParameters": {"epochCount": True}},
        {"hyperParameters": {"learningRateMultiplier": "x"}},
        {"baseModel": 7},
        {"uri": 7},
    ],
)
def test_a_field_of_another_type_is_a_400(service: Service, changes: dict[str, Any]) -> None:
    service.create(status=400, **changes)
    assert service.state()["tuning_jobs"] == {}


def test_what_is_no_json_is_a_400(service: Service) -> None:
    for content in (b"{", b"[]", b"\xff"):
        answer = service.http.post(f"/v1/{PLACE}/tuningJobs", content=content)
        assert answer.status_code == 400
        assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
