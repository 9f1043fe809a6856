"""Data sets of a Hub on loopback, read by the real `datasets`."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.dataset_hub.conftest import Reached

ROWS = [{"text": f"tëxt {n}\u2028", "masked": f"[{n}]"} for n in range(7)]
CARD = """---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train.jsonl
  - split: test
    path: en/test.jsonl
- config_name: de
  data_files: de/*.jsonl
---
"""


def jsonl(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    data = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), data)
    return data.getvalue()


def csv(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["text,masked", *(f"{row['text']},{row['masked']}" for row in rows)]
    return "\n".join(lines) + "\n"


def numbered(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [[number, dict(row)] for number, row in enumerate(rows, 1)]


@pytest.mark.parametrize(
    "files",
    [
        {"data/train.jsonl": jsonl(ROWS)},
        {"train.parquet": parquet(ROWS)},
        {"train.csv": csv(ROWS)},
        {f"data/train-{n:05}-of-00002.parquet": parquet(ROWS[n * 4 : n * 4 + 4]) for n in (0, 1)},
    ],
    ids=["jsonl", "parquet", "csv", "shards"],
)
@pytest.mark.parametrize("most_kept_bytes", [1 << 30, 0], ids=["kept", "streamed"])
def test_rows_are_read_in_order_at_the_commit(
    reached: Reached, files: dict[str, bytes | str], most_kept_bytes: int
) -> None:
    commit = reached.hub.repo("o/n").commit(files)
    found = reached.read(most_kept_bytes=most_kept_bytes)
    assert found == {
        "rows": numbered(ROWS),
        "columns": ["text", "masked"],
        "count": 7,
        "identity": ["hub", "o/n", "", "", commit],
    }


def test_a_config_and_a_split_are_picked(reached: Reached) -> None:
    files = {
        "README.md": CARD,
        "en/train.jsonl": jsonl(ROWS[:1]),
        "en/test.jsonl": jsonl(ROWS[1:2]),
        "de/a.jsonl": jsonl(ROWS[2:3]),
    }
    reached.hub.repo("o/n").commit(files)
    assert reached.read(config="en")["rows"] == numbered(ROWS[:1])
    assert reached.read(config="en", split="test")["rows"] == numbered(ROWS[1:2])
    assert reached.read(config="de")["rows"] == numbered(ROWS[2:3])
    assert reached.refused(config="fr") == (
        "pii.yaml:5:3: hub:o/n: no config 'fr'; write config: one of en, de"
    )
    assert reached.refused() == (
        "pii.yaml:5:3: hub:o/n: has several configs and no default; write config: one of en, de"
    )
    assert reached.refused(config="en", split="validation") == (
        "pii.yaml:5:3: hub:o/n: no split 'validation'; write split: one of train, test"
    )


def test_without_a_train_split_the_only_one_is_read_and_none_is_guessed(reached: Reached) -> None:
    reached.hub.repo("o/one").commit({"data/test.jsonl": jsonl(ROWS[:2])})
    assert reached.read("o/one")["count"] == 2
    two = {"data/test.jsonl": jsonl(ROWS[:2]), "data/validation.jsonl": jsonl(ROWS)}
    reached.hub.repo("o/two").commit(two)
    text = reached.refused("o/two")
    assert "hub:o/two: which split is not clear; write split: one of " in text


def test_a_commit_stays_while_its_branch_moves(reached: Reached) -> None:
    repo = reached.hub.repo("o/n")
    first = repo.commit({"train.jsonl": jsonl(ROWS[:3])})
    assert reached.read(only="resolve") == {"commit": first}
    second = repo.commit({"train.jsonl": jsonl(ROWS[3:])})
    assert reached.read(only="resolve", revision="main") == {"commit": second}
    assert reached.read(revision=first)["rows"] == numbered(ROWS[:3])
    assert reached.read()["rows"] == numbered(ROWS[3:])


def test_a_pinned_source_is_recognised_without_a_call_or_a_heavy_import(reached: Reached) -> None:
    commit = "0123456789" * 4
    found = reached.read(only="identity", revision=commit, split="train", config="en")
    assert found == {"identity": ["hub", "o/n", "en", "train", commit], "loaded": False}
    assert reached.hub.asked == []


def test_branches_and_tags_name_a_commit(reached: Reached) -> None:
    repo = reached.hub.repo("o/n")
    old = repo.commit({"train.jsonl": jsonl(ROWS[:1])})
    repo.tags["v1"] = old
    other = repo.commit({"train.parquet": parquet(ROWS)}, branch="refs/convert/parquet")
    repo.commit({"train.jsonl": jsonl(ROWS)})
    assert reached.read(only="resolve", revision="v1") == {"commit": old}
    assert reached.read(only="resolve", revision="refs/convert/parquet") == {"commit": other}
    assert reached.read(revision="refs/convert/parquet")["count"] == 7
    assert reached.refused(revision="v2") == (
        "pii.yaml:5:3: hub:o/n: no revision 'v2'; "
        "it has main, refs/convert/parquet, v1, and commits"
    )


def test_a_kept_commit_needs_the_hub_no_more(reached: Reached) -> None:
    repo = reached.hub.repo("o/n")
    first = repo.commit({"train.jsonl": jsonl(ROWS[:3])})
    second = repo.commit({"train.jsonl": jsonl(ROWS[3:])})
    for commit in (first, second):
        reached.read(revision=commit)
    reached.hub.asked.clear()
    reached.environ = {"HF_HUB_OFFLINE": "1"}
    assert reached.read(revision=first)["rows"] == numbered(ROWS[:3])
    assert reached.read(revision=second)["rows"] == numbered(ROWS[3:])
    assert reached.hub.asked == []


@pytest.mark.parametrize("fault", ["offline", "refused", "answers 503"])
def test_another_commit_of_the_cache_is_never_taken_instead(reached: Reached, fault: str) -> None:
    """`datasets` itself would take it, with a line in the log."""
    repo = reached.hub.repo("o/n")
    old = repo.commit({"train.jsonl": jsonl(ROWS[:3])})
    reached.read(revision=old)
    new = repo.commit({"train.jsonl": jsonl(ROWS[3:])})
    if fault == "offline":
        reached.environ = {"HF_HUB_OFFLINE": "1"}
    elif fault == "refused":
        reached.hub.url = "http://127.0.0.1:1"
    else:
        reached.hub.status = 503
    assert "hub:o/n: " in reached.unreached(revision=new)
    assert "hub:o/n: " in reached.unreached()


def test_the_card_of_a_commit_says_less_than_its_files(reached: Reached) -> None:
    """Counts in a card are often old; what is read is the commit's own."""
    card = (
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n"
        "  - name: masked\n    dtype: string\n  splits:\n  - name: train\n"
        "    num_bytes: 1\n    num_examples: 99\n---\n"
    )
    reached.hub.repo("o/n").commit({"README.md": card, "train.jsonl": jsonl(ROWS)})
    assert reached.read()["count"] == 7


def test_a_folder_of_the_same_name_is_not_taken_for_the_data_set(reached: Reached) -> None:
    reached.hub.repo("o/n").commit({"train.jsonl": jsonl(ROWS)})
    near = reached.home / "o/n"
    near.mkdir(parents=True)
    (near / "train.jsonl").write_text(jsonl([{"text": "near", "masked": "near"}]))
    assert reached.read()["rows"] == numbered(ROWS)
