"""Take, shuffle, split: which rows go where, and what is said when they do not suffice."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, numbered, place, read_all, write_rows
from tunekit import dataset
from tunekit.dataset.split import cut, shuffled
from tunekit.errors import DataError, SpecError


def split_of(root: Path, **changes: object) -> dict[str, list[int]]:
    """Return the row numbers of every split."""
    experiment = make_experiment(**changes)
    prepared = dataset.prepare(experiment, root=root)
    return {
        name: [int(example.source) for example in prepared.read(name)] for name in prepared.splits
    }


def test_splits_are_cut_in_one_order_whatever_the_spec_says(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(10))
    found = split_of(tmp_path, split={"test": 2, "validation": 3, "train": 4})
    assert found == {"train": [0, 1, 2, 3], "validation": [4, 5, 6], "test": [7, 8]}


def test_take_counts_rows_of_the_source_before_the_shuffle(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(100))
    found = split_of(tmp_path, take=10, shuffle_seed=1, split={"train": 0.8, "test": 0.2})
    assert sorted(found["train"] + found["test"]) == list(range(10))
    assert found["train"] != sorted(found["train"])


def test_take_may_pass_the_end(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(4))
    assert split_of(tmp_path, take=10, split={"train": 1.0}) == {"train": [0, 1, 2, 3]}


def test_past_the_head_rows_left_over_are_not_looked_at(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(40))
    with (tmp_path / "data.jsonl").open("ab") as file:
        file.write(b"not JSON \xff\n")
    assert split_of(tmp_path, split={"train": 2, "test": 1}) == {"train": [0, 1], "test": [2]}
    assert split_of(tmp_path, take=3, split={"train": 1.0}) == {"train": [0, 1, 2]}


def test_shares_that_sum_to_one_use_every_row_exactly_once() -> None:
    rng = random.Random(11)
    for _ in range(3_000):
        thousandths = sorted(rng.sample(range(1, 1000), 2))
        shares = {
            "train": thousandths[0] / 1000,
            "validation": (thousandths[1] - thousandths[0]) / 1000,
            "test": (1000 - thousandths[1]) / 1000,
        }
        available = rng.choice([1, 2, 3, 7, 10, 99, 1000, 209_261, 10**9 + 7])
        ranges = cut(shares, available)
        ends = [0]
        for name, part in ranges.items():
            assert part.start == ends[-1] <= part.stop
            assert abs(len(part) - shares[name] * available) <= 1
            ends.append(part.stop)
        assert ends[-1] == available


def test_cumulative_rounding_is_half_up_on_the_written_decimals() -> None:
    rng = random.Random(12)
    for _ in range(2_000):
        percent = rng.randrange(1, 100)
        available = rng.randrange(1, 5_000)
        stop = cut({"train": percent / 100}, available)["train"].stop
        exact = Fraction(percent, 100) * available
        if exact.denominator != 2:
            assert stop == math.floor(exact + Fraction(1, 2))
        else:
            assert abs(stop - exact) == Fraction(1, 2)


def test_shares_written_as_rounded_thirds_are_accepted(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(9))
    third = 0.3333333334
    found = split_of(tmp_path, split={"train": third, "validation": third, "test": third})
    assert [len(rows) for rows in found.values()] == [3, 3, 3]


def test_whole_numbers_are_rows_and_one_point_zero_is_everything(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(5))
    assert split_of(tmp_path, split={"train": 1}) == {"train": [0]}
    assert split_of(tmp_path, split={"train": 1.0}) == {"train": [0, 1, 2, 3, 4]}


def test_a_seed_gives_one_order_for_ever() -> None:
    # Written down so that a Python that shuffles otherwise is noticed.
    assert list(shuffled(12, 7)) == [7, 11, 3, 10, 8, 4, 9, 1, 0, 6, 2, 5]
    assert shuffled(12, 7) == shuffled(12, 7) != shuffled(12, 8)
    for count in (0, 1, 2, 50):
        assert sorted(shuffled(count, 3)) == list(range(count))


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv"])
def test_shuffled_rows_keep_their_line_and_every_split_its_part(tmp_path: Path, name: str) -> None:
    rows = numbered(50)
    if name.endswith("csv"):
        text = "text,masked\n" + "".join(f"{row['text']},{row['masked']}\n" for row in rows)
        (tmp_path / name).write_text(text)
    else:
        write_rows(tmp_path / name, rows)
    if name == "data.json":
        text = (tmp_path / name).read_text().strip().replace("\n", ",\n")
        (tmp_path / name).write_text(f"[{text}]")
    experiment = make_experiment(name, shuffle_seed=9, split={"train": 30, "test": 15})
    prepared = dataset.prepare(experiment, root=tmp_path)
    order = list(shuffled(50, 9))
    train, test = list(prepared.read("train")), list(prepared.read("test"))
    assert [int(example.source) for example in train] == order[:30]
    assert [int(example.source) for example in test] == order[30:45]
    first_line = 2 if name.endswith("csv") else 1
    assert [example.line for example in train] == [row + first_line for row in order[:30]]


@pytest.mark.parametrize("changes", [{}, {"shuffle_seed": 3}], ids=["in order", "shuffled"])
def test_too_few_rows_are_refused_with_both_numbers(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(7))
    experiment = make_experiment(split={"train": 5, "validation": 1, "test": 2}, **changes)
    with pytest.raises(DataError) as caught:
        dataset.prepare(experiment, root=tmp_path)
    assert str(caught.value) == (
        f"{place('dataset.split')}: dataset.split asks for 8 rows (train 5, validation 1, test 2); "
        "data.jsonl gives 7; lower the split or add rows"
    )


def test_a_share_of_no_row_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(7))
    experiment = make_experiment(split={"train": 0.95, "test": 0.05})
    with pytest.raises(DataError) as caught:
        dataset.prepare(experiment, root=tmp_path)
    assert str(caught.value) == (
        f"{place('dataset.split')}: dataset.split.test is 0.05: no row of the 7 in data.jsonl; "
        "raise the share or add rows"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {}}, "dataset.split has no train; add train: ROWS"),
        ({"split": {"test": 5}}, "dataset.split has no train; add train: ROWS"),
        ({"split": {"train": 0}}, "dataset.split.train is 0; it needs at least 1 row"),
        (
            {"split": {"train": -0.5}},
            "dataset.split.train is -0.5; a share is above 0 and at most 1.0",
        ),
        (
            {"split": {"train": math.nan}},
            "dataset.split.train is nan; a share is above 0 and at most 1.0",
        ),
        (
            {"split": {"train": 1, "dev": 1}},
            "dataset.split.dev is unknown; splits are train, validation, test",
        ),
        (
            {"split": {"train": 5, "test": 0.2}},
            ("dataset.split mixes rows and shares; "
            "write all as rows (100) or all as shares (0.1)"),
        ),
        (
            {"split": {"train": 0.9, "test": 0.2}},
            "dataset.split has shares that sum to 1.1; they may sum to 1 at most",
        ),
        (
            {"split": {"train": 5, "test": 2}, "take": 6},
            ("dataset.split asks for 7 rows (train 5, test 2); dataset.take leaves 6; "
            "lower the split or raise take"),
        ),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_is_refused_before_reading(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(9))
    experiment = make_experiment(**changes)
    (problem,) = dataset.check(experiment, root=tmp_path)
    assert str(problem) == f"{place('dataset.split')}: {message}"
    with pytest.raises(SpecError):
        read_all(tmp_path, experiment)
