"""What differs between jobs, and how it is told."""

from __future__ import annotations

import io
import re
from array import array
from typing import Any

import pytest

from tests.unit.test_views import HOSTILE, output, written
from tunekit.evaluate.comparison import Comparison, Row, Score, SplitRows, Subject, compare
from tunekit.model import EVAL_LOSS, TRAIN_LOSS, MetricPoint, RowIndex
from tunekit.views import compare as view
from tunekit.views.output import Output
from tunekit.views.text import bucketed, sparkline


def curve(metric: str, *values: float) -> dict[str, list[MetricPoint]]:
    return {metric: [MetricPoint(metric, step, value) for step, value in enumerate(values, 1)]}


def rows_of(found: Comparison) -> dict[str, Row]:
    return {f"{row.group}/{row.key}": row for row in found.rows}


def split(hashes: list[int] | None, digest: str, *, rows: int = 3, tokens: int = 9) -> SplitRows:
    index = None
    if hashes is not None:
        # A row's key is the text that it was made of: here its hash without the last digit.
        index = RowIndex(
            hashes=array("Q", hashes),
            keys=array("Q", [value // 10 for value in hashes]),
            tokens=array("I", [value % 10 for value in hashes]),
            lines=array("I", range(len(hashes))),
        )
    return SplitRows(rows=rows, characters=30, digest=digest, tokens=tokens, index=index)


def test_equal_subjects_differ_in_nothing() -> None:
    one = Subject("a@1", spec={"name": "a", "dataset": {"take": 3}}, hyperparameters={"epochs": 2})
    other = Subject(
        "a@2", spec={"name": "a", "dataset": {"take": 3}}, hyperparameters={"epochs": 2}
    )
    assert compare([one, other]).rows == ()
    kept = rows_of(compare([one, other], keeps_equal=True))
    assert kept["hyperparameters/epochs"].is_equal
    assert kept["data/dataset.take"].values == {"a@1": 3, "a@2": 3}


def test_nested_keys_are_grouped_and_a_missing_one_is_none() -> None:
    one = Subject("a@1", spec={"name": "a", "dataset": {"prompt": "x"}, "evaluate": {"split": "t"}})
    other = Subject("b@1", spec={"name": "b", "dataset": {"prompt": "y"}, "tags": {"team": "q"}})
    rows = rows_of(compare([one, other]))
    assert list(rows) == ["spec/evaluate.split", "spec/tags.team", "data/dataset.prompt"]
    assert rows["spec/tags.team"].values == {"a@1": None, "b@1": "q"}


def test_a_hyperparameter_is_told_once() -> None:
    one = Subject("a@1", spec={"tuning": {"epochs": 2}}, hyperparameters={"epochs": 2})
    other = Subject("a@2", spec={"tuning": {"epochs": 3}}, hyperparameters={"epochs": 3})
    assert list(rows_of(compare([one, other]))) == ["hyperparameters/epochs"]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([11, 21, 31], [11, 21, 31], None),
        ([11, 21, 31], [21, 31, 42, 55], (2, 1, 0, 6)),
        ([11, 21, 31], [11, 25, 31], (0, 0, 1, 4)),
        ([11, 11, 23], [11, 23, 23], (1, 1, 0, 2)),
        ([11, 21, 31], [31, 21, 11], (0, 0, 0, 0)),
        (None, [11, 21, 31], (None, None, None, 2)),
    ],
)
def test_rows_are_counted_where_they_are_on_record(
    before: list[int] | None, after: list[int], change: tuple[int | None, ...] | None
) -> None:
    digest = "same" if before == after else "other"
    one = Subject("a@1", splits={"train": split(before, "same")})
    other = Subject("a@2", splits={"train": split(after, digest, rows=len(after), tokens=11)})
    found = compare([one, other], keeps_equal=True)
    values = rows_of(found)["data/train.change"].values
    assert values["a@1"] is None
    if change is None:
        assert values["a@2"] is None
        return
    keys = ("added", "removed", "changed", "tokens")
    assert tuple(values["a@2"][key] for key in keys) == change
    assert values["a@2"]["rows"] == len(after) - 3
    assert any("not on record" in note for note in found.notes) == (before is None)


