"""What `validate` says of a data set before it is rendered: every fault, at its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment, numbered, place, read_all, write_rows
from tunekit import dataset
from tunekit.errors import DataError, UsageError
from tunekit.model import Source


def said(root: Path, path: str = "data.jsonl", **changes: object) -> list[str]:
    return [str(problem) for problem in dataset.check(make_experiment(path, **changes), root=root)]


def test_a_good_data_set_has_no_problems(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", numbered(3))
    assert said(tmp_path) == []


def test_only_the_head_of_the_file_is_read(tmp_path: Path) -> None:
    rows = "".join(json.dumps(row) + "," for row in numbered(5_000))
    (tmp_path / "data.jsonl").write_text(rows.replace("},", "}\n") + "not JSON")
    (tmp_path / "data.json").write_text("[" + rows + "not JSON")
    (tmp_path / "data.csv").write_text("text,masked\n" + "1,2\n" * 5_000 + "1\n")
    for name in ("data.jsonl", "data.json", "data.csv"):
        assert said(tmp_path, name) == []


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv"])
def test_a_missing_column_is_named_with_what_there_is(tmp_path: Path, name: str) -> None:
    row = {"unmasked text": "a", "masked": "b", "id": "1"}
    text = {
        "data.jsonl": json.dumps(row),
        "data.json": json.dumps([row]),
        "data.csv": ",".join(row) + "\n" + ",".join(row.values()),
    }[name]
    (tmp_path / name).write_text(text)
    columns = {"input": "unmasked_text", "output": "answer"}
    has = f"{name} has no such column; it has unmasked text, masked, id"
    messages = [
        (
            f"{place('dataset.columns.input')}: dataset.columns.input names 'unmasked_text'; "
            f"{has}; "
            "did you mean 'unmasked text'?"
        ),
        f"{place('dataset.columns.output')}: dataset.columns.output names 'answer'; {has}",
    ]
    assert said(tmp_path, name, columns=columns) == messages
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(name, columns=columns), root=tmp_path)
    assert str(caught.value) == "\n".join(messages)


def test_a_column_may_be_missing_in_the_first_row_only(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [{"other": 1}, *numbered(3)])
    assert said(tmp_path) == []
    with pytest.raises(DataError, match=r"^data\.jsonl:1: column 'text' is missing; give it"):
        dataset.prepare(make_experiment(), root=tmp_path)


def test_a_csv_without_a_header_does_not_spill_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text('"Call Ana at 555-0142 about the order she placed",short\n')
    assert all(problem.endswith("it has short, 1 more") for problem in said(tmp_path, "data.csv"))
    (tmp_path / "data.csv").write_text("x" * 100 + "\n")
    for problem in said(tmp_path, "data.csv"):
        assert problem.endswith("it has 1 with names too long to show")


def test_many_columns_are_cut_short(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [{f"c{n}": n for n in range(500)}])
    for problem in said(tmp_path):
        assert problem.endswith("it has c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, 490 more")


def test_a_bad_row_in_the_head_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\nnot JSON\n")
    assert said(tmp_path) == [
        "data.jsonl:2: not valid JSON (Expecting value); each line must be one object"
    ]


@pytest.mark.parametrize(("name", "text"), [("data.jsonl", "\n\n"), ("data.json", " [ ] ")])
def test_a_file_without_rows_is_a_problem(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    where = place("dataset.source.path")
    assert said(tmp_path, name) == [f"{where}: {name} has no rows; add rows or name another source"]


def test_faults_of_the_spec_and_of_the_source_come_together(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        "gone.csv",
        columns={"input": "text"},
        prompt="{nothing} \ud800",
        system_instruction="\udc00",
        split={"train": 0.9, "test": 0.2},
    )
    assert found == [
        (
            f"{place('dataset.prompt')}: dataset.prompt has {{nothing}} in its line 1; "
            "dataset.columns has no such name; it has {input}"
        ),
        (
            f"{place('dataset.columns')}: dataset.columns has no output; "
            "add output: COLUMN, the column that holds the response"
        ),
        (
            f"{place('dataset.prompt')}: dataset.prompt holds half a surrogate pair, "
            "which is no character; remove it"
        ),
        (
            f"{place('dataset')}: dataset.system_instruction holds half a surrogate pair, "
            "which is no character; remove it"
        ),
        (
            f"{place('dataset.split')}: dataset.split has shares that sum to 1.1; "
            "they may sum to 1 at most"
        ),
        (
            f"{place('dataset.source.path')}: dataset.source.path: gone.csv does not exist; "
            "paths are relative to the project's root"
        ),
    ]


@pytest.mark.parametrize("source", [Source(hub="o/n"), Source(gcs="gs://b/t.csv", is_table=True)])
def test_what_is_elsewhere_is_checked_as_written_only(tmp_path: Path, source: Source) -> None:
    assert dataset.check(make_experiment(source=source), root=tmp_path) == []
    (problem,) = dataset.check(make_experiment(source=source, prompt="{inptu}"), root=tmp_path)
    assert str(problem).startswith(place("dataset.prompt"))


def test_one_prompt_is_rendered_by_hand() -> None:
    columns = {"input": "text", "tone": "tone", "output": "masked"}
    experiment = make_experiment(columns=columns, prompt="{tone}: {input} {{x}} {tone}")
    assert dataset.render(experiment, {"tone": "{input}"}, text="%s") == "{input}: %s {x} {input}"
    with pytest.raises(UsageError, match=r"also needs {tone}; give --column tone=VALUE"):
        dataset.render(experiment, {}, text="a")
    with pytest.raises(UsageError, match=r"has no {output}; it has: tone, input"):
        dataset.render(experiment, {"output": "a"})
    with pytest.raises(UsageError, match="leave TEXT out"):
        dataset.render(experiment, {"tone": "a", "input": "b"}, text="c")


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "*.jsonl"])
def test_json_may_have_a_key_late(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [{"text": str(n), "masked": "x"} for n in range(50)]
    rows += [{"text": "late", "masked": "x", "flag": True}, {"text": "later"}]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    write_rows(tmp_path / "data.jsonl", rows[:40])
    write_rows(tmp_path / ("more.jsonl" if name == "*.jsonl" else "data.jsonl"), rows)
    experiment = make_experiment(name, split={"train": 1}, filter="flag == true")
    assert dataset.check(experiment, root=tmp_path) == []
    assert [example.source for example in read_all(tmp_path, experiment)] == ["late"]
    missing = make_experiment(name, split={"train": 1}, filter="flags == true")
    (problem,) = dataset.check(missing, root=tmp_path)
    assert problem.fact == f"dataset.filter names 'flags'; {name} has no such column"
    assert "flag" in problem.remedy
