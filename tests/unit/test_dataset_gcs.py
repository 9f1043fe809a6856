"""Ready-made rows in Cloud Storage, read from the emulator over loopback."""

from __future__ import annotations

import json
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra emulator")
pytest.importorskip("uvicorn", reason="needs the extra emulator")
pytest.importorskip("google.cloud.storage", reason="needs the extra vertex")

from google.cloud import storage as google_storage

from tests.unit.datasets import gemini_line, make_experiment, preference_line
from tunekit import dataset
from tunekit.dataset import gcs
from tunekit.emulator import Emulator, Faults, Settings
from tunekit.errors import DataError, MissingExtra, StalePlan
from tunekit.model import Experiment, PreparedDataset, Source, Tuning

BUCKET = "rows"
TRAIN, VALIDATION, TEST = (f"gs://{BUCKET}/{name}.jsonl" for name in ("train", "valid", "test"))


class Stored:
    """An emulator's Cloud Storage, and what is put there."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.client = google_storage.Client(project=None)
        self.client.create_bucket(BUCKET, project="p")

    def put(self, uri: str, lines: list[Any] | bytes) -> None:
        data = lines if isinstance(lines, bytes) else jsonl(lines)
        blob = self.client.bucket(BUCKET).blob(uri.partition(f"{BUCKET}/")[2])
        blob.upload_from_string(data)

    def delete(self, uri: str) -> None:
        self.client.bucket(BUCKET).blob(uri.partition(f"{BUCKET}/")[2]).delete()

    def set_faults(self, **switches: Any) -> None:
        self.emulator.world.faults = Faults().changed(switches)


def jsonl(lines: list[Any]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    monkeypatch.setattr(gcs, "PATIENCE_S", 0.2)
    with Emulator(Settings()) as emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        made = Stored(emulator)
        yield made
        made.client.close()


ROWS = [gemini_line(f"q{n}", f"a{n}") for n in range(5)]


def ready_made(method: str = "supervised", **objects: str) -> Experiment:
    source = Source(gcs=TRAIN, **objects)
    split = dict.fromkeys(source.objects(), 1.0)
    return replace(make_experiment(source=source, split=split), tuning=Tuning(method=method))


def prepare(experiment: Experiment | None = None) -> PreparedDataset:
    return dataset.prepare(experiment or ready_made(), root=Path())


def refused(experiment: Experiment | None = None) -> str:
    with pytest.raises(DataError) as caught:
        prepare(experiment)
    return str(caught.value)


# --- what is read -------------------------------------------------------------------------------


def test_every_split_is_an_object_of_its_own(stored: Stored) -> None:
    stored.put(TRAIN, ROWS)
    stored.put(VALIDATION, ROWS[:2])
    stored.put(TEST, [*ROWS[:1], {**ROWS[1], "systemInstruction": {"parts": [{"text": "Be x"}]}}])
    prepared = prepare(ready_made(validation=VALIDATION, test=TEST))
    assert {name: info.rows for name, info in prepared.splits.items()} == {
        "train": 5,
        "validation": 2,
        "test": 2,
    }
    assert prepared.splits["train"].characters == 20
    assert prepared.uris == {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    assert [(e.prompt, e.response, e.source, e.line) for e in prepared.read("test")] == [
        ("q0", "a0", "q0", 1),
        ("Be x\nq1", "a1", "q1", 2),
    ]


def test_preferences_have_a_chosen_and_a_rejected_answer(stored: Stored) -> None:
    stored.put(TRAIN, [preference_line("q", "better", "worse")])
    (example,) = prepare(ready_made("preference")).read("train")
    assert (example.prompt, example.response, example.rejected) == ("q", "better", "worse")
    assert "write tuning.method: preference" in refused()


def test_the_digest_is_of_the_lines_and_not_of_where_they_are(stored: Stored) -> None:
    stored.put(TRAIN, ROWS)
    first = prepare()
    stored.put(TEST, jsonl(ROWS).rstrip(b"\n"))
    elsewhere = prepare(replace_source(gcs=TEST))
    assert elsewhere.training_identity() == first.training_identity()
    stored.put(TRAIN, jsonl(ROWS).replace(b": ", b":  "))
    assert prepare().training_identity() != first.training_identity()


def replace_source(**objects: str) -> Experiment:
    experiment = ready_made()
    return replace(experiment, dataset=replace(experiment.dataset, source=Source(**objects)))


def test_the_test_object_does_not_enter_what_is_trained(stored: Stored) -> None:
    stored.put(TRAIN, ROWS)
    stored.put(TEST, ROWS)
    with_test, without = prepare(ready_made(test=TEST)), prepare()
    assert with_test.training_identity() == without.training_identity()
    assert with_test.fingerprint != without.fingerprint


def test_lines_end_at_line_feeds_only_and_may_cross_chunks(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "_CHUNK_BYTES", 7)
    rows = [gemini_line("a\u2028b\x85c\u2029", "é😀"), gemini_line("d", "e")]
    stored.put(TRAIN, jsonl(rows).replace(b"\n", b"\r\n") + b"\n  \n")
    assert [example.prompt for example in prepare().read("train")] == ["a\u2028b\x85c\u2029", "d"]


def test_a_large_object_is_never_held_whole(stored: Stored) -> None:
    import tracemalloc

    stored.put(TRAIN, jsonl([gemini_line("q" * 1000, "a" * 1000)]) * 15_000)
    seen_bytes = 0
    with gcs.CloudStorage() as opened:
        tracemalloc.start()
        for line in opened.lines(TRAIN):
            seen_bytes += len(line.raw)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen_bytes > 30_000_000
    # The emulator, in this process, holds a chunk of its own too.
    assert peak_bytes < 25_000_000


def test_a_preview_reads_no_more_than_the_beginning(stored: Stored) -> None:
    stored.put(TRAIN, jsonl(ROWS) + b"not JSON\n")
    shown = dataset.preview(ready_made(), root=Path(), rows=2)
    assert [example.prompt for example in shown] == ["q0", "q1"]
    with pytest.raises(DataError, match="has no split 'test'; it has train"):
        dataset.preview(ready_made(), root=Path(), rows=2, split="test")


# --- what is recognised, and what has changed ---------------------------------------------------


def test_an_unchanged_object_is_recognised_without_its_bytes(stored: Stored) -> None:
    stored.put(TRAIN, b"not JSON")
    first = dataset.source_key(ready_made(), root=Path())
    stored.put(TRAIN, b"not JSON")  # another generation of the same bytes
    assert dataset.source_key(ready_made(), root=Path()) == first
    assert dataset.source_key(ready_made("preference"), root=Path()) != first
    stored.put(TRAIN, b"not json")
    assert dataset.source_key(ready_made(), root=Path()) != first


def test_a_record_gives_the_same_data_set_without_the_network(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put(TRAIN, ROWS)
    prepared = prepare()
    record = json.loads(json.dumps(dataset.to_record(prepared)))
    with monkeypatch.context() as away:
        away.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        again = dataset.from_record(ready_made(), root=Path(), record=record)
    assert again == prepared
    assert list(pickle.loads(pickle.dumps(again)).read("train")) == list(prepared.read("train"))


@pytest.mark.parametrize("lines", [ROWS[:4], [*ROWS[:4], gemini_line("q4", "other")], [], None])
def test_a_change_after_preparing_is_a_stale_plan(stored: Stored, lines: list[Any] | None) -> None:
    stored.put(TRAIN, ROWS)
    prepared = prepare()
    if lines is None:
        stored.delete(TRAIN)
    else:
        stored.put(TRAIN, lines)
    with pytest.raises(StalePlan, match=rf"^{TRAIN}: the data set changed .*; run plan again$"):
        list(prepared.read("train"))


def test_a_change_between_two_chunks_is_noticed(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "_CHUNK_BYTES", 100)
    stored.put(TRAIN, ROWS)
    with gcs.CloudStorage() as opened:
        lines = opened.lines(TRAIN)
        next(lines)
        stored.put(TRAIN, ROWS)
        with pytest.raises(DataError) as caught:
            list(lines)
    assert str(caught.value) == f"{TRAIN}: changed while it was read; try again"


# --- trouble ------------------------------------------------------------------------------------


def test_validating_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    assert dataset.check(ready_made(), root=Path()) == []


@pytest.mark.parametrize("uri", [f"gs://{BUCKET}/none.jsonl", "gs://no-such-bucket/a.jsonl"])
def test_what_is_not_there_is_named(stored: Stored, uri: str) -> None:
    remedy = f"check it with: gcloud storage ls {uri}"
    assert refused(replace_source(gcs=uri)) == f"{uri}: no such object or bucket; {remedy}"


def test_bad_lines_are_named_by_number_and_never_shown(stored: Stored) -> None:
    stored.put(TRAIN, jsonl(ROWS[:2]) + b'\n{"contents": "SECRET"}\n')
    told = refused()
    assert told.startswith(f"{TRAIN}:4: contents are not a list of turns; ")
    assert "SECRET" not in told


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_an_object_without_rows_is_refused(stored: Stored, data: bytes) -> None:
    stored.put(TRAIN, data)
    assert refused() == f"{TRAIN}: no rows; add rows or name another object"


def test_what_has_no_lines_is_refused_before_it_is_held(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "_CHUNK_BYTES", 256 * 1024)
    monkeypatch.setattr(gcs, "_LONGEST_LINE_BYTES", 1024**2)
    stored.put(TRAIN, b"x" * (1024**2 + 200))
    assert refused() == f"{TRAIN}:1: longer than 1 MiB; write one JSON object a line"


def test_credentials_that_are_not_taken_are_told(stored: Stored) -> None:
    stored.put(TRAIN, ROWS)
    stored.set_faults(require_auth=True)
    told = refused()
    assert "Google does not take the credentials of this machine; run `gcloud auth" in told


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    told = refused()
    assert "there are no Google credentials on this machine; run `gcloud auth" in told


def test_a_passing_fault_is_waited_out(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "PATIENCE_S", 30.0)
    stored.put(TRAIN, ROWS)
    stored.set_faults(error_503=1.0)
    threading.Timer(0.5, stored.set_faults).start()
    assert prepare().splits["train"].rows == 5


@pytest.mark.parametrize(
    ("faults", "fact"),
    [
        ({"error_503": 1.0}, "Cloud Storage answered 503; try again in a while"),
        ({"error_429": 1.0}, "Cloud Storage answered 429; try again in a while"),
        ({"truncate": 1.0}, "Cloud Storage can't be reached ("),
    ],
)
def test_a_lasting_fault_is_told_and_is_no_change(
    stored: Stored, faults: dict[str, float], fact: str
) -> None:
    stored.put(TRAIN, ROWS)
    prepared = prepare()
    stored.set_faults(**faults)
    assert refused().startswith(f"{TRAIN}: {fact}")
    with pytest.raises(DataError) as caught:
        list(prepared.read("train"))
    assert str(caught.value).startswith(f"{TRAIN}: {fact}")


def test_bytes_that_break_off_are_told(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.put(TRAIN, ROWS)
    with gcs.CloudStorage() as opened:
        found = opened._found(TRAIN)
        monkeypatch.setattr(opened, "_found", lambda uri: found)
        stored.set_faults(truncate=1.0)
        with pytest.raises(DataError, match=r"Cloud Storage can't be reached|of \d+ bytes"):
            list(opened.lines(TRAIN))


def test_other_bytes_than_the_checksum_tells_are_refused(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put(TRAIN, ROWS)
    with gcs.CloudStorage() as opened:
        found = opened._found(TRAIN)._replace(crc32c="AAAAAA==")
        monkeypatch.setattr(opened, "_found", lambda uri: found)
        with pytest.raises(DataError, match="does not have the object's checksum; try again"):
            list(opened.lines(TRAIN))


class Fixed(BaseHTTPRequestHandler):
    """Answers every request with one status, or hangs up at 0."""

    status = 403

    def do_GET(self) -> None:
        if self.status:
            self.send_response(self.status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "your account may not read it; have the role roles/storage.objectViewer granted"),
        (400, "Cloud Storage refused with 400; check the object's name"),
        (0, "Cloud Storage can't be reached (the connection broke); check the network"),
    ],
)
def test_refusals_and_dropped_connections_are_told(
    monkeypatch: pytest.MonkeyPatch, status: int, told: str
) -> None:
    monkeypatch.setattr(gcs, "PATIENCE_S", 0.2)
    monkeypatch.setattr(Fixed, "status", status)
    with HTTPServer(("127.0.0.1", 0), Fixed) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        try:
            assert refused().startswith(f"{TRAIN}: {told}")
        finally:
            server.shutdown()
            thread.join()


def test_a_host_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "PATIENCE_S", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    assert refused().startswith(f"{TRAIN}: Cloud Storage can't be reached (the connection broke)")


def test_compressed_objects_are_refused(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.put(TRAIN, ROWS)
    with gcs.CloudStorage() as opened:
        found = opened._found(TRAIN)._replace(encoding="gzip")
        monkeypatch.setattr(opened, "_found", lambda uri: found)
        with pytest.raises(DataError, match="content encoding 'gzip'; upload the file as it is"):
            list(opened.lines(TRAIN))


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tunekit\[vertex\]'"):
        prepare()
