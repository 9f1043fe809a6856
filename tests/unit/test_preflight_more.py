"""Rows that rules must tell apart, and rows of formats that rules must reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import gemini_line, make_experiment, read_all, write_rows
from tunekit.dataset.preflight.look import prepare_checked
from tunekit.model import Experiment, Finding

QUESTION = "What can be seen in the picture that is shown here"


def about(image: str, response: str, question: str = QUESTION) -> dict[str, Any]:
    """Return a ready-made row that asks about an image."""
    line = gemini_line(question, response)
    line["contents"][0]["parts"].append({"fileData": {"fileUri": f"gs://b/{image}.png"}})
    return line


def ready_made(**changes: Any) -> Experiment:
    return make_experiment(**{"ready_made": "vertex", "columns": {}, "prompt": "", **changes})


def look(root: Path, experiment: Experiment) -> dict[str, Finding]:
    found = prepare_checked(experiment, root=root).findings
    return {finding.rule: finding for finding in found}


@pytest.mark.parametrize("seed", [None, 4])
def test_rows_about_other_images_are_no_repeats(tmp_path: Path, seed: int | None) -> None:
    rows = [
        *(about("cat", "a cat"), about("dog", "a dog"), about("fox", "a dog")),
        *(about("cow", "a cow"), about("hen", "a hen", f"{QUESTION}!")),
    ]
    experiment = ready_made(split={"train": 3, "test": 2}, shuffle_seed=seed)
    write_rows(tmp_path / "data.jsonl", rows)
    assert look(tmp_path, experiment) == {}
    write_rows(tmp_path / "data.jsonl", [rows[0]] * 5)
    assert set(look(tmp_path, experiment)) == {"duplicate-row", "leaked-row"}


def test_one_image_with_two_answers_is_a_conflict(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [about("cat", "a cat"), about("cat", "a dog")])
    assert set(look(tmp_path, ready_made(split={"train": 2}))) == {"conflicting-answers"}


def test_dedupe_by_prompt_keeps_rows_about_other_images(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [about(name, "a cat") for name in ("a", "b", "a")])
    experiment = ready_made(split={"train": 1.0}, dedupe="prompt")
    assert [example.line for example in read_all(tmp_path, experiment)] == [1, 2]


@pytest.mark.parametrize("indent", [None, 2])
def test_rows_of_a_json_array_are_told_apart_on_one_line_and_on_many(
    tmp_path: Path, indent: int | None
) -> None:
    texts = [f"{'one two three four five six seven eight'[n:]} {n}" for n in range(12)]
    rows = [{"text": text, "masked": "" if n % 3 == 0 else text} for n, text in enumerate(texts)]
    rows += [rows[1], {"text": f"{texts[2]}!", "masked": "x"}]
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(rows, indent=indent))
    found = look(tmp_path, make_experiment("a.json", split={"train": 12, "test": 2}))
    assert found["empty-answer"].count == 4
    assert found["empty-answer"].places == tuple(f"a.json:{n}" for n in (1, 4, 7, 10))
    assert found["leaked-row"].places == ("a.json:13",)
    assert found["near-leak"].places == ("a.json:14",)
    both = look(tmp_path, make_experiment("*.json", split={"train": 28}))["empty-answer"]
    assert both.count == 8
    assert both.places[-1] == "b.json:1"


@pytest.mark.parametrize("space", ["", " ", "  ", "\n", " \n"])
def test_nearly_equal_texts_are_found_whatever_space_they_end_in(
    tmp_path: Path, space: str
) -> None:
    words = "every morning some fishing boats leave harbour early while seagulls follow them slowly"
    texts = [" ".join(f"{word}{n}" for word in words.split()) for n in range(9)]
    pairs = [(text, text.replace("harbour", "harvest")) for text in texts]
    rows = [
        {"text": f"{one}{space}", "masked": one}
        for both in zip(*pairs, strict=True)
        for one in both
    ]
    write_rows(tmp_path / "data.jsonl", rows)
    found = look(tmp_path, make_experiment(split={"train": 9, "test": 9}))
    assert found["near-leak"].count == 9


def test_a_ready_made_row_that_asks_nothing_is_empty_unless_it_holds_more(tmp_path: Path) -> None:
    rows = [gemini_line("a?", "a"), gemini_line(" ", "b"), about("c", "c", ""), about("d", "d", "")]
    write_rows(tmp_path / "data.jsonl", [*rows, gemini_line("nan", "e")])
    found = look(tmp_path, ready_made(split={"train": 5}))
    assert set(found) == {"empty-input", "null-text"}
    assert found["empty-input"].places == ("data.jsonl:2",)
    assert found["null-text"].places == ("data.jsonl:5",)


def test_a_conversation_whose_last_question_is_blank_is_empty(tmp_path: Path) -> None:
    def chat(*texts: str) -> dict[str, Any]:
        roles = ("user", "assistant") * 2
        return {"chat": [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]}

    write_rows(tmp_path / "data.jsonl", [chat("q", "a"), chat("q", "a", "\n", "b"), chat("", "c")])
    experiment = make_experiment(messages="chat", columns={}, prompt="", split={"train": 3})
    assert look(tmp_path, experiment)["empty-input"].places == ("data.jsonl:2", "data.jsonl:3")