def test_a_split_that_only_one_has_is_all_new() -> None:
    one = Subject("a@1", splits={})
    other = Subject("a@2", splits={"test": split([11, 21, 31], "t")})
    change = rows_of(compare([one, other]))["data/test.change"].values["a@2"]
    assert (change["added"], change["removed"], change["rows"]) == (3, 0, 3)


def test_curves_end_in_the_last_and_the_best_loss_whatever_is_not_finite() -> None:
    one = Subject(
        "a@1",
        curves={
            **curve(TRAIN_LOSS, 3.0, 1.0, float("nan")),
            **curve(EVAL_LOSS, 2.0, 0.5, 0.9),
        },
    )
    rows = rows_of(compare([one, Subject("a@2")]))
    assert rows["result/train_loss"].values == {"a@1": 1.0, "a@2": None}
    assert rows["result/eval_loss"].values["a@1"] == 0.9
    assert rows["result/best_eval_loss"].values["a@1"] == 0.5
    assert rows["result/best_eval_step"].values["a@1"] == 2


def test_scores_are_always_told_and_so_is_that_they_are_of_other_rows() -> None:
    same = {"exact_match": Score(0.5, 0.4, 0.6, rows=10, split="test", split_digest="t")}
    other = {"exact_match": Score(0.5, 0.4, 0.6, rows=10, split="test", split_digest="u")}
    found = compare([Subject("a@1", scores=same), Subject("a@2", scores=same)])
    assert rows_of(found)["scores/exact_match"].is_equal
    assert found.notes == ()
    found = compare([Subject("a@1", scores=same), Subject("a@2", scores=other)])
    assert "different rows" in found.notes[0]
    fewer = {"exact_match": Score(0.5, 0.4, 0.6, rows=5, split="test", split_digest="t")}
    found = compare([Subject("a@1", scores=same), Subject("a@2", scores=fewer)])
    assert "different rows" in found.notes[0]
    found = compare([Subject("a@1", scores=same), Subject("a@2")])
    assert "Not evaluated: a@2" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (None, "the same rows"),
        (
            {"added": 12, "removed": 3, "changed": 1, "rows": 9, "tokens": 4100},
            "+12 -3 ~1 rows, +4,100 tokens",
        ),
        ({"added": 0, "removed": 3, "changed": 0, "rows": -3, "tokens": None}, "-3 rows"),
        (
            {"added": 0, "removed": 0, "changed": 0, "rows": 0, "tokens": 0},
            "the same rows in another order",
        ),
        (
            {"added": None, "removed": None, "changed": None, "rows": 1000, "tokens": None},
            "+1,000 rows",
        ),
        (
            {"added": None, "removed": None, "changed": None, "rows": 0, "tokens": -7},
            "other rows, as many, -7 tokens",
        ),
    ],
)
def test_changes_of_data_are_said_in_a_few_words(change: dict[str, Any], text: str) -> None:
    assert view.change_text(change) == text


def test_long_texts_are_shown_where_they_begin_to_differ() -> None:
    head = "Mask the personal data in this message of a customer, please. "
    shown = view.excerpts({"a": head + "Be brief.", "b": head + "Be exact."})
    assert shown["a"].startswith("…")
    assert shown["a"].endswith("brief.")
    assert len(shown["a"]) < 30
    assert view.excerpts({"a": "x" * 70, "b": "x" * 70}) != {}


def hostile() -> tuple[Comparison, list[Subject]]:
    evil = "`a` ``b`` | <img src=x onerror=y> ![](http://x) @team " + HOSTILE
    subjects = [Subject("a@1", spec={"tags": {evil: "x"}}, result={"error": evil}), Subject("a@2")]
    return compare(subjects), subjects


