"""Trouble on the wire: the right error, in clear words, and never a second job."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.emulator.service import Service
from tests.providers.support import (
    JOB,
    TOKEN,
    Asked,
    Reply,
    answering,
    job_spec,
    open_vertex,
    prepared,
)
from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError, TunekitError, Unavailable
from tunekit.model import Generation, JobSpec, JobState
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex.provider import VertexProvider
from tunekit.providers.vertex.storage import HOST, Store

NONE = Generation()


def ready(service: Service) -> JobSpec:
    """A job whose data is there already, so that a submit is one request."""
    return job_spec(prepared(60, uris={"train": service.put_rows()}))


def jobs_at(service: Service) -> list[Any]:
    service.set_faults(error_503=0, error_429=0, truncate=0, delay_s=0, drop_after_accept=0)
    service.set_faults(list_lag_s=0, require_auth=False, denied_projects=[])
    path = "/v1beta1/projects/p/locations/us-central1/tuningJobs"
    return list(service.call("GET", path).get("tuningJobs", []))


def test_a_dropped_submit_is_ambiguous_and_found_once(
    vertex: VertexProvider, service: Service
) -> None:
    job = ready(service)
    service.set_faults(drop_after_accept=1)
    with pytest.raises(AmbiguousSubmit, match="broke off"):
        vertex.submit(job, TOKEN)
    assert len(jobs_at(service)) == 1
    found = vertex.find(TOKEN)
    assert found
    assert found.name == jobs_at(service)[0]["name"]


def test_a_truncated_submit_is_ambiguous_and_found_once(
    vertex: VertexProvider, service: Service
) -> None:
    job = ready(service)
    service.set_faults(truncate=1)
    with pytest.raises(AmbiguousSubmit):
        vertex.submit(job, TOKEN)
    assert len(jobs_at(service)) == 1
    assert vertex.find(TOKEN)


def test_a_late_answer_is_ambiguous(tmp_path: Path) -> None:
    def reply(asked: Asked) -> Reply:
        time.sleep(0.6)
        return 200, {"name": JOB}

    with answering(reply) as server:
        vertex = open_vertex(server.url, tmp_path, request_timeout_s=0.2)
        job = job_spec(prepared(9, uris={"train": "gs://b/x.jsonl"}))
        with pytest.raises(AmbiguousSubmit, match=r"within 0\.2 s"):
            vertex.submit(job, TOKEN)
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            vertex.get(JOB)
        assert len(server.calls("POST")) == 1


def test_a_503_is_ambiguous_for_a_submit_only(vertex: VertexProvider, service: Service) -> None:
    job = ready(service)
    service.set_faults(error_503=1)
    with pytest.raises(AmbiguousSubmit, match="HTTP 503"):
        vertex.submit(job, TOKEN)
    for call in reads(vertex):
        with pytest.raises(Unavailable, match="HTTP 503"):
            call()
    assert jobs_at(service) == []


def test_a_429_surely_had_no_effect_and_says_how_long_to_wait(
    vertex: VertexProvider, service: Service
) -> None:
    job = ready(service)
    service.set_faults(error_429=1, retry_after_s=7)
    for call in (lambda: vertex.submit(job, TOKEN), *reads(vertex)):
        with pytest.raises(Unavailable, match="HTTP 429") as caught:
            call()
        assert caught.value.retry_after_s == 7
    assert jobs_at(service) == []


def test_a_quota_of_jobs_is_named(
    serve: Callable[..., Service], tmp_path: Path, service: Service
) -> None:
    full = serve(max_concurrent=0)
    vertex = open_vertex(full.url, tmp_path)
    job = job_spec(prepared(60, uris={"train": full.put_rows()}))
    with pytest.raises(Unavailable, match="global_concurrent_tuning_jobs"):
        vertex.submit(job, TOKEN)


def test_truncated_reads_may_be_repeated(vertex: VertexProvider, service: Service) -> None:
    name = vertex.submit(ready(service), TOKEN).name
    service.set_faults(truncate=1)
    for call in (lambda: vertex.get(name), *reads(vertex), lambda: vertex.cancel(name)):
        with pytest.raises(Unavailable):
            call()


def test_a_job_that_lists_late_is_found_once_it_is_listed(
    vertex: VertexProvider, service: Service
) -> None:
    service.set_faults(list_lag_s=60)
    name = vertex.submit(ready(service), TOKEN).name
    assert vertex.find(TOKEN) is None
    assert vertex.get(name).token == TOKEN
    service.set_faults(list_lag_s=0)
    found = vertex.find(TOKEN)
    assert found
    assert found.name == name


def test_a_403_says_which_role(vertex: VertexProvider, service: Service) -> None:
    job = ready(service)
    service.set_faults(denied_projects=["p"])
    for call in (lambda: vertex.submit(job, TOKEN), *reads(vertex)):
        with pytest.raises(ProviderError, match=r"roles/aiplatform\.user in project p"):
            call()
    with pytest.raises(ProviderError, match=r"roles/aiplatform\.user in project p"):
        vertex.delete_model("projects/p/locations/us-central1/models/1")


def test_a_401_says_how_to_log_in(vertex: VertexProvider, service: Service) -> None:
    job = ready(service)
    service.set_faults(require_auth=True)
    upload = job_spec()
    model = "projects/p/locations/us-central1/models/1"
    for call in (
        lambda: vertex.submit(job, TOKEN),
        lambda: vertex.submit(upload, TOKEN),
        lambda: vertex.delete_model(model),
        *reads(vertex),
    ):
        with pytest.raises(ProviderError, match="gcloud auth application-default login") as caught:
            call()
        assert "auth/cloud-platform" in str(caught.value)
    assert jobs_at(service) == []


def reads(vertex: VertexProvider) -> list[Callable[[], Any]]:
    endpoint = "projects/p/locations/us/endpoints/1"
    return [
        lambda: vertex.get(JOB),
        lambda: list(vertex.list()),
        lambda: vertex.find(TOKEN),
        lambda: vertex.describe(JOB),
        lambda: list(vertex.metrics(JOB, 0)),
        lambda: list(vertex.generate(endpoint, ["x"], NONE)),
    ]


def test_nobody_there_is_no_ambiguity(tmp_path: Path) -> None:
    with answering(lambda _: None) as gone:
        url = gone.url
    vertex = open_vertex(url, tmp_path)
    job = job_spec(prepared(60, uris={"train": "gs://b/x.jsonl"}))
    for call in (lambda: vertex.submit(job, TOKEN), *reads(vertex)):
        with pytest.raises(Unavailable, match="can't connect"):
            call()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"name": "elsewhere"}),
        (200, b"\xff\xfe"),
        (200, b'{"name": "' + JOB.encode()),
        (500, b"<html>"),
        None,
    ],
)
def test_a_garbled_answer_to_a_submit_is_ambiguous_and_asked_once(
    tmp_path: Path, answer: Any
) -> None:
    with answering(lambda _: answer) as server:
        vertex = open_vertex(server.url, tmp_path)
        with pytest.raises(AmbiguousSubmit):
            vertex.submit(job_spec(prepared(9, uris={"train": "gs://b/x.jsonl"})), TOKEN)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer", [(200, b""), (200, b"<html>"), (200, []), (502, b"<html>"), (200, b"[1"), None]
)
def test_a_garbled_answer_to_a_read_may_be_asked_again(tmp_path: Path, answer: Any) -> None:
    with answering(lambda _: answer) as server:
        vertex = open_vertex(server.url, tmp_path)
        for call in reads(vertex):
            before = len(server.asked)
            with pytest.raises(Unavailable):
                call()
            assert len(server.asked) == before + 1


def test_one_odd_job_spoils_no_list(tmp_path: Path) -> None:
    good = {"name": JOB, "state": "JOB_STATE_RUNNING", "labels": {"tunekit_token": TOKEN}}
    odd = [5, None, {}, {"name": 7}, {"name": "x"}, {**good, "name": JOB + "1", "state": 99}]
    new = {**good, "name": JOB + "2", "state": "JOB_STATE_DREAMING", "labels": 5}
    with answering(lambda _: (200, {"tuningJobs": [*odd, new, good], "more": 1})) as server:
        vertex = open_vertex(server.url, tmp_path)
        seen = {job.name: job.state for job in vertex.list()}
        unknown = {JOB + "1": JobState.UNKNOWN, JOB + "2": JobState.UNKNOWN}
        assert seen == {**unknown, JOB: JobState.RUNNING}


def test_pages_that_do_not_end_are_refused(tmp_path: Path) -> None:
    with answering(lambda _: (200, {"nextPageToken": "again"})) as server:
        vertex = open_vertex(server.url, tmp_path)
        with pytest.raises(ProviderError, match="do not end"):
            list(vertex.list())
        assert len(server.asked) == 2


def test_a_filter_that_is_refused_or_ignored_does_not_hide_a_job(tmp_path: Path) -> None:
    mine = {"name": JOB, "labels": {"tunekit_token": TOKEN}}
    other = {"name": JOB + "1", "labels": {"tunekit_token": "tk-other"}}
    for filtered in ((400, {"error": {"code": 400}}), (200, {}), (200, {"tuningJobs": [other]})):

        def reply(asked: Any, filtered: Any = filtered) -> Any:
            return filtered if "filter" in asked.query else (200, {"tuningJobs": [other, mine]})

        with answering(reply) as server:
            found = open_vertex(server.url, tmp_path).find(TOKEN)
            assert found
            assert found.name == JOB


def test_a_cancel_that_is_refused_for_a_running_job_is_told(tmp_path: Path) -> None:
    def reply(asked: Any) -> Any:
        if asked.method == "POST":
            return 400, {"error": {"code": 400, "message": "Not now."}}
        return 200, {"name": JOB, "state": "JOB_STATE_RUNNING"}

    with answering(reply) as server, pytest.raises(ProviderError, match=r"Not now\."):
        open_vertex(server.url, tmp_path).cancel(JOB)


STATUSES = [400, 401, 403, 404, 409, 412, 429, 500, 503]


def echo(asked: Asked, status: int) -> Reply:
    """Refuse in words that repeat all that was sent, and a credential."""
    token = "ya29.canary-token"
    text = f"bad: {asked.raw.decode()} Authorization: Bearer {token} ?key={token}"
    return status, {"error": {"code": status, "message": text}}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("failing", ["GET", "POST", "PUT"])
def test_no_failed_upload_tells_rows_or_secrets(tmp_path: Path, status: int, failing: str) -> None:
    def reply(asked: Asked) -> Reply:
        if asked.method == failing:
            return echo(asked, status)
        session = {"location": f"{server.url}/upload/x?upload_id=1"}
        return (404, {}) if asked.method == "GET" else (200, {}, session)

    job = job_spec()
    with answering(reply) as server:
        with pytest.raises(TunekitError) as caught:
            open_vertex(server.url, tmp_path).submit(job, TOKEN)
        text = str(caught.value)
    row = next(job.dataset.read("train"))
    assert row.response not in text
    assert row.prompt not in text
    assert "canary" not in text


@pytest.mark.parametrize("status", STATUSES)
def test_no_refused_prompt_is_told(tmp_path: Path, status: int) -> None:
    endpoint = "projects/p/locations/us/endpoints/1"
    prompt = 'Mask:\n\n  Ana "wants" order\n1000 back'
    with answering(lambda asked: echo(asked, status)) as server:
        vertex = open_vertex(server.url, tmp_path)
        with pytest.raises(ProviderError) as caught:
            list(vertex.generate(endpoint, [prompt], NONE))
    assert "canary" not in str(caught.value)
    assert "wants" not in str(caught.value)
    assert "back" not in str(caught.value)


def test_a_missing_bucket_comes_with_the_command(service: Service, tmp_path: Path) -> None:
    vertex = open_vertex(service.url, tmp_path, bucket="not-there")
    with pytest.raises(NotFound) as caught:
        vertex.submit(job_spec(), TOKEN)
    fact, _, remedy = str(caught.value).partition("; run: ")
    assert fact.endswith(".jsonl: The specified bucket does not exist. (HTTP 404)")
    assert jobs_at(service) == []
    subprocess.run(shlex.split(remedy), check=True, timeout=60)
    assert vertex.submit(job_spec(), TOKEN).token == TOKEN


def test_a_bucket_at_google_is_made_by_googles_command(tmp_path: Path) -> None:
    rest = cast(Rest, None)  # nothing is asked
    store = Store(rest, "p", "us-central1", "b", HOST, tmp_path, lambda *_: None)
    command = "gcloud storage buckets create gs://b --project=p --location=us-central1"
    assert store.create_command() == command
