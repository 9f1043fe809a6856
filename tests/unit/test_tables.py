"""What --sort, --since, --state and -l leave of a table, and in which order."""

from __future__ import annotations

from typing import Any

import click
import pytest

from tunekit.cli.tables import Narrowing, Since, SinceType, SortKey, SortType

ROWS: list[dict[str, Any]] = [
    {"name": "b", "state": "FAILED", "loss": 0.5, "submitted_s": 100.0, "tags": {"team": "x"}},
    {"name": "a", "state": "RUNNING", "loss": None, "submitted_s": 200.0, "tags": {}},
    {"name": "C", "state": "FAILED", "loss": 2.0, "submitted_s": 300.0, "tags": {"team": "x"}},
    {"name": "d", "state": "PENDING", "loss": float("nan"), "submitted_s": None, "tags": {}},
]


def names(narrow: Narrowing, *, now_s: float = 400.0, at: str = "submitted_s") -> str:
    return "".join(row["name"] for row in narrow.rows(ROWS, now_s=now_s, at=at))


@pytest.mark.parametrize(
    ("narrow", "left"),
    [
        (Narrowing(), "baCd"),
        (Narrowing(sort=(SortKey("loss"),)), "bCad"),
        (Narrowing(sort=(SortKey("loss", is_descending=True),)), "Cbad"),
        (Narrowing(sort=(SortKey("name"),)), "abCd"),
        (Narrowing(sort=(SortKey("state"), SortKey("name", is_descending=True))), "Cbda"),
        (Narrowing(since=Since(ago_s=200.0)), "aC"),
        (Narrowing(since=Since(at_s=300.0)), "C"),
        (Narrowing(states=frozenset({"RUNNING", "PENDING"})), "ad"),
        (Narrowing(tags={"team": "x"}), "bC"),
        (Narrowing(tags={"team": "x"}, since=Since(at_s=101.0)), "C"),
        (Narrowing(tags={"team": "y"}), ""),
    ],
)
def test_flags_leave_the_rows_that_are_asked_for(narrow: Narrowing, left: str) -> None:
    assert names(narrow) == left


def test_rows_are_filtered_by_the_moment_that_the_table_names() -> None:
    narrow = Narrowing(since=Since(at_s=1.0))
    assert narrow.rows([{"at_s": 2.0}, {"at_s": 0.5}], now_s=9.0, at="at_s") == [{"at_s": 2.0}]


def test_numbers_and_words_in_one_column_are_sorted_without_a_fault() -> None:
    rows = [{"k": "z"}, {"k": 2}, {"k": True}, {"k": "A"}, {"k": None}]
    kept = Narrowing(sort=(SortKey("k"),)).rows(rows, now_s=0.0)
    assert [row["k"] for row in kept] == [True, 2, "A", "z", None]


@pytest.mark.parametrize(
    ("text", "starts_s"),
    [
        ("7d", 1e9 - 7 * 86400),
        ("1.5h", 1e9 - 5400),
        ("30m", 1e9 - 1800),
        ("2w", 1e9 - 14 * 86400),
        ("2001-09-09", 999_993_600),
        ("2001-09-09T01:46:40Z", 1e9),
        ("2001-09-09T03:46:40+02:00", 1e9),
    ],
)
def test_since_is_a_span_or_a_date_in_utc(text: str, starts_s: float) -> None:
    since = SinceType().convert(text, None, None)
    assert since is not None
    assert since.starts_s(1e9) == starts_s


@pytest.mark.parametrize("text", ["yesterday", "7", "-3d", "2026-13-01", ""])
def test_a_moment_that_is_none_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write it as 7d"):
        SinceType().convert(text, None, None)


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    kind = SortType(["loss", "state"])
    assert kind.convert("-loss", None, None) == SortKey("loss", is_descending=True)
    with pytest.raises(click.BadParameter, match="did you mean 'loss'"):
        kind.convert("-los", None, None)
    with pytest.raises(click.BadParameter, match="write one of loss, state"):
        kind.convert("colour", None, None)