def test_markdown_makes_code_of_foreign_text_and_nothing_else() -> None:
    found, subjects = hostile()
    out = output(is_terminal=False)
    view.print_markdown(out, found, subjects)
    lines = written(out).splitlines()
    rows = [line for line in lines if "onerror" in line]
    assert rows
    for row in rows:
        # What is left when code spans are taken away is the table's own frame.
        bare = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", row)
        assert set(bare) <= set("| -"), bare
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_keep_foreign_text_harmless_at_any_width(is_terminal: bool, width: int) -> None:
    found, subjects = hostile()
    out = output(is_terminal=is_terminal, width=width)
    view.print_comparison(out, found, subjects)
    assert not any(bad in written(out) for bad in ("\x1b[2J", "\x1b]52", "\u202e", "\x07"))
    if is_terminal:
        assert max(map(len, written(out).splitlines())) <= width


def test_many_jobs_become_lines_and_what_lacks_room_is_counted() -> None:
    subjects = [
        Subject(
            f"a@{n}",
            hyperparameters={f"key_{k}": n for k in range(12)},
            scores={"exact_match": Score(n / 10)},
            curves=curve(TRAIN_LOSS, 1.0, 1 / n),
        )
        for n in range(1, 8)
    ]
    found = compare(subjects)
    out = output(is_terminal=True, width=60)
    view.print_comparison(out, found, subjects)
    head, _, *lines = written(out).splitlines()
    assert "EXACT_MATCH" in head
    assert [line.split()[0] for line in lines[:7]] == [s.name for s in subjects]
    assert "left out" in " ".join(lines)
    assert max(map(len, [head, *lines])) <= 60


def test_csv_has_a_row_a_key_and_scores_with_their_intervals() -> None:
    scored = Subject("a@1", scores={"exact_match": Score(0.5, 0.4, 0.6)})
    fields, rows = view.csv_rows(compare([scored, Subject("a@2")]))
    assert fields == ["group", "key", "a@1", "a@2"]
    assert rows == [
        {"group": "scores", "key": "exact_match", "a@1": 0.5, "a@2": None},
        {"group": "scores", "key": "exact_match.low", "a@1": 0.4, "a@2": None},
        {"group": "scores", "key": "exact_match.high", "a@1": 0.6, "a@2": None},
    ]


@pytest.mark.parametrize(
    ("losses", "title", "drawn"),
    [
        (((8.0, 4.0), (2.0, 0.0)), "train curve ", ["█▅", "▃▁"]),
        # Those that fall far, on a logarithmic one.
        (((100.0, 1.0), (10.0, 1.0)), "train curve (log)", ["█▁", "▅▁"]),
    ],
)
def test_curves_are_drawn_on_one_scale(
    losses: tuple[tuple[float, ...], ...], title: str, drawn: list[str]
) -> None:
    subjects = [Subject(f"a@{n}", curves=curve(TRAIN_LOSS, *v)) for n, v in enumerate(losses, 1)]
    out = Output(io.StringIO(), "table", is_terminal=False, has_colour=False, width=80)
    view.print_comparison(out, compare(subjects), subjects)
    (row,) = [row for row in written(out).splitlines() if title in row]
    assert row.split()[-2:] == drawn


def test_a_sparkline_is_as_wide_as_asked_and_skips_what_is_not_finite() -> None:
    means = bucketed([1.0, float("inf"), 3.0, 5.0, float("nan"), 7.0], 2)
    assert means == [2.0, 6.0]
    assert bucketed([], 4) == []
    assert len(bucketed([float(n) for n in range(1000)], 16)) == 16
    assert sparkline([0.0, 1.0], low=0.0, high=1.0) == "▁█"
    assert sparkline([1.0, 1.0], low=1.0, high=1.0) == "▁▁"
