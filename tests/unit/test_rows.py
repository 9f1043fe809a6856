"""What is kept of rows, and what two versions of a split differ in."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tunekit.model import Example, RowIndex, RowRecorder
from tunekit.plan import DataChange, RowChanges, compare
from tunekit.plan import rows as rows_module
from tunekit.plan.rows import summary


def index(rows: list[tuple[str, str]], *, first_line: int = 1) -> RowIndex:
    """Return what is kept of (input, answer) rows."""
    recorder = RowRecorder()
    for line, (source, answer) in enumerate(rows, first_line):
        example = Example(f"Mask: {source}", answer, source, line)
        recorder.on_rows("train", [f"{source}\0{answer}".encode()], [len(answer)], [example])
    return recorder.splits().get("train", RowIndex())


def test_added_removed_and_changed_rows_are_told_by_position() -> None:
    old = index([("a", "A"), ("b", "B"), ("c", "C")])
    new = index([("a", "A"), ("c", "CC"), ("d", "DDD")])
    found = compare(old, new)
    assert found == RowChanges(added=(2,), removed=(1,), changed=((2, 1),), tokens=3)
    assert summary(found) == "+1 -1 ~1 rows, +3 tokens"


def test_an_equal_row_counts_as_often_as_it_occurs() -> None:
    found = compare(index([("a", "A")] * 3), index([("a", "A")]))
    assert (len(found.removed), found.added, found.tokens) == (2, (), -2)
    assert compare(index([("a", "A")]), index([("a", "A")])).is_empty


def test_another_order_alone_is_said_to_be_that() -> None:
    found = compare(index([("a", "A"), ("b", "B")]), index([("b", "B"), ("a", "A")]))
    assert found.is_reordered
    assert summary(found) == "the same rows in another order"


ROWS = some.lists(some.tuples(some.sampled_from("abc"), some.sampled_from("xyz")), max_size=12)


@pytest.mark.parametrize("batch", [3, 250_000])
def test_counts_are_those_of_a_comparison_of_multisets(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_BATCH", batch)

    @given(ROWS, ROWS)
    def holds(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> None:
        found = compare(index(old), index(new))
        gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
        removed = [*found.removed, *(before for before, _ in found.changed)]
        added = [*found.added, *(after for _, after in found.changed)]
        assert Counter(old[place] for place in removed) == gone
        assert Counter(new[place] for place in added) == come
        assert all(old[a][0] == new[b][0] for a, b in found.changed)
        # Whatever could be paired by its input was.
        assert not {old[p][0] for p in found.removed} & {new[p][0] for p in found.added}

    holds()


@given(some.lists(some.tuples(some.integers(0, 2**64 - 1), some.integers(0, 2**32 - 1))))
def test_an_index_survives_being_recorded(rows: list[tuple[int, int]]) -> None:
    hashes = array("Q", [value for value, _ in rows])
    counts = array("I", [value for _, value in rows])
    made = RowIndex(hashes, hashes[::-1], counts, counts[::-1])
    assert RowIndex.from_record(made.to_record()) == made


def test_what_is_recorded_holds_no_text() -> None:
    record = index([("a secret text", "its answer")] * 5).to_record()
    assert not any(b"secret" in data or b"answer" in data for data in record.values())
    assert len(record["hashes"]) == len(record["keys"]) == 5 * 8


def test_the_splits_of_a_plan_line_are_told_apart() -> None:
    grown = compare(index([("a", "A")]), index([("a", "A"), ("b", "BB")]))
    change = DataChange({"train": grown, "validation": grown}, {})
    assert list(change.lines()) == [
        "dataset: +1 rows, +2 tokens",
        "dataset (validation): +1 rows, +2 tokens",
    ]
