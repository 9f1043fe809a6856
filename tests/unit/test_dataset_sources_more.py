"""Tables other than plain text files: compressed, columnar, several at once, saved."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment, numbered, place, read_all, write_rows
from tests.unit.test_dataset_sources import NASTY, content, nasty_rows
from tunekit import dataset
from tunekit.dataset import columnar
from tunekit.dataset.opening import open_path
from tunekit.dataset.sources import Reader
from tunekit.errors import DataError, MissingExtra
from tunekit.model import Location, Source, placed

AGAIN = "make the file again, or fetch it again"


def opened(root: Path, name: str, split: str | None = None) -> Reader:
    return open_path(name, root=root, where=Location("pii.yaml", 4, 3), split=split)


def arrow() -> Any:
    return pytest.importorskip("pyarrow", reason="needs the extra hub")


def write_parquet(path: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    pa = arrow()
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path, **options)


def zstd(data: bytes) -> bytes:
    packed: bytes = arrow().compress(data, codec="zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd, "zstd": zstd}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv"])
def test_every_character_survives_packing(tmp_path: Path, name: str, packing: str) -> None:
    packed = f"{name}.{packing}"
    (tmp_path / packed).write_bytes(PACKERS[packing](content(name, nasty_rows())))
    examples = read_all(tmp_path, make_experiment(packed, split={"train": len(NASTY)}))
    assert [example.source for example in examples] == NASTY


@pytest.mark.parametrize("packing", PACKERS)
def test_several_frames_are_one_file(tmp_path: Path, packing: str) -> None:
    pack = PACKERS[packing]
    lines = content("data.jsonl", numbered(2)).splitlines(keepends=True)
    (tmp_path / f"data.jsonl.{packing}").write_bytes(b"".join(map(pack, lines)))
    assert [row.line for row in opened(tmp_path, f"data.jsonl.{packing}").rows()] == [1, 2]


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_packed_data_that_is_not_whole_is_told(tmp_path: Path, packing: str) -> None:
    name = f"data.jsonl.{packing}"
    kind = {"gz": "gzip", "zst": "zstd"}[packing]
    whole = PACKERS[packing](content("data.jsonl", numbered(5_000)))
    experiment = make_experiment(name, split={"train": 5_000})
    (tmp_path / name).write_bytes(whole[:-9])
    with pytest.raises(DataError) as caught:
        dataset.prepare(experiment, root=tmp_path)
    assert str(caught.value) == f"{name}: the {kind} data is cut short; {AGAIN}"
    # zstd without a checksum, as pyarrow writes it, can't tell bytes that are changed.
    changed = whole[:99] + b"\xff\xff\xff\xff" + whole[103:]
    for data in (b"plain text, no packing", *([changed] if packing == "gz" else [])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError) as caught:
            dataset.prepare(experiment, root=tmp_path)
        assert str(caught.value) == f"{name}: this is no whole {kind} data; {AGAIN}"


def test_a_bad_line_of_a_packed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n{"text": caf\xe9}\n'))
    with pytest.raises(DataError, match=r"^data.jsonl.gz:2: not UTF-8 .byte 13 of the line.; "):
        list(opened(tmp_path, "data.jsonl.gz").rows())


def test_without_pyarrow_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("data.jsonl.zst", "data.parquet"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(MissingExtra, match=r"pyarrow.* is not installed; .*tunekit\[hub\]"):
            list(opened(tmp_path, name).rows())


def test_tsv_is_csv_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "data.tsv").write_text('text\tmasked\na, b\t"tab\there"\n"c\nd"\te\n')
    assert list(opened(tmp_path, "data.tsv").rows()) == [
        (2, {"text": "a, b", "masked": "tab\there"}, None),
        (3, {"text": "c\nd", "masked": "e"}, None),
    ]
    (tmp_path / "data.tsv").write_text("text\tmasked\na\tb\tc\n")
    with pytest.raises(DataError, match=r"^data.tsv:2: 3 fields .* a value with a tab, "):
        list(opened(tmp_path, "data.tsv").rows())


@pytest.mark.parametrize("options", [{}, {"row_group_size": 2}, {"compression": "zstd"}])
def test_every_character_survives_parquet(tmp_path: Path, options: dict[str, Any]) -> None:
    write_parquet(tmp_path / "data.parquet", nasty_rows(), **options)
    reader = opened(tmp_path, "data.parquet")
    assert [dict(row.values) for row in reader.rows()] == nasty_rows()
    assert [row.line for row in reader.rows()] == list(range(1, len(NASTY) + 1))
    assert (reader.columns(), reader.count(), reader.count(3)) == (
        *(["text", "masked"], len(NASTY)),
        3,
    )


def test_parquet_and_jsonl_of_the_same_rows_have_the_same_digest(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data.parquet", nasty_rows())
    write_rows(tmp_path / "data.jsonl", nasty_rows())
    names = ("data.parquet", "data.jsonl")
    made = [dataset.prepare(make_experiment(name), root=tmp_path) for name in names]
    assert made[0].fingerprint == made[1].fingerprint


def test_values_of_parquet_are_what_json_could_hold(tmp_path: Path) -> None:
    row = {
        "when": datetime(2026, 11, 1, 12, tzinfo=UTC),
        "day": date(2026, 11, 1),
        "price": Decimal("1.50"),
        "nothing": float("nan"),
        "list": ["a"],
        "whole": 3,
        "yes": True,
    }
    write_parquet(tmp_path / "data.parquet", [row])
    (read,) = opened(tmp_path, "data.parquet").rows()
    assert read.values == {
        "when": "2026-11-01T12:00:00+00:00",
        "day": "2026-11-01",
        "price": "1.50",
        "nothing": None,
        "list": ["a"],
        "whole": 3,
        "yes": True,
    }


def test_a_time_that_python_has_none_for_is_text_or_missing(tmp_path: Path) -> None:
    pa = arrow()
    import pyarrow.parquet

    columns = {
        "second": pa.array([253402300800, 1], pa.timestamp("s")),
        "micro": pa.array([2**60, 1], pa.timestamp("us")),
        "day": pa.array([10**9, 1], pa.date32()),
        "span": pa.array([2**62, 1], pa.duration("s")),
    }
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "data.parquet")
    found = [dict(row.values) for row in opened(tmp_path, "data.parquet").rows()]
    beyond = {"second": "10000-01-01T00:00:00.000", "micro": None, "day": None, "span": None}
    assert found[0] == beyond
    assert (found[1]["second"], found[1]["day"]) == ("1970-01-01T00:00:01", "1970-01-02")


def test_parquet_that_is_not_whole_is_told(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data.parquet", numbered(1_000), compression="none")
    whole = (tmp_path / "data.parquet").read_bytes()
    for data in (b"", b"text", whole[:-20], b"\0" * 900 + whole[900:]):
        (tmp_path / "data.parquet").write_bytes(data)
        with pytest.raises(DataError, match=r"^data.parquet: not a whole Parquet file; "):
            list(opened(tmp_path, "data.parquet").rows())


def test_text_of_parquet_that_is_not_utf8_is_named_by_row(tmp_path: Path) -> None:
    pa = arrow()
    import pyarrow.parquet

    raw = pa.array([b"a"] * 1500 + [b"caf\xe9", b"b"])
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    pyarrow.parquet.write_table(pa.table({"text": text}), tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"^data.parquet:1501: not UTF-8; "):
        list(opened(tmp_path, "data.parquet").rows())


def test_wide_rows_are_read_fewer_at_a_time() -> None:
    class Group:
        total_byte_size = 64 * 1024 * 1024

    class Metadata:
        num_row_groups, num_rows = 1, 64

        def row_group(self, group: int) -> Group:
            return Group()

    assert columnar._batch_rows(Metadata()) == 16


def test_several_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_rows(tmp_path / "data/b.jsonl", numbered(4)[2:])
    write_rows(tmp_path / "data/a.jsonl", numbered(2))
    (tmp_path / "data/c.csv.gz").write_bytes(gzip.compress(b"text,masked\n4,[4]\n"))
    (tmp_path / "data/.hidden").write_text("no table")
    reader = opened(tmp_path, "data/*")
    rows = [(row.line, row.values["text"]) for row in reader.rows()]
    assert [(str(placed(n, reader.files(), source="")), text) for n, text in rows] == [
        *(("data/a.jsonl:1", "0"), ("data/a.jsonl:2", "1")),
        *(("data/b.jsonl:1", "2"), ("data/b.jsonl:2", "3")),
        ("data/c.csv.gz:2", "4"),
    ]
    assert (reader.count(), reader.count(3), reader.columns()) == (5, 3, ["text", "masked"])
    assert list(opened(tmp_path, "**/*.jsonl").rows()) == list(reader.rows())[:4]


def test_a_bad_row_of_several_files_is_named_by_its_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "data/a.jsonl", numbered(2))
    write_rows(tmp_path / "data/b.jsonl", [*numbered(1), {"text": None, "masked": "x"}])
    with pytest.raises(DataError, match=r"^data/b.jsonl:2: column 'text' is null; "):
        dataset.prepare(make_experiment("data/*.jsonl", split={"train": 4}), root=tmp_path)


def test_the_identity_of_several_files_is_over_all(tmp_path: Path) -> None:
    experiment = make_experiment("data/*.jsonl")
    write_rows(tmp_path / "data/a.jsonl", numbered(2))
    write_rows(tmp_path / "data/b.jsonl", numbered(2))
    keys = [dataset.source_key(experiment, root=tmp_path)]
    write_rows(tmp_path / "data/b.jsonl", numbered(3))
    keys.append(dataset.source_key(experiment, root=tmp_path))
    write_rows(tmp_path / "data/c.jsonl", numbered(1))
    keys.append(dataset.source_key(experiment, root=tmp_path))
    assert len(set(keys)) == 3


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "data[1].jsonl", numbered(1))
    write_rows(tmp_path / "data1.jsonl", numbered(3))
    assert opened(tmp_path, "data[1].jsonl").count() == 1


def save(folder: Path, **splits: list[dict[str, Any]]) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra hub")
    datasets.disable_progress_bars()
    made = {name: datasets.Dataset.from_list(rows) for name, rows in splits.items()}
    whole = made[""] if "" in made else datasets.DatasetDict(made)
    whole.save_to_disk(str(folder))


def test_a_saved_folder_is_read(tmp_path: Path) -> None:
    save(tmp_path / "saved", **{"": nasty_rows()})
    reader = opened(tmp_path, "saved")
    assert [dict(row.values) for row in reader.rows()] == nasty_rows()
    assert [row.line for row in reader.rows()] == list(range(1, len(NASTY) + 1))
    assert (list(reader.columns()), reader.count()) == (["text", "masked"], len(NASTY))
    with pytest.raises(
        DataError, match=r"saved is one split already; remove dataset\.source\.split$"
    ):
        list(opened(tmp_path, "saved", "train").rows())


def test_a_split_of_a_saved_folder_is_picked(tmp_path: Path) -> None:
    save(tmp_path / "saved", train=numbered(3), test=numbered(2))
    assert opened(tmp_path, "saved").count() == 3
    assert opened(tmp_path, "saved", "test").count() == 2
    source = Source(path="saved", split="tset")
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(source=source), root=tmp_path)
    where = place("dataset.source.path")
    remedy = "write split: one of train, test"
    assert str(caught.value) == f"{where}: saved: no split 'tset'; {remedy}"


def test_a_saved_folder_is_recognised_by_its_bytes(tmp_path: Path) -> None:
    save(tmp_path / "saved", train=numbered(3), test=numbered(2))
    experiment = make_experiment(source=Source(path="saved", split="train"))
    key = dataset.source_key(experiment, root=tmp_path)
    assert dataset.source_key(experiment, root=tmp_path) == key
    (file,) = (tmp_path / "saved/train").glob("*.arrow")
    data = bytearray(file.read_bytes())
    data[-300] ^= 1
    file.write_bytes(data)
    assert dataset.source_key(experiment, root=tmp_path) != key


@pytest.mark.parametrize("broken", ["state.json", "arrow"])
def test_a_saved_folder_that_is_not_whole_is_told(tmp_path: Path, broken: str) -> None:
    save(tmp_path / "saved", **{"": numbered(3)})
    (file,) = (tmp_path / "saved").glob(f"*{broken}")
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match=r"^saved: .*; (save|write) it again"):
        list(opened(tmp_path, "saved").rows())


def test_a_saved_folder_names_no_files_outside_of_it(tmp_path: Path) -> None:
    save(tmp_path / "saved", **{"": numbered(3)})
    save(tmp_path / "other", **{"": numbered(9)})
    (other,) = (tmp_path / "other").glob("*.arrow")
    state = json.loads((tmp_path / "saved/state.json").read_text())
    state["_data_files"] = [{"filename": f"../other/{other.name}"}]
    (tmp_path / "saved/state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match=r"^saved: its state names files outside of it; "):
        list(opened(tmp_path, "saved").rows())


PEAK = """
import sys
from pathlib import Path
from tunekit.dataset.opening import open_path
from tunekit.model import Location
reader = open_path(sys.argv[2], root=Path(sys.argv[1]), where=Location("x"))
rows = sum(1 for _ in reader.rows())
status = Path("/proc/self/status").read_text()  # the peak of getrusage begins with the parent's
print(rows, status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz", "data.parquet", "saved"])
def test_a_table_is_never_held_whole(tmp_path: Path, name: str) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("reads peaks from /proc")
    rows = [{"text": f"{n} " * 100, "masked": "x" * 400} for n in range(100_000)]
    size_bytes = sum(len(row["text"]) + 420 for row in rows)
    match name:
        case "saved":
            save(tmp_path / name, **{"": rows})
        case "data.parquet":
            write_parquet(tmp_path / name, rows, use_dictionary=False, row_group_size=len(rows))
        case _:
            data = content("data.jsonl", rows)
            (tmp_path / name).write_bytes(gzip.compress(data, 1) if name[-1] == "z" else data)
    del rows
    found, peak_kib = (
        int(word)
        for word in subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path), name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )
    assert found == 100_000
    # What is imported takes its own.
    own_kib = {"saved": 100_000, "data.parquet": 100_000}.get(name, 20_000)
    assert size_bytes > 90_000_000
    assert peak_kib < own_kib + 40_000, peak_kib
