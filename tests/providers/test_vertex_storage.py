"""Training files: uploaded once, resumed where they broke off, never half there."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from tests.emulator.service import Service
from tests.providers.conftest import Requests
from tests.providers.support import (
    BUCKET,
    TOKEN,
    Asked,
    Reply,
    answering,
    examples,
    job_spec,
    open_vertex,
    prepared,
)
from tunekit.errors import DataError, ProviderError, StalePlan, Unavailable
from tunekit.providers.vertex import limits, storage
from tunekit.providers.vertex.provider import VertexProvider


def objects(service: Service) -> list[str]:
    return [name for _, name in service.emulator.world.storage.blobs]


def test_a_file_is_named_by_its_bytes_and_uploaded_once(
    vertex: VertexProvider, service: Service
) -> None:
    told: list[tuple[str, int, int]] = []
    vertex.progress = lambda *step: told.append(step)
    for number in range(2):
        vertex.submit(job_spec(prepared(20, 5)), f"tk-{number}")
    names = objects(service)
    assert len(names) == 2
    for name in names:
        data = service.emulator.world.storage.read(f"gs://{BUCKET}/{name}")
        assert data
        assert name == f"tunekit/{hashlib.sha256(data).hexdigest()}.jsonl"
        sizes = [(done, total) for which, done, total in told if which == name]
        assert sizes == [(0, len(data)), (len(data), len(data)), (len(data), len(data))]


@pytest.mark.parametrize(
    "other",
    [
        job_spec(prepared(20, system="You mask.")),
        job_spec(prepared(examples(20, rejected="no")), method="preference"),
        job_spec(prepared(examples(20, rejected="never")), method="preference"),
        job_spec(prepared(19)),
    ],
)
def test_what_changes_the_bytes_changes_the_name(
    vertex: VertexProvider, service: Service, other: Any
) -> None:
    vertex.submit(job_spec(prepared(examples(20, rejected="no"))), "tk-0")
    vertex.submit(other, "tk-1")
    assert len(objects(service)) == 2


class Bucket:
    """Resumable uploads of one object, breaking off where told."""

    def __init__(self, *, break_at: int | None = None, answer: Reply | None = None) -> None:
        self.data = b""
        self.is_whole = False
        self.break_at = break_at
        self.answer = answer
        self.sessions = 0
        self.url = ""

    def __call__(self, asked: Asked) -> Reply | None:
        if asked.path.endswith("/tuningJobs"):
            return 200, {"name": "projects/p/locations/us-central1/tuningJobs/7"}
        if asked.method == "GET":
            return (200, self.about()) if self.is_whole else (404, {"error": {"code": 404}})
        if asked.method == "POST":
            self.sessions += 1
            self.data = b""
            self.promised = json.loads(asked.raw)["crc32c"]
            assert asked.query["ifGenerationMatch"] == "0"
            place = f"{self.url}/upload/storage/v1/b/{BUCKET}/o?upload_id={self.sessions}"
            return 200, {}, {"location": place}
        return self.put(asked)

    def put(self, asked: Asked) -> Reply | None:
        span = asked.headers["content-range"]
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", span)
        assert match
        if match[1]:
            assert int(match[1]) == len(self.data)
            take = asked.raw
            if self.break_at is not None:
                room = self.break_at - len(self.data)
                if len(take) > room:
                    # As a connection that breaks: a part has arrived, the answer has not.
                    self.data += take[:room]
                    self.break_at = None
                    return self.answer
            self.data += take
        if len(self.data) == int(match[3]):
            self.is_whole = True
            return 200, self.about()
        return 308, b"", {"range": f"bytes=0-{len(self.data) - 1}"} if self.data else {}

    def about(self) -> dict[str, Any]:
        crc = google_crc32c.Checksum(self.data)
        return {"crc32c": base64.b64encode(crc.digest()).decode(), "name": "x", "bucket": BUCKET}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_CHUNK", 1 << 10)


@pytest.mark.parametrize("answer", [None, (503, {}), (500, b"<html>"), (429, {})])
@pytest.mark.parametrize("is_same_process", [True, False])
def test_a_broken_upload_goes_on_where_the_server_says(
    tmp_path: Path, small_chunks: None, answer: Reply | None, is_same_process: bool
) -> None:
    bucket = Bucket(break_at=2_500, answer=answer)
    job = job_spec(prepared(40))
    with answering(bucket) as server:
        bucket.url = server.url
        vertex = open_vertex(server.url, tmp_path)
        with pytest.raises(Unavailable):
            vertex.submit(job, TOKEN)
        assert not bucket.is_whole
        assert not any(asked.path.endswith("/tuningJobs") for asked in server.asked)
        assert len(bucket.data) == 2_500
        [note] = (tmp_path / "vertex/uploads").iterdir()
        assert oct(os.stat(note).st_mode & 0o777) == "0o600"
        if not is_same_process:
            vertex = open_vertex(server.url, tmp_path)
        told: list[int] = []
        vertex.progress = lambda _name, done, _total: told.append(done)
        vertex.submit(job, TOKEN)
        assert told[0] == 2_500
        assert told == sorted(told)
        assert bucket.is_whole
        assert bucket.sessions == 1
        assert bucket.about()["crc32c"] == bucket.promised
        assert list((tmp_path / "vertex/uploads").iterdir()) == []


def test_a_session_that_has_expired_begins_anew(tmp_path: Path, small_chunks: None) -> None:
    bucket = Bucket(break_at=2_500)
    expired = (410, {"error": {"code": 410}})
    with answering(lambda asked: reply(asked)) as server:

        def reply(asked: Asked) -> Reply | None:
            if asked.query.get("upload_id") == "1" and bucket.break_at is None:
                return expired
            return bucket(asked)

        bucket.url = server.url
        vertex = open_vertex(server.url, tmp_path)
        with pytest.raises(Unavailable):
            vertex.submit(job_spec(), TOKEN)
        vertex.submit(job_spec(), TOKEN)
        assert bucket.sessions == 2
        assert bucket.is_whole


def test_a_damaged_object_is_removed_and_not_trained_on(tmp_path: Path) -> None:
    bucket = Bucket()
    deleted: list[str] = []

    def reply(asked: Asked) -> Reply | None:
        if asked.method == "DELETE":
            deleted.append(asked.path)
            return 204, b""
        answer = bucket(asked)
        if asked.method == "PUT":
            return 200, {"crc32c": "AAAAAA=="}
        return answer

    with answering(reply) as server:
        bucket.url = server.url
        with pytest.raises(Unavailable, match="damaged"):
            open_vertex(server.url, tmp_path).submit(job_spec(), TOKEN)
        assert len(deleted) == 1
        assert not any(asked.path.endswith("/tuningJobs") for asked in server.asked)


def test_an_object_with_other_bytes_is_refused(vertex: VertexProvider, service: Service) -> None:
    vertex.submit(job_spec(), "tk-0")
    [name] = objects(service)
    service.put_rows(name, text="{}\n")
    with pytest.raises(ProviderError, match="other bytes"):
        vertex.submit(job_spec(), "tk-1")


def test_an_upload_is_not_sent_to_another_host(tmp_path: Path) -> None:
    elsewhere = (200, {}, {"location": "http://127.0.0.1:9/upload"})
    with answering(lambda a: elsewhere if a.method == "POST" else (404, {})) as server:
        with pytest.raises(ProviderError, match="another host"):
            open_vertex(server.url, tmp_path).submit(job_spec(), TOKEN)
        assert server.calls("PUT") == []


def test_nothing_is_uploaded_of_data_that_changed_or_lacks_answers(
    vertex: VertexProvider, service: Service, requests_seen: Requests
) -> None:
    def changed(_split: str) -> Any:
        yield from examples(3)
        raise StalePlan("the data set changed")

    stale = dataclasses.replace(prepared(3), read=changed)
    with pytest.raises(StalePlan):
        vertex.submit(job_spec(stale), TOKEN)
    with pytest.raises(DataError, match="row 1 has no rejected answer"):
        vertex.submit(job_spec(method="preference"), TOKEN)
    assert objects(service) == []
    assert requests_seen.of("POST", "/tuningJobs") == []


def test_a_file_that_is_too_large_is_refused_before_the_upload(
    vertex: VertexProvider, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_FILE_BYTES", 1_000)
    with pytest.raises(ProviderError, match="1 GB"):
        vertex.submit(job_spec(), TOKEN)
    assert objects(service) == []


def test_spooling_does_not_hold_the_file(tmp_path: Path) -> None:
    count = 5_000
    tracemalloc.start()
    try:
        with storage.spool((b"x" * 999 + b"\n" for _ in range(count)), tmp_path) as spooled:
            _, peak = tracemalloc.get_traced_memory()
            assert spooled.size_bytes == count * 1_000
            assert list(tmp_path.iterdir()) == []  # without a name, no crash leaves it behind
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_storage_emulator_of_the_environment_is_used(service: Service, tmp_path: Path) -> None:
    from tunekit.providers.vertex import open_provider

    options = {"project": "p", "location": "us-central1", "bucket": BUCKET}
    service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
    with answering(lambda _: (404, {"error": {"code": 404}})) as server:
        options["endpoint"] = server.url
        vertex = open_provider(options, tmp_path, {"STORAGE_EMULATOR_HOST": service.url})
        with pytest.raises(ProviderError):
            vertex.submit(job_spec(), TOKEN)
        assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["tuningJobs"]
    assert len(objects(service)) == 1
