"""The tutorial's own steps, written in pandas, and tunekit's examples: equal row by row."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment
from tunekit import dataset
from tunekit.model import Source

DATA = Path(os.environ.get("TUNEKIT_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
ROWS = 209_261
PROMPT = """Given the information below, mask the personal identifiable information.

Input:
{input}

Output:
"""
WORDS = [
    *("call", "Ana", "{a}", "%s", "🙂", "שלום", "\u2028", "\u0085", "\x00", "\\", '"', "'"),
    *("é", "e\u0301", "\t", "\r\n", "\ufeff", "東京"),
]


def by_pandas(path: Path, *, is_lines: bool, columns: tuple[str, str]) -> dict[str, Any]:
    """Return each split's prompts and answers as the tutorial makes them."""
    pandas = pytest.importorskip("pandas", reason="needs pandas (extra dev)")
    records = path.read_text(encoding="utf-8").split("\n") if is_lines else []
    rows = (
        [json.loads(line) for line in records if line]
        if is_lines
        else json.loads(path.read_text(encoding="utf-8"))
    )
    table = pandas.DataFrame(rows)[list(columns)].head(2_000)
    prompts = [
        f"""Given the information below, mask the personal identifiable information.

Input:
{text}

Output:
"""
        for text in table[columns[0]]
    ]
    pairs = list(zip(prompts, table[columns[1]], strict=True))
    return {"train": pairs[:1_900], "test": pairs[1_900:2_000]}


def by_tunekit(path: Path, columns: tuple[str, str]) -> dict[str, Any]:
    experiment = make_experiment(
        source=Source(path=path.name),
        columns={"input": columns[0], "output": columns[1]},
        prompt=PROMPT,
        take=2_000,
        split={"train": 1_900, "test": 100},
    )
    prepared = dataset.prepare(experiment, root=path.parent)
    return {name: [(e.prompt, e.response) for e in prepared.read(name)] for name in prepared.splits}


def generated(path: Path) -> None:
    rng = random.Random(17)
    with path.open("w", encoding="utf-8", newline="") as file:
        for number in range(ROWS):
            text = f"{number} " + " ".join(rng.choices(WORDS, k=rng.randrange(30)))
            row = {"language": "en", "unmasked_text": text, "masked_text": text.replace("Ana", "[")}
            file.write(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n")


def test_the_generated_table_is_the_same_row_by_row(tmp_path: Path) -> None:
    generated(tmp_path / "data.jsonl")
    columns = ("unmasked_text", "masked_text")
    expected = by_pandas(tmp_path / "data.jsonl", is_lines=True, columns=columns)
    assert by_tunekit(tmp_path / "data.jsonl", columns) == expected
    assert [len(rows) for rows in expected.values()] == [1_900, 100]


def test_every_row_of_the_generated_table_is_the_same(tmp_path: Path) -> None:
    generated(tmp_path / "data.jsonl")
    columns = {"input": "unmasked_text", "output": "masked_text"}
    experiment = make_experiment(columns=columns, prompt=PROMPT, split={"train": ROWS})
    examples = dataset.prepare(experiment, root=tmp_path).read("train")
    with (tmp_path / "data.jsonl").open(encoding="utf-8", newline="\n") as file:
        for example, line in zip(examples, file, strict=True):
            row = json.loads(line)
            prompt = PROMPT.replace("{input}", row["unmasked_text"])
            assert (example.prompt, example.response) == (prompt, row["masked_text"])


def test_the_real_table_is_the_same_row_by_row(tmp_path: Path) -> None:
    path = DATA / "pii_presidio.json"
    if not path.exists():
        pytest.skip("no pii_presidio.json: set TUNEKIT_TEST_DATA to the folder that holds it")
    columns = ("full_text", "masked")
    expected = by_pandas(path, is_lines=False, columns=columns)
    assert by_tunekit(path, columns) == expected
    assert len(expected["train"]) == 1_900
