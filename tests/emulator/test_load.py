"""Many jobs at once: the emulator keeps answering, and ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.emulator.service import PLACE, Service


def test_training_does_not_hold_up_answers(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100_000)
    uri = service.put_rows(count=400)
    names = [service.create(uri=uri, hyperParameters={"epochCount": 200})["name"] for _ in range(4)]
    for name in names:
        service.until(name, "RUNNING")
    waits = []
    for _ in range(20):
        began = time.monotonic()
        service.call("GET", f"/v1/{PLACE}/tuningJobs")
        waits.append(time.monotonic() - began)
    assert sorted(waits)[10] < 0.5
    steps = [service.call("GET", f"/v1beta1/{name}").get("tuningJobMetadata") for name in names]
    assert any(steps)


def test_fifty_jobs_end_and_one_list_shows_them(service: Service) -> None:
    uri = service.put_rows(count=20)
    names = {service.create(uri=uri, hyperParameters={"epochCount": 1})["name"] for _ in range(50)}
    for name in names:
        service.until(name, "SUCCEEDED", seconds=60)
    listed = service.call("GET", f"/v1beta1/{PLACE}/tuningJobs?pageSize=100")["tuningJobs"]
    assert {job["name"] for job in listed} == names
    assert {job["state"] for job in listed} == {"JOB_STATE_SUCCEEDED"}
    endpoints = [job["tunedModel"]["endpoint"] for job in listed]
    assert len(set(endpoints)) == 50


def test_closing_stops_what_runs(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=1)
    uri = service.put_rows()
    for _ in range(10):
        service.create(uri=uri)
    began = time.monotonic()
    service.emulator.__exit__(None, None, None)
    assert time.monotonic() - began < 5
    assert not service.emulator.world.folder.exists()


def test_an_endless_job_leaves_others_their_turn(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100_000)
    uri = service.put_rows(count=200)
    endless = [
        service.create(uri=uri, hyperParameters={"epochCount": 100_000})["name"] for _ in range(2)
    ]
    for name in endless:
        service.until(name, "RUNNING")
    service.tuned(uri=uri, hyperParameters={"epochCount": 1})

    def steps() -> list[int]:
        jobs = [service.call("GET", f"/v1beta1/{name}") for name in endless]
        return [int(job["tuningJobMetadata"]["completedStepCount"]) for job in jobs]

    before = steps()
    end = time.monotonic() + 30
    while not all(now > then for now, then in zip(steps(), before, strict=True)):
        assert time.monotonic() < end, (before, steps())
        time.sleep(0.05)
    for name in endless:
        service.call("POST", f"/v1/{name}:cancel")
    for name in endless:
        service.until(name, "CANCELLED")
