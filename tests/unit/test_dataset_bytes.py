"""Every character survives: from the file to the wire and back, and in what is hashed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.datasets import make_experiment, read_all, write_rows
from tunekit.dataset.fastjson import dumps, loads
from tunekit.dataset.gcs import Line
from tunekit.dataset.jsontext import DECODER
from tunekit.dataset.readymade import example_of
from tunekit.model import Example
from tunekit.model.data import Turn
from tunekit.providers.gemini_api import rows as gemini_rows
from tunekit.providers.local import rows as local_rows
from tunekit.providers.vertex.rows import line_of

HARD = {
    "line separators": "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg",
    "line ends": "a\nb\r\nc\rd\n\n",
    "emoji": "👩‍👩‍👧‍👦 🇩🇪 👍🏽 \U0010ffff",
    "right to left": "\u202eשלום عليكم\u202c \u200f!",
    "combining": "e\u0301 é \u0130 ß ﬁ",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "quotes and braces": "\"'\\{input}{{}}%s%%</script>",
    "spaces": " \u00a0\u3000\ufeff leads and trails \ufeff\u200b ",
    "noncharacters": "\ufffe\uffff\ufffd",
    "long": "é🙂x" * 33_334,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
@pytest.mark.parametrize("seed", [None, 1])
def test_a_row_survives_to_the_byte(tmp_path: Path, text: str, seed: int | None) -> None:
    write_rows(tmp_path / "data.jsonl", [{"text": text, "masked": f"<{text}>"}])
    [example] = read_all(tmp_path, make_experiment(shuffle_seed=seed, prompt="{input}|"))
    assert (example.prompt, example.response) == (f"{text}|", f"<{text}>")
    line = line_of(example, method="supervised", system_instruction=None)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "contents": [
            {"role": "user", "parts": [{"text": f"{text}|"}]},
            {"role": "model", "parts": [{"text": f"<{text}>"}]},
        ]
    }


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
@pytest.mark.parametrize("method", ["supervised", "preference"])
@pytest.mark.parametrize("system", [None, "Be\u2028brief."])
@pytest.mark.parametrize("has_turns", [False, True])
def test_a_vertex_line_reads_back_as_what_was_written(
    text: str, method: str, system: str | None, has_turns: bool
) -> None:
    rejected = f"no {text}" if method == "preference" else None
    turns = (Turn("user", text), Turn("model", "m"), Turn("user", "u")) if has_turns else ()
    prompt, source = ("\n".join(t.text for t in turns), "u") if has_turns else (text, text)
    example = Example(prompt, f"a{text}", source, 4, rejected, turns)
    line = line_of(example, method=method, system_instruction=system)
    read = example_of(Line(4, line.rstrip(b"\n")), uri="gs://b/o", method=method)
    before = f"{system}\n" if system else ""
    assert read == Example(before + prompt, f"a{text}", source, 4, rejected)


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_a_gemini_api_row_reads_back_as_what_was_written(text: str) -> None:
    pytest.importorskip("google.generativeai", reason="needs google-generativeai (extra dev)")
    from google.generativeai import protos

    row = protos.TuningExample(text_input=text, output=f"a{text}")
    sent = protos.TuningExample.to_json(row)
    assert json.loads(sent) == json.loads(gemini_rows.line_of(text, f"a{text}"))
    assert json.loads(sent) == {"textInput": text, "output": f"a{text}"}
    read = protos.TuningExample.from_json(sent)
    assert (read.text_input, read.output) == (text, f"a{text}")


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_a_local_row_reads_back_as_what_was_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.jsonl"
    local_rows.write_rows(path, [(text, f"a{text}"), ("b", text)])
    assert local_rows.read_rows(path) == [(text, f"a{text}"), ("b", text)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_character_is_written_as_json_writes_it() -> None:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    for start in range(0, sys.maxunicode + 1, 0x800):
        if not 0xD800 <= start <= 0xDFFF:
            text = "".join(map(chr, range(start, start + 0x800)))
            assert dumps(text) == encode(text).encode()


def outcome(decode: Any, raw: bytes) -> tuple[Any, ...]:
    try:
        return ("read", repr(decode(raw)))
    except (ValueError, RecursionError, TypeError) as error:
        return ("refused", type(error).__name__)


def slowly(raw: bytes) -> Any:
    value = DECODER.decode(str(raw, "utf-8"))
    if not isinstance(value, dict):
        raise TypeError
    return value


NUMBERS = [
    *("0", "-0", "-0.0", "1e5", "1E400", "-1e400", "5e-324", "0.1", "1.7976931348623159e308"),
    *("9223372036854775808", "18446744073709551616", "-9223372036854775809", "9" * 40, "9" * 5000),
    *("01", "1.", "NaN", "Infinity", "-Infinity", "1e", "--1", "0x1", "1_0", "9007199254740993.0"),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: n[:24])
def test_numbers_mean_what_json_says(number: str) -> None:
    raw = f'{{"a": {number}, "b": "x"}}'.encode()
    assert outcome(loads, raw) == outcome(slowly, raw)


def test_both_readers_of_json_agree_on_damaged_rows() -> None:
    rng = random.Random(5)
    whole = (
        b'{"a": "\\ud83d\\ude00\xc3\xa9\\u0000", "b": -12.5e1, "c": {"d": [null, true]}, "e": 7}'
    )
    for _ in range(20_000):
        raw = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(raw))
            match rng.randrange(3):
                case 0:
                    raw[at] = rng.choice(b'"\\{}[],:0eE+-. \xff\xe2u\x00')
                case 1:
                    del raw[at]
                case 2:
                    raw[at:at] = rng.choice([b"\\ud800", b"9" * 25, b'"', b"{", b"\xed\xa0\x80"])
        assert outcome(loads, bytes(raw)) == outcome(slowly, bytes(raw))
