"""What a client asks before it spends anything: models, permissions, operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.emulator.service import BUCKET, PLACE, Service, pairs

MODELS = "publishers/google/models"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_published_model_is_found_or_not(service: Service, version: str) -> None:
    found = service.call("GET", f"/{version}/{MODELS}/gemini-3.5-flash")
    assert found["name"] == f"{MODELS}/gemini-3.5-flash"
    numbers = service.call(
        "GET", f"/{version}/{MODELS}/gemini-3.5-flash?$alt=json;enum-encoding=int"
    )
    assert numbers["launchStage"] == 4
    service.call("GET", f"/{version}/{MODELS}/gemini-0", status=404)


def test_published_models_are_listed_in_pages_in_v1beta1(service: Service) -> None:
    first = service.call("GET", f"/v1beta1/{MODELS}?pageSize=3")
    path = f"/v1beta1/{MODELS}?pageSize=3&pageToken={first['nextPageToken']}"
    rest = service.call("GET", path)
    names = [model["name"] for page in (first, rest) for model in page["publisherModels"]]
    assert names == sorted(names)
    assert f"{MODELS}/gemini-3.5-flash" in names
    assert "nextPageToken" not in rest
    service.call("GET", f"/v1/{MODELS}", status=404)


def test_a_bucket_says_which_permissions_are_held(serve: Callable[..., Service]) -> None:
    service = serve(denied_permissions=["storage.objects.create"])
    service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
    path = f"/storage/v1/b/{BUCKET}/iam/testPermissions"
    asked = [("permissions", f"storage.objects.{verb}") for verb in ("create", "get")]
    assert service.call("GET", path, params=asked)["permissions"] == ["storage.objects.get"]
    none = service.call("GET", path, params=asked[:1])
    assert none == {"kind": "storage#testIamPermissionsResponse"}
    service.call("GET", path, status=400)
    service.call("GET", path.replace(BUCKET, "others"), params=asked, status=404)


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("storage.objects.create", "POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media"),
        ("storage.objects.get", "GET", f"/storage/v1/b/{BUCKET}/o/train.jsonl"),
        ("storage.objects.get", "GET", f"/download/storage/v1/b/{BUCKET}/o/train.jsonl"),
        ("storage.objects.list", "GET", f"/storage/v1/b/{BUCKET}/o"),
        ("storage.objects.delete", "DELETE", f"/storage/v1/b/{BUCKET}/o/train.jsonl"),
        ("storage.buckets.get", "GET", f"/storage/v1/b/{BUCKET}"),
        ("storage.buckets.create", "POST", "/storage/v1/b?project=p"),
        ("storage.buckets.list", "GET", "/storage/v1/b?project=p"),
        ("aiplatform.tuningJobs.create", "POST", f"/v1/{PLACE}/tuningJobs"),
        ("aiplatform.tuningJobs.list", "GET", f"/v1beta1/{PLACE}/tuningJobs"),
        ("aiplatform.tuningJobs.get", "GET", f"/v1/{PLACE}/tuningJobs/1"),
        ("aiplatform.tuningJobs.cancel", "POST", f"/v1/{PLACE}/tuningJobs/1:cancel"),
        ("aiplatform.models.delete", "DELETE", f"/v1/{PLACE}/models/1"),
        ("aiplatform.endpoints.predict", "POST", f"/v1/{PLACE}/endpoints/1:generateContent"),
        ("aiplatform.endpoints.predict", "POST", f"/v1/{PLACE}/{MODELS}/gemini-0:countTokens"),
        ("aiplatform.contexts.list", "GET", f"/v1/{PLACE}/metadataStores/default/contexts"),
    ],
)
def test_a_denied_permission_is_forbidden(
    service: Service, permission: str, method: str, path: str
) -> None:
    service.put_rows()
    service.set_faults(denied_permissions=["aiplatform.nonsense"])
    before = service.http.request(method, path, json={} if method == "POST" else None)
    assert before.status_code != 403
    service.set_faults(denied_permissions=[permission])
    refused = service.call(method, path, {} if method == "POST" else None, status=403)
    assert permission in str(refused["error"])


def test_the_operations_of_a_tuned_model_are_listed(service: Service) -> None:
    rows = [{"textInput": a, "output": b} for a, b in pairs(20)]
    task = {"trainingData": {"examples": {"examples": rows}}}
    body = {"baseModel": "models/gemini-1.5-flash-001-tuning", "tuningTask": task}
    operation = service.call("POST", "/v1beta/tunedModels?tunedModelId=m", body)
    listed = service.call("GET", "/v1beta/tunedModels/m/operations")["operations"]
    assert [found["name"] for found in listed] == [operation["name"]]
    service.call("GET", "/v1beta/tunedModels/no/operations", status=404)
