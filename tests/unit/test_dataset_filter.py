"""Filters: what they keep, and what is said of those that mean nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment, numbered, place, read_all, write_rows
from tunekit import dataset
from tunekit.dataset.expression import Filter, parse_filter
from tunekit.errors import DataError, SpecError
from tunekit.model import Problem


def keeps(text: str, **row: Any) -> bool:
    parsed = parse_filter(text)
    assert isinstance(parsed, Filter), parsed
    return parsed.keeps(row)


def fault(text: str) -> str:
    parsed = parse_filter(text)
    assert isinstance(parsed, Problem)
    return parsed.fact


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ('a == "x"', {"a": "x"}, True),
        ("a == 'x'", {"a": "X"}, False),
        ('a != "x"', {"a": None}, True),
        ('a != "x"', {}, True),
        (r'a == "say \"hi\"\n"', {"a": 'say "hi"\n'}, True),
        ("a == 3", {"a": 3.0}, True),
        ("a == 3", {"a": "3"}, True),
        ("a == 3", {"a": "three"}, False),
        ("a == 3", {"a": True}, False),
        ("a == 1", {"a": True}, False),
        ('a == "3"', {"a": 3}, False),
        ("a == 12345678901234567890123", {"a": 12345678901234567890123}, True),
        ("a == true", {"a": True}, True),
        ("a == true", {"a": "True"}, True),
        ("a == false", {"a": 0}, False),
        ("a == null", {"a": None}, True),
        ("a == null", {}, True),
        ("a != null", {"a": ""}, True),
        ("a >= 0.5", {"a": 0.5}, True),
        ("a >= 0.5", {"a": "0.49"}, False),
        ("a > -1e3", {"a": -999}, True),
        ("a < 5", {"a": None}, False),
        ("a < 5", {"a": ""}, False),
        ("not a < 5", {"a": None}, True),
        ('a < "b"', {"a": "a"}, True),
        ('a in ["x", 3, null]', {"a": None}, True),
        ('a in ["x", 3]', {"a": "3"}, True),
        ('a not in ["x"]', {"a": "y"}, True),
        ("a is empty", {"a": " \n"}, True),
        ("a is empty", {"a": []}, True),
        ("a is empty", {"a": 0}, False),
        ("a is not empty", {"a": "0"}, True),
        ('`the "a" column` == 1', {'the "a" column': 1}, True),
        ("größe > 1", {"größe": 2}, True),
        ("a == 1 or b == 1 and c == 1", {"a": 1}, True),
        ("(a == 1 or b == 1) and c == 1", {"a": 1}, False),
        ("not (a == 1)\n  and b == 2", {"a": 2, "b": 2}, True),
        ("not not a == 1", {"a": 1}, True),
    ],
)
def test_a_filter_says_which_rows_are_kept(text: str, row: dict[str, Any], expected: bool) -> None:
    assert keeps(text, **row) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the end where a column's name is due at character 1"),
        ("a", "the end where a comparison (==, <, in, is empty) is due at character 2"),
        ("a = 1", "a single =, where == is meant at character 3"),
        ("a == b", "b where a literal is due; text stands in quotes, at character 6"),
        ('a == "x', 'a " that is not closed at character 6'),
        ("a == 1 b == 2", "b where `and`, `or` or the end is due at character 8"),
        ("(a == 1", "the end where ) is due at character 8"),
        ("a in [1, 2", "the end where ] is due at character 11"),
        ("a in []", "] where a literal is due at character 7"),
        ("a is 3", "3 where empty is due at character 6"),
        ("a < null", "< goes with numbers and texts only at character 5"),
        ("a == 1\nand and", "and where a column's name is due at character 5 of its line 2"),
        ('__import__("os")', "( where a comparison (==, <, in, is empty) is due at character 11"),
        ("a.b == 1", "'.' means nothing at character 2"),
        ("a == 1.", "'.' means nothing at character 7"),
        ("a == 12x", "'1' means nothing at character 6"),
        ("(" * 50 + "a == 1" + ")" * 50, "nested too deeply at character 42"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_at_its_place(text: str, said: str) -> None:
    assert fault(text) == f"dataset.filter: {said}"


def test_any_text_is_parsed_or_refused_in_linear_time() -> None:
    rng = random.Random(3)
    pieces = ["a", " ", "==", "and", "not", "(", ")", "[", '"', "'", "\\", "1", "in", "`", "\u2028"]
    for _ in range(3_000):
        text = "".join(rng.choices(pieces, k=rng.randrange(12)))
        assert isinstance(parse_filter(text), Filter | Problem)
    assert keeps(" and ".join(["a == 1"] * 20_000), a=1)


ROWS = [{"text": f"t{n}", "masked": f"m{n}", "score": n / 10} for n in range(10)]


def test_only_rows_that_pass_are_taken_split_and_counted(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    kept = {"filter": "score >= 0.3", "take": 5, "split": {"train": 0.6, "test": 0.4}}
    experiment = make_experiment(**kept)
    assert [e.source for e in read_all(tmp_path, experiment)] == ["t3", "t4", "t5"]
    assert [e.line for e in read_all(tmp_path, experiment, "test")] == [7, 8]
    with pytest.raises(DataError, match=r"asks for 8 rows .* gives 7"):
        dataset.prepare(make_experiment(filter="score >= 0.3", split={"train": 8}), root=tmp_path)


def test_a_filter_changes_the_key_and_the_digest(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    plain, other = make_experiment(), make_experiment(filter="score > 0.1")
    assert dataset.source_key(plain, root=tmp_path) != dataset.source_key(other, root=tmp_path)
    prepared = [dataset.prepare(e, root=tmp_path) for e in (plain, other)]
    assert prepared[0].fingerprint != prepared[1].fingerprint


def test_a_faulty_filter_is_told_at_its_key_and_an_unknown_column_by_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    with pytest.raises(SpecError) as caught:
        dataset.prepare(make_experiment(filter="score >"), root=tmp_path)
    assert str(caught.value).startswith(f"{place('dataset')}: dataset.filter: the end where a lit")
    with pytest.raises(DataError) as told:
        dataset.prepare(make_experiment(filter="scor > 1"), root=tmp_path)
    assert "dataset.filter names 'scor'; data.jsonl has no such column" in str(told.value)
    assert "did you mean 'score'?" in str(told.value)


def test_a_row_that_can_not_be_compared_is_named_without_what_it_holds(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [*ROWS[:2], {**ROWS[2], "score": "canary"}])
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(filter="score < 2", split={"train": 3}), root=tmp_path)
    assert str(caught.value) == (
        "data.jsonl:3: column 'score' holds no number where dataset.filter compares it with "
        "a number; mend the row, or leave it out with `is empty` or =="
    )


@pytest.mark.parametrize("changes", [{}, {"shuffle_seed": 1}, {"split": {"train": 1.0}}])
def test_a_filter_that_leaves_no_row_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(3))
    changes = {"split": {"train": 2}, "filter": "text == 'none'", **changes}
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(**changes), root=tmp_path)
    fact = "dataset.filter leaves none of the rows of data.jsonl"
    assert caught.value.problem is not None
    assert caught.value.problem.fact == fact
    enough = {**changes, "filter": "text == '1'", "split": {"train": 1}}
    assert dataset.prepare(make_experiment(**enough), root=tmp_path).splits["train"].rows == 1
