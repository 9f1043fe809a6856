"""Cloud Storage by Google's own client, and what it does not reach by HTTP."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.emulator.service import Service

storage = pytest.importorskip("google.cloud.storage", reason="needs google-cloud-storage (vertex)")
from google.api_core import exceptions  # noqa: E402
from google.auth.credentials import AnonymousCredentials  # noqa: E402


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    service.checks_requests = True
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
    return storage.Client(project="p", credentials=AnonymousCredentials())


@pytest.fixture
def bucket(client: Any) -> Any:
    return client.create_bucket("data-sets")


def test_buckets_are_made_found_and_deleted(client: Any, bucket: Any) -> None:
    assert client.get_bucket("data-sets").name == "data-sets"
    assert [found.name for found in client.list_buckets()] == ["data-sets"]
    with pytest.raises(exceptions.Conflict):
        client.create_bucket("data-sets")
    with pytest.raises(exceptions.NotFound):
        client.get_bucket("others")
    bucket.delete()
    assert client.lookup_bucket("data-sets") is None


def test_a_small_object_goes_up_and_down(bucket: Any) -> None:
    data = b"\r\nline\r\n--boundary--\r\n\x00\xff"
    blob = bucket.blob("folder/a b.bin")
    blob.metadata = {"fingerprint": "f_1"}
    blob.upload_from_string(data, content_type="application/x-thing")
    found = bucket.get_blob("folder/a b.bin")
    assert found.size == len(data)
    assert found.content_type == "application/x-thing"
    assert found.metadata == {"fingerprint": "f_1"}
    assert found.download_as_bytes() == data
    assert found.download_as_bytes(start=2, end=5) == b"line"
    assert found.download_as_bytes(start=len(data) - 2) == b"\x00\xff"


def test_a_large_object_goes_up_in_chunks(bucket: Any) -> None:
    data = bytes(range(256)) * 4096
    blob = bucket.blob("big.jsonl", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(data), size=len(data))
    assert bucket.get_blob("big.jsonl").download_as_bytes() == data
    unsized = bucket.blob("unsized.jsonl", chunk_size=256 * 1024)
    unsized.upload_from_file(io.BytesIO(data[:700_000]))
    assert bucket.get_blob("unsized.jsonl").size == 700_000


def test_an_interrupted_upload_goes_on_where_it_was(service: Service, bucket: Any) -> None:
    path = "/upload/storage/v1/b/data-sets/o?uploadType=resumable&name=part.txt"
    begun = service.http.post(path, json={"contentType": "text/plain"})
    place = begun.headers["location"]
    first = service.http.put(place, content=b"01234", headers={"content-range": "bytes 0-4/10"})
    assert first.status_code == 308
    asked = service.http.put(place, headers={"content-range": "bytes */10"})
    assert (asked.status_code, asked.headers["range"]) == (308, "bytes=0-4")
    rest = {"content-range": "bytes 3-9/10"}
    assert service.http.put(place, content=b"3456789", headers=rest).status_code == 200
    assert bucket.get_blob("part.txt").download_as_bytes() == b"0123456789"
    assert service.http.put(place, content=b"").status_code == 404


def test_a_precondition_stops_an_overwrite(bucket: Any) -> None:
    blob = bucket.blob("once.jsonl")
    blob.upload_from_string("first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("once.jsonl").upload_from_string("second", if_generation_match=0)
    big = bucket.blob("once.jsonl", chunk_size=256 * 1024)
    with pytest.raises(exceptions.PreconditionFailed):
        big.upload_from_file(io.BytesIO(b"x" * 300_000), if_generation_match=0)
    found = bucket.get_blob("once.jsonl")
    assert found.download_as_bytes() == b"first"
    found.upload_from_string("second", if_generation_match=found.generation)
    assert bucket.get_blob("once.jsonl").download_as_bytes() == b"second"


def test_objects_are_listed_by_prefix_and_page(client: Any, bucket: Any) -> None:
    for name in ("a/1", "a/2", "a/b/3", "c"):
        bucket.blob(name).upload_from_string(name)
    assert [b.name for b in client.list_blobs(bucket)] == ["a/1", "a/2", "a/b/3", "c"]
    assert [b.name for b in client.list_blobs(bucket, page_size=1)] == ["a/1", "a/2", "a/b/3", "c"]
    shallow = client.list_blobs(bucket, prefix="a/", delimiter="/")
    assert [b.name for b in shallow] == ["a/1", "a/2"]
    assert shallow.prefixes == {"a/b/"}
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.blob("c").delete()
    assert bucket.get_blob("c") is None
    with pytest.raises(exceptions.NotFound):
        bucket.blob("c").delete()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("c").download_as_bytes()
