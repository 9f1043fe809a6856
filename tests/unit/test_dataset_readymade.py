"""Lines in Vertex AI's own formats: what is read from them, and what is told of a misfit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.datasets import gemini_line, preference_line, turn
from tunekit.dataset.gcs import Line
from tunekit.dataset.readymade import example_of
from tunekit.dataset.sources import BadSource
from tunekit.model import Example

URI = "gs://bucket/rows.jsonl"


def read(line: Any, method: str = "supervised", number: int = 7) -> Example | None:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    return example_of(Line(number, raw), uri=URI, method=method)


def told(line: Any, method: str = "supervised", number: int = 7) -> str:
    with pytest.raises(BadSource) as caught:
        read(line, method, number)
    place, _, text = str(caught.value).partition(f"{URI}:{number}: ")
    assert place == ""
    return text


def test_one_question_and_its_answer() -> None:
    assert read(gemini_line("q", "a")) == Example("q", "a", "q", 7)
    assert read(b" \r") is None


def test_all_that_comes_before_the_answer_is_the_prompt() -> None:
    line = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            turn("system", "counts for nothing"),
            turn("user", "first"),
            turn("model", "answer"),
            {"role": "user", "parts": [{"text": "sec"}, {"fileData": {}}, {"text": "ond"}]},
            turn("model", "last"),
        ],
    }
    expected = Example("Be brief.\nfirst\nanswer\nsecond", "last", "second", 7)
    found = read(line)
    assert found is not None
    assert found.beyond
    assert found._replace(beyond=b"") == expected
    line["system_instruction"] = line.pop("systemInstruction")
    assert read(line) == found


def test_what_is_no_text_tells_rows_apart() -> None:
    def beyond(part: dict[str, Any], **more: Any) -> bytes:
        content = {"role": "user", "parts": [{"text": "what?"}, part]}
        found = read({"contents": [content, turn("model", "a cat")], **more})
        assert found is not None
        return found.beyond

    cat, dog = ({"fileData": {"fileUri": f"gs://b/{name}.png"}} for name in ("cat", "dog"))
    clip = {"text": "", "videoMetadata": {"fps": 2}}
    tools = [{"functionDeclarations": [{"name": "look"}]}]
    kinds = [beyond(cat), beyond(dog), beyond(clip), beyond({}, tools=tools)]
    assert len({*kinds, b""}) == 5
    assert beyond(dict(reversed(cat.items()))) == kinds[0]
    for plain in ({}, {"text": "x"}, {"text": "x", "thought": True}, {"fileData": None}):
        assert beyond(plain) == beyond(plain, tools=[]) == b""


def test_a_preference_takes_its_completions_by_score() -> None:
    line = preference_line("q", "better", "worse")
    assert read(line, "preference") == Example("q", "better", "q", 7, "worse")
    line["completions"].reverse()
    line["completions"][0]["score"] = 0.0
    assert read(line, "preference") == Example("q", "better", "q", 7, "worse")


def changed(**fields: Any) -> dict[str, Any]:
    return {**gemini_line("SECRET", "SECRET"), **fields}


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (b"{", "not valid JSON ("),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "not valid JSON (NaN is no JSON number)"),
        (b"\xff", "not UTF-8 (byte 1 of the line)"),
        (b'"SECRET"', "not a JSON object"),
        ({}, "has no contents; write it in Gemini's format"),
        ({"messages": []}, "has no contents; this is the chat format of open models; write it"),
        ({"input_text": "", "output_text": ""}, "has no contents; this is the format of former"),
        ({"textInput": "", "output": ""}, "has no contents; this is the format of the Gemini API"),
        (changed(contents="SECRET"), "contents are not a list of turns"),
        (changed(contents=[]), "contents are not a list of turns"),
        (changed(contents=["SECRET"]), "turn 1 of contents is not an object"),
        (changed(contents=[turn("assistant", "SECRET")]), "turn 1 of contents has no role that"),
        (changed(contents=[{"parts": []}]), "turn 1 of contents has no role that"),
        (changed(contents=[{"role": ["user"]}]), "turn 1 of contents has no role that"),
        (changed(contents=[{"role": "user"}]), "turn 1 of contents has no parts"),
        (changed(contents=[{"role": "user", "parts": ["SECRET"]}]), "has a part that is no text"),
        (changed(contents=[turn("user", "SECRET")]), "do not end with a turn of the model"),
        (changed(contents=[turn("model", "SECRET")] * 2), "contents have no turn of the user"),
        (changed(systemInstruction="SECRET"), "systemInstruction is not an object"),
        (changed(systemInstruction={}), "systemInstruction has no parts"),
        (gemini_line("\ud800", "SECRET"), "holds half a surrogate pair"),
        (preference_line("q", "a", "b"), "has completions, which is the format of preference"),
    ],
)
def test_a_misfit_is_told_and_never_shown(line: Any, fact: str) -> None:
    assert fact in told(line)
    assert "; " in told(line)
    assert "SECRET" not in told(line)


def test_a_byte_order_mark_is_told_on_the_first_line() -> None:
    line = b"\xef\xbb\xbf" + json.dumps(gemini_line("q", "a")).encode()
    assert told(line, number=1).startswith("begins with a byte order mark; ")


def scored(*scores: Any) -> dict[str, Any]:
    """Return a preference whose completions have these scores and differ."""
    completions = [
        {"score": score, "completion": turn("model", f"SECRET {place}")}
        for place, score in enumerate(scores)
    ]
    return {"contents": [turn("user", "SECRET")], "completions": completions}


NOT_TWO = "completions are not two, with the scores 1 and 0; "
FIRST = {"score": 1, "completion": turn("model", "SECRET")}


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (gemini_line("SECRET", "SECRET"), "has no completions, which preference tuning learns"),
        ({"completions": []}, "has no contents; "),
        (scored(1), NOT_TWO),
        (scored(1, 1), NOT_TWO),
        (scored(1, 0, 0), NOT_TWO),
        (scored(1, 0.5), NOT_TWO),
        (scored("1", "0"), NOT_TWO),
        (scored(True, False), NOT_TWO),
        ({**scored(), "completions": ["SECRET", 3]}, NOT_TWO),
        ({**scored(), "completions": 3}, "completions are not a list; "),
        ({**scored(), "completions": [FIRST, {"score": 0}]}, "completion is not an object; "),
        (
            {**scored(), "completions": [FIRST, {"score": 0, "completion": turn("user", "x")}]},
            "a completion is no turn of the model; ",
        ),
        (
            {
                **scored(),
                "completions": [
                    {"score": 1, "completion": {"role": "model", "parts": [{"fileData": {}}]}}
                ],
            },
            "a completion is not all text; ",
        ),
        (preference_line("SECRET", "SECRET", "SECRET"), "both completions are the same text; "),
        ({**scored(1, 0), "contents": [turn("model", "x")]}, "contents have no turn of the user; "),
        (
            {**scored(1, 0), "contents": [turn("user", "x"), turn("model", "x")]},
            "contents do not end with a turn of the user; ",
        ),
    ],
)
def test_a_faulty_preference_is_told_and_never_shown(line: Any, fact: str) -> None:
    assert fact in told(line, "preference")
    assert "SECRET" not in told(line, "preference")
