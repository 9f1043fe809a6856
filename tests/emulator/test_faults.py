"""Each fault switch does what it says, on flags' values and on the admin path."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.emulator.service import PLACE, Service, httpx

JOBS = f"/v1/{PLACE}/tuningJobs"


def body(uri: str) -> dict[str, object]:
    return {"baseModel": "gemini-3.5-flash", "supervisedTuningSpec": {"trainingDatasetUri": uri}}


def test_a_dropped_create_took_effect(service: Service) -> None:
    uri = service.put_rows()
    service.set_faults(drop_after_accept=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        service.http.post(JOBS, json=body(uri))
    (job,) = service.call("GET", JOBS)["tuningJobs"]
    with pytest.raises(httpx.RemoteProtocolError):
        service.http.post(f"/v1/{job['name']}:cancel")
    assert service.until(job["name"], "CANCELLED", "SUCCEEDED")


def test_429_says_when_to_come_back_and_does_nothing(service: Service) -> None:
    uri = service.put_rows()
    service.set_faults(error_429=1.0, retry_after_s=3)
    answer = service.http.post(JOBS, json=body(uri))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    error = answer.json()["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert error["details"][0]["retryDelay"] == "3s"
    assert service.state()["tuning_jobs"] == {}


def test_503_does_nothing(service: Service) -> None:
    uri = service.put_rows()
    service.set_faults(error_503=1.0)
    answer = service.call("POST", JOBS, body(uri), status=503)
    assert answer["error"]["status"] == "UNAVAILABLE"
    assert service.state()["tuning_jobs"] == {}


def test_a_truncated_answer_ends_in_the_middle(service: Service) -> None:
    service.create()
    service.set_faults(truncate=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        service.http.get(JOBS)
    service.set_faults(truncate=0.0)
    assert len(service.call("GET", JOBS)["tuningJobs"]) == 1


def test_delay_holds_answers_back(serve: Callable[..., Service]) -> None:
    service = serve(delay_s=0.3)
    began = time.monotonic()
    service.call("GET", JOBS)
    assert 0.3 <= time.monotonic() - began < 2


def test_what_is_new_is_missing_from_lists(serve: Callable[..., Service]) -> None:
    service = serve(list_lag_s=60)
    name = service.create()["name"]
    assert service.call("GET", JOBS) == {}
    assert service.call("GET", f"/v1/{name}")["name"] == name
    service.set_faults(list_lag_s=0.001)
    assert [job["name"] for job in service.call("GET", JOBS)["tuningJobs"]] == [name]


def test_the_quota_counts_jobs_of_all_regions_that_have_not_ended(
    serve: Callable[..., Service],
) -> None:
    service = serve(max_concurrent=1, time_scale=10)
    uri = service.put_rows()
    name = service.create(uri=uri)["name"]
    elsewhere = JOBS.replace("us-central1", "europe-west4")
    refused = service.call("POST", elsewhere, body(uri), status=429)
    assert refused["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "global_concurrent_tuning_jobs" in json.dumps(refused)
    other = JOBS.replace("projects/p/", "projects/other/")
    service.call("POST", other, body(uri))
    service.call("POST", f"/v1/{name}:cancel")
    service.until(name, "CANCELLED")
    service.call("POST", elsewhere, body(uri))


def test_a_denied_project_is_forbidden(serve: Callable[..., Service]) -> None:
    service = serve(denied_projects=["p"])
    refused = service.call("GET", JOBS, status=403)
    assert refused["error"]["status"] == "PERMISSION_DENIED"
    assert refused["error"]["details"][0]["reason"] == "IAM_PERMISSION_DENIED"
    service.call("GET", JOBS.replace("projects/p/", "projects/other/"))


def test_a_call_without_a_credential_is_refused_where_asked(
    serve: Callable[..., Service],
) -> None:
    service = serve(require_auth=True)
    refused = service.call("GET", JOBS, status=401)
    assert refused["error"]["status"] == "UNAUTHENTICATED"
    service.call("GET", JOBS, headers={"authorization": "Bearer x"})
    service.call("GET", "/v1beta/tunedModels", headers={"x-goog-api-key": "x"})


def test_a_seed_repeats_the_faults(serve: Callable[..., Service]) -> None:
    def statuses(seed: int) -> list[int]:
        service = serve(seed=seed, error_503=0.3, error_429=0.2)
        return [service.http.get(JOBS).status_code for _ in range(40)]

    first = statuses(1)
    assert {200, 429, 503} == set(first)
    assert statuses(1) == first
    assert statuses(2) != first


def test_the_admin_path_sets_shows_and_forgets(serve: Callable[..., Service]) -> None:
    service = serve(delay_s=0.01, time_scale=1)
    service.call("GET", "/v1beta/tunedModels?key=secret&pageSize=3")
    service.create(uri=service.put_rows(), hyperParameters={"epochCount": "50"})
    service.set_faults(error_503=0.0, list_lag_s=2)
    faults = service.call("GET", "/_emulator/faults")
    assert (faults["delay_s"], faults["list_lag_s"]) == (0.01, 2)
    log = service.call("GET", "/_emulator/log")["requests"]
    assert [entry["method"] for entry in log][-1] == "POST"
    assert log[-1]["path"] == JOBS
    assert "contents" not in json.dumps(log)
    assert log[0]["query"] == "key=...&pageSize=3"
    assert len(service.state()["tuning_jobs"]) == 1
    assert service.call("POST", "/_emulator/reset") == {}
    state = service.state()
    assert state["tuning_jobs"] == state["objects"] == {}
    assert state["faults"]["list_lag_s"] == 0
    assert state["faults"]["delay_s"] == 0.01
    for bad in ({"nonsense": 1}, {"error_503": "often"}, {"require_auth": 1}):
        service.call("PUT", "/_emulator/faults", bad, status=400)


def test_no_switch_touches_the_admin_path(serve: Callable[..., Service]) -> None:
    service = serve(error_503=1.0, truncate=1.0)
    assert service.state()["requests"] == 0


def endings(service: Service, count: int, **request: object) -> list[str]:
    """Return how each of many calls ended: a status, or the name of the trouble."""
    found = []
    for _ in range(count):
        try:
            found.append(str(service.http.request(**request).status_code))  # type: ignore[arg-type]
        except httpx.RemoteProtocolError as error:
            is_begun = "complete message body" in str(error)
            found.append("half" if is_begun else "dropped")
    return found


def test_one_rate_mixes_all_trouble_the_same_for_a_seed(serve: Callable[..., Service]) -> None:
    get = {"method": "GET", "url": JOBS}
    first = endings(serve(seed=3, fail_rate=0.4), 150, **get)
    assert set(first) == {"200", "429", "503", "half", "dropped"}
    assert 0.3 < 1 - first.count("200") / 150 < 0.5
    assert endings(serve(seed=3, fail_rate=0.4), 150, **get) == first
    assert endings(serve(seed=4, fail_rate=0.4), 150, **get) != first
    assert set(endings(serve(seed=3), 20, **get)) == {"200"}


def test_a_dropped_call_of_the_mix_took_effect_or_not(serve: Callable[..., Service]) -> None:
    service = serve(seed=1)
    service.put_rows()
    uri = service.put_rows()
    service.set_faults(fail_rate=1.0)
    post = {"method": "POST", "url": JOBS, "json": body(uri)}
    found = endings(service, 60, **post)
    assert set(found) == {"429", "503", "half", "dropped"}
    accepted = len(service.state()["tuning_jobs"])
    # Half an answer always followed an effect; no answer at all followed one or not.
    assert found.count("half") < accepted < found.count("half") + found.count("dropped")
