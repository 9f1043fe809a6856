"""Rows with a chosen and a rejected answer, rendered from a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, write_rows
from tunekit import dataset
from tunekit.errors import DataError, SpecError
from tunekit.model import Experiment, Tuning

COLUMNS = {"input": "q", "chosen": "good", "rejected": "bad"}
ROWS = [{"q": f"q{n}", "good": f"é{n}", "bad": f"b{n}"} for n in range(4)]


def preference(**changes: object) -> Experiment:
    experiment = make_experiment(
        **{"columns": COLUMNS, "split": {"train": 3, "test": 1}, **changes}
    )
    return replace(experiment, tuning=Tuning(method="preference"))


@pytest.mark.parametrize("seed", [None, 5])
def test_both_answers_reach_the_example(tmp_path: Path, seed: int | None) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    prepared = dataset.prepare(preference(shuffle_seed=seed), root=tmp_path)
    examples = [*prepared.read("train"), *prepared.read("test")]
    assert sorted((e.prompt, e.response, e.rejected, e.source) for e in examples) == [
        (f"Mask: q{n}", f"é{n}", f"b{n}", f"q{n}") for n in range(4)
    ]


def test_the_digest_covers_the_rejected_answer(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    prepared = dataset.prepare(preference(), root=tmp_path)
    lines = [
        json.dumps(
            {"prompt": e.prompt, "rejected": e.rejected, "response": e.response},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for e in prepared.read("train")
    ]
    text = "".join(f"{line}\n" for line in lines)
    info = prepared.splits["train"]
    assert info.digest == hashlib.sha256(text.encode()).hexdigest()
    assert info.characters == 3 * (len("Mask: q0") + len("é0") + len("b0"))
    write_rows(tmp_path / "data.jsonl", [{**ROWS[0], "bad": "worse"}, *ROWS[1:]])
    changed = dataset.prepare(preference(), root=tmp_path)
    assert changed.training_identity() != prepared.training_identity()


def test_equal_answers_are_refused_by_line_and_not_shown(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [ROWS[0], {"q": "q", "good": "SECRET", "bad": "SECRET"}])
    with pytest.raises(DataError) as caught:
        dataset.prepare(preference(split={"train": 1.0}), root=tmp_path)
    assert str(caught.value) == (
        "data.jsonl:2: columns 'good' and 'bad' hold the same text, so neither is the better; "
        "mend or remove the row"
    )


@pytest.mark.parametrize("name", ["chosen", "rejected"])
def test_no_answer_may_stand_in_the_prompt(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    with pytest.raises(SpecError, match=rf"has {{{name}}} in its line 1, which gives the answer"):
        dataset.prepare(preference(prompt=f"{{input}} {{{name}}}"), root=tmp_path)


def test_columns_of_the_other_method_are_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)
    columns = {"input": "q", "output": "good"}
    told = [str(p) for p in dataset.check(preference(columns=columns), root=tmp_path)]
    assert len(told) == 2
    assert "dataset.columns has no chosen; add chosen: COLUMN" in told[0]
    assert "dataset.columns has no rejected; add rejected: COLUMN" in told[1]
