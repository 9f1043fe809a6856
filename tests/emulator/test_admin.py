"""What only the admin path makes happen: states that no data lead to, and states of the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.service import PLACE, Service, pairs

JOBS = f"/v1/{PLACE}/tuningJobs"
NO_ENDPOINT = {"code": 13, "message": "The endpoint could not be created."}


def hold(service: Service, name: str, **fields: Any) -> Any:
    return service.call("PUT", f"/_emulator/jobs/{name.rpartition('/')[2]}", fields)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("state", ["EXPIRED", "PARTIALLY_SUCCEEDED"])
def test_a_job_ends_in_a_state_that_no_data_lead_to(
    service: Service, state: str, version: str
) -> None:
    done = service.tuned()
    hold(service, done["name"], state=f"JOB_STATE_{state}")
    job = service.call("GET", f"/{version}/{done['name']}")
    assert job["state"] == f"JOB_STATE_{state}"
    assert job["tunedModel"] == done["tunedModel"]
    assert "endTime" in job
    refused = service.call("POST", f"/{version}/{done['name']}:cancel", status=400)
    assert refused["error"]["status"] == "FAILED_PRECONDITION"
    listed = service.call("GET", JOBS, params={"filter": f"state=JOB_STATE_{state}"})
    assert [found["name"] for found in listed["tuningJobs"]] == [done["name"]]


def test_a_job_fails_with_a_model_but_without_an_endpoint(service: Service) -> None:
    done = service.tuned()
    model = {"model": done["tunedModel"]["model"]}
    hold(service, done["name"], state="JOB_STATE_FAILED", tunedModel=model, error=NO_ENDPOINT)
    job = service.call("GET", f"/v1/{done['name']}")
    assert (job["state"], job["tunedModel"], job["error"]) == (
        "JOB_STATE_FAILED",
        model,
        NO_ENDPOINT,
    )


def test_a_running_job_stops_where_it_is_held(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100)
    name = service.create(hyperParameters={"epochCount": "500"})["name"]
    service.until(name, "RUNNING")
    hold(service, name, state="JOB_STATE_EXPIRED", error=None)
    ended = service.call("GET", f"/v1beta1/{name}")
    assert "endTime" in ended
    assert "tuningJobState" not in ended
    service.emulator.world.jobs[name].run.thread.join(timeout=10)
    assert service.call("GET", f"/v1beta1/{name}") == ended
    run = next(c for c in service.emulator.world.contexts.values() if "parentContexts" in c)
    assert run["metadata"]["_state"] == "EXPIRED"


def test_a_state_of_the_future_stays_until_it_is_cancelled(service: Service) -> None:
    new = "JOB_STATE_SOMETHING_NEW"
    service.watched.tolerated.add(new)
    name = service.create(hyperParameters={"epochCount": "500"})["name"]
    hold(service, name, state=new)
    assert service.call("GET", f"/v1/{name}")["state"] == new
    (listed,) = service.call("GET", JOBS)["tuningJobs"]
    assert (listed["state"], "endTime" in listed) == (new, False)
    numbers = service.call("GET", f"/v1/{name}?$alt=json;enum-encoding=int")
    assert numbers["state"] == 99
    service.call("POST", f"/v1/{name}:cancel")
    assert service.call("GET", f"/v1/{name}")["state"] == "JOB_STATE_CANCELLED"


def test_the_check_of_answers_tolerates_only_what_it_was_told(service: Service) -> None:
    name = service.create()["name"]
    hold(service, name, state="JOB_STATE_ODD")
    service.call("GET", f"/v1/{name}")
    (fault,) = service.watched.faults
    assert "'JOB_STATE_ODD' is not one of" in fault
    service.watched.faults.clear()


def test_a_job_held_without_a_state_goes_on(service: Service) -> None:
    name = service.create()["name"]
    hold(service, name, description="new")
    assert service.until(name, "SUCCEEDED")["description"] == "new"


def test_a_tuned_model_fails_with_its_operation(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=1)
    rows = [{"textInput": a, "output": b} for a, b in pairs(20)]
    task = {"trainingData": {"examples": {"examples": rows}}}
    body = {"baseModel": "models/gemini-1.5-flash-001-tuning", "tuningTask": task}
    operation = service.call("POST", "/v1beta/tunedModels?tunedModelId=m", body)
    error = {"code": 13, "message": "no capacity"}
    service.call("PUT", "/_emulator/tunedModels/m", {"state": "FAILED", "error": error})
    assert service.call("GET", "/v1beta/tunedModels/m")["state"] == "FAILED"
    ended = service.call("GET", f"/v1beta/{operation['name']}")
    assert (ended["done"], ended["error"]) == (True, error)
    asked = {"contents": [{"parts": [{"text": "x"}]}]}
    service.call("POST", "/v1beta/tunedModels/m:generateContent", asked, status=400)
    # Stopped before it had learned anything, it can't answer whatever it is said to be.
    service.call("PUT", "/_emulator/tunedModels/m", {"state": "ACTIVE", "error": None})
    assert service.call("GET", f"/v1beta/{operation['name']}")["response"]
    service.emulator.world.tuned_models["tunedModels/m"].run.thread.join(timeout=10)
    service.call("POST", "/v1beta/tunedModels/m:generateContent", asked, status=400)


def test_what_can_not_be_held_is_refused(service: Service) -> None:
    name = service.create()["name"].rpartition("/")[2]
    service.call("PUT", "/_emulator/jobs/1", {"state": "JOB_STATE_EXPIRED"}, status=404)
    service.call("PUT", "/_emulator/tunedModels/no", {"state": "FAILED"}, status=404)
    service.call("PUT", f"/_emulator/jobs/{name}", {"state": 3}, status=400)
    service.call("PUT", f"/_emulator/jobs/{name}", {"name": "x"}, status=400)
