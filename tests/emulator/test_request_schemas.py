"""The checks of every request can fail, and Google's own clients pass them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("googleapiclient", reason="needs google-api-python-client (extra dev)")

from tests.emulator.request_schemas import find_request_faults

if TYPE_CHECKING:
    from tests.emulator.service import Service

JOBS = "/v1beta1/projects/p/locations/us-central1/tuningJobs"
MODELS = "/v1beta/tunedModels"
UPLOAD = "/upload/storage/v1/b/b/o"
NUMBERS = "%24alt=json%3Benum-encoding%3Dint"


def faults(
    body: Any = None,
    *,
    method: str = "POST",
    path: str = JOBS,
    query: str = "",
    kind: str = "application/json; charset=utf-8",
) -> list[str]:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": kind, "user-agent": "ours/1"}
    return find_request_faults(method=method, path=path, query=query, headers=headers, body=raw)


def job(**changes: Any) -> dict[str, Any]:
    hyper = {"epochCount": "2", "adapterSize": "ADAPTER_SIZE_FOUR", "learningRateMultiplier": 1.5}
    spec = {"trainingDatasetUri": "gs://b/x.jsonl", "hyperParameters": {**hyper}}
    spec["hyperParameters"] |= changes.pop("hyper", {})
    return {"baseModel": "gemini-3.5-flash", "supervisedTuningSpec": spec, **changes}


def tuned(**changes: Any) -> dict[str, Any]:
    rows = {"examples": {"examples": [{"textInput": "a", "output": "b"}]}}
    task = {"trainingData": rows, "hyperparameters": {"epochCount": 2}}
    return {"baseModel": "models/x", "tuningTask": {**task, **changes.pop("task", {})}, **changes}


def test_what_is_documented_passes() -> None:
    assert faults(job(labels={"any_key": "x"})) == []
    assert faults(job(hyper={"epochCount": 2})) == []
    assert faults(job(hyper={"adapterSize": 2}), query=NUMBERS) == []
    assert faults(method="GET", query="pageSize=10&filter=x&key=k&%24alt=json") == []
    assert faults(path=f"{JOBS}/1:cancel") == []
    assert faults({}, path=f"{JOBS}/1:cancel") == []
    assert faults(tuned(), path=MODELS, query="tunedModelId=m") == []
    assert faults({"displayName": "m"}, method="PATCH", path=f"{MODELS}/m",
                  query="updateMask=displayName") == []  # fmt: skip
    asked = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    assert faults(asked, path=f"{MODELS}/m:streamGenerateContent", query="alt=sse") == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (job(nonsense=1), "nonsense"),
        (job(tuned_model_display_name="x"), "tuned_model_display_name"),
        (job(hyper={"epochs": 1}), "epochs"),
        (job(hyper={"adapterSize": "FOUR"}), "FOUR"),
        (job(hyper={"adapterSize": 2}), "ADAPTER_SIZE_FOUR"),
        (job(hyper={"epochCount": "two"}), "two"),
        (job(hyper={"epochCount": 2.5}), "2.5"),
        (job(hyper={"learningRateMultiplier": "1"}), "number"),
        (job(labels={"a": 1}), "string"),
        (job(state="JOB_STATE_RUNNING"), "state"),
        (job(description=None), "None"),
        (job(supervisedTuningSpec={}), "trainingDatasetUri"),
        (b"{", "not JSON"),
        (b"[]", "object"),
    ],
)
def test_a_body_that_is_not_as_documented_is_found(body: Any, word: str) -> None:
    (fault,) = faults(body)
    assert fault.startswith(f"POST {JOBS} by ours/1: ")
    assert word in fault


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("page_size=3", "page_size"),
        ("pageSize=few", "few"),
        ("requestId=1", "requestId"),
        ("pageSize=1&pageSize=2", "twice"),
        ("prettyPrint=no", "prettyPrint"),
        ("alt=xml", "alt"),
    ],
)
def test_a_query_that_is_not_documented_is_found(query: str, word: str) -> None:
    (fault,) = faults(method="GET", query=query)
    assert word in fault


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{JOBS}/1"),
        ("GET", f"{JOBS}/1:cancel"),
        ("GET", "/v1/nowhere"),
        ("GET", "/v1beta/tunedModels/m/nowhere"),
        ("GET", "/storage/v1/nowhere"),
        ("GET", "//v1/projects"),
        # A method of v1beta1 alone.
        ("POST", f"{JOBS.replace('v1beta1', 'v1')}:optimizePrompt"),
    ],
)
def test_a_method_that_no_document_has_is_found(method: str, path: str) -> None:
    (fault,) = faults(method=method, path=path)
    assert "no such method" in fault or "no document" in fault


def test_v1_has_not_what_only_v1beta1_has() -> None:
    path = JOBS.replace("v1beta1", "v1")
    assert faults(job(outputUri="gs://b/o")) == []
    assert faults(job(outputUri="gs://b/o"), path=path)
    assert faults(job(hyper={"batchSize": "4"})) == []
    assert faults(job(hyper={"batchSize": "4"}), path=path)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (tuned(nonsense=1), "nonsense"),
        (tuned(display_name="x"), "display_name"),
        (tuned(task={"training_data": {}}), "training_data"),
        (tuned(task={"hyperparameters": {"epochs": 1}}), "epochs"),
        (tuned(task={"hyperparameters": {"epochCount": "two"}}), "two"),
        (tuned(state=2), "enum-encoding"),
        (tuned(state="ODD"), "ODD"),
    ],
)
def test_a_gemini_body_that_is_not_as_documented_is_found(body: Any, word: str) -> None:
    found = faults(body, path=MODELS)
    assert word in found[0]


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", MODELS, "tuned_model_id=m"),
        ("GET", MODELS, "pageSize=few"),
        ("GET", f"{MODELS}/m", "view=full"),
        ("POST", f"{MODELS}/m:generateContent", "contents=x"),
    ],
)
def test_a_gemini_query_that_is_not_documented_is_found(method: str, path: str, query: str) -> None:
    assert len(faults(method=method, path=path, query=query)) == 1


def test_a_body_must_belong_and_say_what_it_is() -> None:
    assert "none belongs" in faults({}, method="GET")[0]
    assert "none belongs" in faults({}, method="GET", path=MODELS)[0]
    assert "text/plain" in faults(job(), kind="text/plain")[0]


def multipart(about: Any, *, kind: str = "application/json") -> bytes:
    head = f"--x\r\ncontent-type: {kind}\r\n\r\n{json.dumps(about)}\r\n--x\r\n"
    return head.encode() + b"content-type: a/b\r\n\r\nrows\r\n--x--"


def test_what_an_upload_says_of_its_object_is_checked() -> None:
    related = "multipart/related; boundary=x"
    query = "uploadType=multipart&ifGenerationMatch=0"
    right = {"name": "a", "metadata": {"any_key": "x"}}
    assert faults(multipart(right), path=UPLOAD, query=query, kind=related) == []
    for body, kind in (
        (multipart({"nonsense": 1}), related),
        (multipart(right, kind="text/plain"), related),
        (b"rows", related),
        (multipart(right), "multipart/mixed"),
    ):
        assert len(faults(body, path=UPLOAD, query=query, kind=kind)) == 1
    assert faults(right, path=UPLOAD, query="uploadType=resumable") == []
    assert faults({"nonsense": 1}, path=UPLOAD, query="uploadType=resumable")
    assert faults(b"rows", path=UPLOAD, query="uploadType=media&name=a", kind="a/b") == []
    assert faults(b"rows", path=UPLOAD, query="uploadType=media&ifGeneration=0", kind="a/b")
    assert faults(b"rows", path=UPLOAD, query="uploadType=chunked", kind="a/b")


def test_requests_are_kept_also_where_a_fault_refuses_them(service: Service) -> None:
    service.set_faults(error_503=1.0)
    service.call("GET", f"{JOBS}?page_size=1", status=503)
    (fault,) = service.watched.request_faults
    assert "page_size" in fault


def test_a_request_keeps_its_body_behind_the_check(serve: Callable[..., Service]) -> None:
    service = serve(checks_requests=True)
    assert service.create(version="v1beta1")["baseModel"] == "gemini-3.5-flash"
    assert service.watched.requests == service.watched.answers > 2


def test_the_end_of_a_test_fails_only_where_requests_are_to_be_checked(service: Service) -> None:
    service.call("GET", f"{JOBS}?page_size=1")
    service.require_documented()
    service.checks_requests = True
    with pytest.raises(AssertionError, match="page_size"):
        service.require_documented()
    service.checks_requests = False
