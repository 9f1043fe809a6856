"""Digests, records and keys: what is the same, what is not, and what happens when files change."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment, numbered, read_all, write_rows
from tunekit import dataset
from tunekit.errors import DataError, StalePlan
from tunekit.model import Example, Experiment, Lifecycle, Location, PreparedDataset, Tuning

SPLIT = {"train": 6, "validation": 2, "test": 2}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_rows(tmp_path / "data.jsonl", numbered(10))
    return tmp_path


def prepare(root: Path, **changes: object) -> PreparedDataset:
    return dataset.prepare(make_experiment(**{"split": SPLIT, **changes}), root=root)


def change_row(root: Path, number: int, **values: str) -> None:
    rows = numbered(10)
    rows[number] |= values
    write_rows(root / "data.jsonl", rows)


def test_a_digest_is_the_hash_of_canonical_json_lines(root: Path) -> None:
    change_row(root, 1, text='"é\u2028\\\0', masked="😀\n")
    prepared = prepare(root)
    for name, info in prepared.splits.items():
        examples = list(prepared.read(name))
        lines = [
            json.dumps(
                {"prompt": example.prompt, "response": example.response},
                ensure_ascii=False,
                sort_keys=True,
                separators=(",", ":"),
            )
            for example in examples
        ]
        text = "".join(line + "\n" for line in lines)
        assert info.digest == hashlib.sha256(text.encode()).hexdigest()
        assert info.rows == len(examples)
        assert info.characters == sum(len(e.prompt) + len(e.response) for e in examples)


@pytest.mark.parametrize("seed", [None, 4])
def test_every_used_row_is_shown_and_told_in_the_order_that_it_is_sent(
    root: Path, seed: int | None
) -> None:
    change_row(root, 2, text="ü" * 1_000)
    seen: list[tuple[str, Example, Mapping[str, Any]]] = []
    told: list[tuple[str, bytes, int, Example]] = []

    class Watch:
        def see(
            self, split: str, examples: Sequence[Example], raws: Sequence[Mapping[str, Any]]
        ) -> None:
            seen.extend((split, *row) for row in zip(examples, raws, strict=True))

    def on_rows(split: str, *columns: Any) -> None:
        told.extend((split, *row) for row in zip(*columns, strict=True))

    experiment = make_experiment(split={"train": 4, "test": 3}, shuffle_seed=seed)
    prepared = dataset.prepare(experiment, root=root, preflight=Watch(), on_rows=on_rows)
    sent = [(name, example) for name in prepared.splits for example in prepared.read(name)]
    assert [(split, example) for split, example, _ in seen] == sent
    assert all(example.source == raw["text"] for _, example, raw in seen)
    assert [(split, example) for split, _, _, example in told] == sent
    for name, info in prepared.splits.items():
        lines = b"".join(line for split, line, _, _ in told if split == name)
        assert hashlib.sha256(lines).hexdigest() == info.digest
    tokens = [(len(e.prompt) + len(e.response) + 2) // 4 for _, e in sent]
    assert [count for _, _, count, _ in told] == tokens
    for name, info in prepared.splits.items():
        of_split = [count for split, _, count, _ in told if split == name]
        assert info.tokens == sum(of_split)
        assert sum(info.histogram) == len(of_split)
        assert all(
            rows == sum(count.bit_length() == place for count in of_split)
            for place, rows in enumerate(info.histogram)
        )


def test_digests_stay_what_they_are(root: Path) -> None:
    # A change here re-tunes every experiment that people have: raise RENDERING, and say so.
    prepared = prepare(root, shuffle_seed=7, system_instruction="Mask.")
    assert prepared.fingerprint == (
        "b6e31c8413a57d03ca40497e3d885c24bdec8b263c9217a40f0a527cbc6aa355"
    )


def test_the_test_split_does_not_touch_the_training_digests(root: Path) -> None:
    before = prepare(root)
    change_row(root, 9, masked="changed")
    after = prepare(root)
    assert after.training_identity() == before.training_identity()
    assert after.splits["test"].digest != before.splits["test"].digest
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "Mask! {input}"},
        {"columns": {"input": "text", "output": "text"}},
        {"shuffle_seed": 1},
        {"split": {"train": 5, "validation": 2, "test": 2}},
        {"system_instruction": "Mask."},
    ],
)
def test_what_affects_training_changes_identity_and_key(
    root: Path, changes: dict[str, object]
) -> None:
    assert prepare(root, **changes).training_identity() != prepare(root).training_identity()
    assert prepare(root, **changes).fingerprint != prepare(root).fingerprint
    assert key(root, **changes) != key(root)


def key(root: Path, **changes: object) -> str:
    return dataset.source_key(make_experiment(**{"split": SPLIT, **changes}), root=root)


def test_a_key_changes_with_the_bytes_and_the_data_set_only(root: Path) -> None:
    experiment = make_experiment(split=SPLIT)
    first = dataset.source_key(experiment, root=root)
    elsewhere: Experiment = replace(
        experiment,
        name="other",
        description="another",
        tags={"a": "b"},
        tuning=Tuning(epochs=9),
        lifecycle=Lifecycle(retries=3),
        where=Location("x.yaml", 9, 9),
        places={},
    )
    assert dataset.source_key(elsewhere, root=root) == first
    assert key(root, split=dict(reversed(SPLIT.items()))) == first
    assert key(root, take=10) != first
    (root / "data.jsonl").write_bytes((root / "data.jsonl").read_bytes() + b"\n")
    assert key(root) != first


def test_a_key_follows_the_content_not_the_name_but_the_format(root: Path) -> None:
    first = key(root)
    for name in ("copy.ndjson", "copy.json"):
        (root / name).write_bytes((root / "data.jsonl").read_bytes())
    assert key(root, source=make_experiment("copy.ndjson").dataset.source) == first
    assert key(root, source=make_experiment("copy.json").dataset.source) != first


def test_a_key_parses_nothing(root: Path) -> None:
    (root / "data.jsonl").write_bytes(b"\xff not JSON")
    assert len(key(root)) == 64


@pytest.mark.parametrize("seed", [None, 4])
def test_a_record_gives_the_same_data_set_without_reading(root: Path, seed: int | None) -> None:
    prepared = prepare(root, shuffle_seed=seed, system_instruction="Mask.")
    record = json.loads(json.dumps(dataset.to_record(prepared)))
    experiment = make_experiment(split=SPLIT, shuffle_seed=seed, system_instruction="Mask.")
    moved = root / "away.jsonl"
    (root / "data.jsonl").rename(moved)
    again = dataset.from_record(experiment, root=root, record=record)
    moved.rename(root / "data.jsonl")
    assert again == prepared
    assert dataset.to_record(again) == record
    assert again.system_instruction == "Mask."
    for name in SPLIT:
        assert list(again.read(name)) == list(prepared.read(name))


def test_reading_starts_afresh_each_time_and_may_stop_early(root: Path) -> None:
    prepared = prepare(root)
    one, other = prepared.read("train"), prepared.read("train")
    assert [next(one).source, next(one).source, next(other).source] == ["0", "1", "0"]
    one.close()  # type: ignore[attr-defined]
    assert [example.source for example in other] == ["1", "2", "3", "4", "5"]
    assert [example.source for example in prepared.read("test")] == ["8", "9"]


def test_a_prepared_data_set_can_be_sent_to_another_process(root: Path) -> None:
    prepared = prepare(root)
    assert list(pickle.loads(pickle.dumps(prepared)).read("test")) == list(prepared.read("test"))


def test_an_unknown_split_is_refused_before_anything_is_read(root: Path) -> None:
    message = "the data set has no split 'dev'; it has train, validation, test"
    with pytest.raises(DataError) as caught:
        prepare(root).read("dev")
    assert str(caught.value) == message
    with pytest.raises(DataError) as caught:
        dataset.preview(make_experiment(split=SPLIT), root=root, rows=1, split="dev")
    assert str(caught.value) == message


NO_LONGER = "split train is no longer what was planned"


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_change_is_noticed_at_the_end_of_a_split(
    root: Path, seed: int | None, is_recorded: bool
) -> None:
    experiment = make_experiment(split={"train": 10}, shuffle_seed=seed)
    prepared = dataset.prepare(experiment, root=root)
    if is_recorded:
        record = dataset.to_record(prepared)
        prepared = dataset.from_record(experiment, root=root, record=record)
    change_row(root, 3, masked="changed")
    seen = []
    with pytest.raises(StalePlan) as caught:
        seen.extend(prepared.read("train"))
    assert str(caught.value) == (
        f"data.jsonl: the data set changed while it was in use ({NO_LONGER}); run plan again"
    )


def test_only_the_split_that_is_read_must_be_unchanged(root: Path) -> None:
    prepared = prepare(root)
    change_row(root, 9, masked="changed")
    assert len(list(prepared.read("train"))) == 6
    with pytest.raises(StalePlan):
        list(prepared.read("test"))


@pytest.mark.parametrize(
    "content",
    [b"", b'{"text": "a", "masked": "b"}\n', b"not JSON\n", b"\xff\n", b'{"other": 1}\n', None],
    ids=["empty", "shorter", "not JSON", "not UTF-8", "other columns", "gone"],
)
@pytest.mark.parametrize("changes", [{}, {"shuffle_seed": 4}, {"split": {"train": 1.0}}])
def test_a_file_that_can_no_longer_be_read_is_a_stale_plan(
    root: Path, content: bytes | None, changes: dict[str, object]
) -> None:
    prepared = prepare(root, **changes)
    if content is None:
        (root / "data.jsonl").unlink()
    else:
        (root / "data.jsonl").write_bytes(content)
    with pytest.raises(StalePlan, match=r"^data\.jsonl: the data set changed .*; run plan again$"):
        list(prepared.read("train"))


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("split", SPLIT)
def test_a_preview_is_the_beginning_of_the_split(root: Path, seed: int | None, split: str) -> None:
    experiment = make_experiment(split=SPLIT, shuffle_seed=seed)
    everything = read_all(root, experiment, split)
    for rows in (-1, 0, 1, 2, 100):
        shown = dataset.preview(experiment, root=root, rows=rows, split=split)
        assert shown == everything[: max(rows, 0)]


def test_preparing_holds_no_rows(root: Path) -> None:
    import tracemalloc

    text = "x" * 1_000
    write_rows(root / "data.jsonl", [{"text": f"{n}{text}", "masked": text} for n in range(5_000)])
    tracemalloc.start()
    prepare(root, split={"train": 4_000, "test": 1_000})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
