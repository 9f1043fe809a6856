"""Tables in Cloud Storage, rendered as a file's are, read from the emulator over loopback."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, numbered
from tests.unit.test_dataset_gcs import BUCKET, Stored, stored
from tests.unit.test_dataset_sources import NASTY, content, nasty_rows
from tunekit import dataset
from tunekit.errors import DataError, StalePlan
from tunekit.model import Experiment, Source
from tunekit.spec import load_experiments

__all__ = ["stored"]


def table(name: str, rows: int = 1) -> Experiment:
    source = Source(gcs=f"gs://{BUCKET}/{name}", is_table=True)
    return make_experiment(source=source, split={"train": rows})


def parquet() -> bytes:
    pa = pytest.importorskip("pyarrow", reason="needs the extra hub")
    import pyarrow.parquet

    data = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(nasty_rows()), data)
    return data.getvalue()


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.csv", "t.parquet", "t.jsonl.gz"])
def test_every_character_survives_every_format(stored: Stored, name: str) -> None:
    if name.endswith(".parquet"):
        data = parquet()
    else:
        data = content(name.removesuffix(".gz"), nasty_rows())
    stored.put(f"gs://{BUCKET}/{name}", gzip.compress(data) if name.endswith(".gz") else data)
    made = dataset.prepare(table(name, len(NASTY)), root=Path())
    assert [example.source for example in made.read("train")] == NASTY
    assert made.uris == {}  # it is not used where it lies


def test_a_bad_row_is_named_by_object_and_line(stored: Stored) -> None:
    stored.put(f"gs://{BUCKET}/t.csv", b"text,masked\na,b\nc\n")
    with pytest.raises(DataError, match=r"^gs://rows/t.csv:3: 1 field where the header has 2; "):
        dataset.prepare(table("t.csv", 2), root=Path())


def test_an_object_is_recognised_by_its_checksum(stored: Stored) -> None:
    uri = f"gs://{BUCKET}/t.jsonl"
    stored.put(uri, content("t.jsonl", numbered(3)))
    key = dataset.source_key(table("t.jsonl"), root=Path())
    assert dataset.source_key(table("t.jsonl"), root=Path()) == key
    made = dataset.prepare(table("t.jsonl"), root=Path())
    stored.put(uri, content("t.jsonl", numbered(4)[1:]))
    assert dataset.source_key(table("t.jsonl"), root=Path()) != key
    with pytest.raises(StalePlan):
        list(made.read("train"))


def test_what_can_be_no_table_is_refused(stored: Stored) -> None:
    with pytest.raises(DataError, match=r"gcs: gs://rows/t.xlsx has no known ending; supported"):
        dataset.prepare(table("t.xlsx"), root=Path())
    with pytest.raises(DataError, match=r"^gs://rows/none.csv: no such object or bucket; "):
        dataset.prepare(table("none.csv"), root=Path())


@pytest.mark.parametrize(
    ("name", "more", "is_table"),
    [
        ("t.jsonl", "", False),
        ("train", "", False),
        ("t.jsonl", "prompt: '{input}'", True),
        ("t.jsonl", "columns: {input: text, output: masked}", True),
        ("t.CSV", "", True),
        ("t.jsonl.gz", "", True),
        ("t.parquet", "take: 5", True),
    ],
)
def test_a_spec_says_whether_an_object_is_a_table(
    tmp_path: Path, name: str, more: str, is_table: bool
) -> None:
    text = (
        "name: n\nprovider: local\nbase_model: m\ndataset:\n  source: {gcs: gs://bucket/%s}\n  %s"
    )
    path = tmp_path / "n.yaml"
    path.write_text(text % (name, more))
    loaded = load_experiments(["n.yaml"], root=tmp_path)
    assert loaded.problems == ()
    source = loaded.experiments[0].dataset.source
    assert source.is_table is is_table
    assert source.objects() == ({} if is_table else {"train": f"gs://bucket/{name}"})
