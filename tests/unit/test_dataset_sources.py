"""Rows out of files: every format, every bad row by name, every odd character unharmed."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, place, read_all, write_rows
from tunekit import dataset
from tunekit.dataset import jsontext
from tunekit.dataset.formats import JsonArray
from tunekit.dataset.sources import LocalFile
from tunekit.errors import DataError

NASTY = [
    "plain",
    "",
    " ",
    "😀 family 👨‍👩‍👧‍👦 flag 🇩🇪",
    "line\u2028separator paragraph\u2029 next\u0085line",
    "שלום \u202eعالم\u202c",
    "e\u0301 \u200d zero\u200bwidth \ufeff bom inside",
    "embedded \0 NUL",
    "form\x0cfeed \x1c \x1d \x1e \x0b",
    "CRLF\r\ninside\rand\nmore",
    'quotes "" and , commas',
    "{input} {{input}} %s %(x)s %% \\ {",
    "x" * 100_000,
    "\U0010ffff\uffff",
]


def nasty_rows() -> list[dict[str, str]]:
    return [{"text": text, "masked": text[::-1]} for text in NASTY]


def csv_text(rows: list[dict[str, str]], lineterminator: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, ["text", "masked"], lineterminator=lineterminator, quoting=csv.QUOTE_ALL
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def content(name: str, rows: list[dict[str, str]]) -> bytes:
    match name.rpartition(".")[2]:
        case "jsonl" | "ndjson":
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        case "json":
            text = json.dumps(rows, ensure_ascii=False, indent=2)
        case _:
            text = csv_text(rows)
    return text.encode()


FILES = ("data.jsonl", "data.ndjson", "data.JSONL", "sub/data.json", "data.csv")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_every_character_survives_every_format(tmp_path: Path, name: str, start: bytes) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(start + content(name.lower(), nasty_rows()))
    examples = read_all(tmp_path, make_experiment(name, split={"train": len(NASTY)}))
    assert [example.source for example in examples] == NASTY
    assert [example.response for example in examples] == [text[::-1] for text in NASTY]
    assert [example.prompt for example in examples] == [f"Mask: {text}" for text in NASTY]


def test_the_same_rows_have_the_same_digest_in_every_format(tmp_path: Path) -> None:
    found = set()
    for name in ("data.jsonl", "data.json", "data.csv"):
        (tmp_path / name).write_bytes(content(name, nasty_rows()))
        experiment = make_experiment(name, split={"train": 9, "test": 5})
        found.add(dataset.prepare(experiment, root=tmp_path).fingerprint)
    assert len(found) == 1


def test_escaped_json_reads_as_the_characters(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "\\ud83d\\ude00 \\u00e9", "masked": "\\u0000"}')
    (example,) = read_all(tmp_path, make_experiment())
    assert (example.source, example.response) == ("😀 é", "\0")


def test_jsonl_skips_blank_lines_and_counts_them(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_bytes(
        b'\n  \r\n{"text": "a", "masked": "b"}\r\n\n\t\n{"text": "c", "masked": "d"}'
    )
    examples = read_all(tmp_path, make_experiment(split={"train": 2}))
    assert [(example.line, example.source) for example in examples] == [(3, "a"), (6, "c")]


def test_numbers_and_booleans_are_rendered_as_json(tmp_path: Path) -> None:
    values = [0, -7, 10**40, 1.5, -0.0, 1e300, True, False]
    write_rows(tmp_path / "data.jsonl", [{"text": value, "masked": value} for value in values])
    examples = read_all(tmp_path, make_experiment(split={"train": len(values)}))
    assert [e.source for e in examples] == [json.dumps(value) for value in values]
    assert [e.response for e in examples] == [json.dumps(value) for value in values]


OK = '{"text": "secret", "masked": "x"}'
EACH = "each line must be one object"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "not a JSON object; each line must be one"),
        ('"secret"', "not a JSON object; each line must be one"),
        ("null", "not a JSON object; each line must be one"),
        ('{"text": secret}', f"not valid JSON (Expecting value); {EACH}"),
        ('{"text": "secret', f"not valid JSON (Unterminated string starting); {EACH}"),
        ('{"text": "sec\tret"}', f"not valid JSON (Invalid control character); {EACH}"),
        ('{"text": "\\secret"}', f"not valid JSON (Invalid \\escape); {EACH}"),
        (f"{OK} {OK}", f"not valid JSON (Extra data); {EACH}"),
        ('{"text": NaN}', f"not valid JSON (NaN is no JSON number); {EACH}"),
        ('{"text": -Infinity}', f"not valid JSON (-Infinity is no JSON number); {EACH}"),
        ("[" * 200_000, f"nested too deeply; {EACH}"),
        (
            '{"text": ' + "9" * 5_000 + "}",
            f"not usable JSON (a number has too many digits); {EACH}",
        ),
        (
            '{"masked": "secret"}',
            "column 'text' is missing; give it a value or remove the row",
        ),
        (
            '{"text": "secret", "masked": null}',
            "column 'masked' is null; give it a value or remove the row",
        ),
        (
            '{"text": {"secret": 1}, "masked": "x"}',
            "column 'text' holds an object; a value must be a string, a number or true or false",
        ),
        (
            '{"text": "x", "masked": ["secret"]}',
            "column 'masked' holds a list; a value must be a string, a number or true or false",
        ),
        (
            '{"text": 1e999, "masked": "x"}',
            "column 'text' holds a number too large to write; write it as a string",
        ),
        (
            '{"text": "secret \\ud83d", "masked": "x"}',
            (
                "column 'text' holds half a surrogate pair, which is no character; "
                "mend or remove the row"
            ),
        ),
        (
            '{"text": "secret", "masked": "\\udc00\\ud83d"}',
            (
                "column 'masked' holds half a surrogate pair, which is no character; "
                "mend or remove the row"
            ),
        ),
    ],
)
def test_a_bad_jsonl_row_is_named_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "data.jsonl").write_text(f"{OK}\n\n{line}\n{OK}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(split={"train": 3}), root=tmp_path)
    assert str(caught.value) == f"data.jsonl:3: {message}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv"])
@pytest.mark.parametrize("bad", [b"caf\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_what_is_not_utf8_is_named_by_line_and_byte(tmp_path: Path, name: str, bad: bytes) -> None:
    rows = [{"text": "ä" * 40_000, "masked": "x"}] * 3 + [{"text": "@", "masked": "y"}]
    raw = content(name, rows)
    at = raw.index(b"@")
    (tmp_path / name).write_bytes(raw.replace(b"@", bad))
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment(name, split={"train": 4}), root=tmp_path)
    line = raw.count(b"\n", 0, at) + 1
    byte = at - raw.rfind(b"\n", 0, at) + (3 if bad == b"caf\xe9" else 0)
    remedy = "save the file as UTF-8"
    assert str(caught.value) == f"{name}:{line}: not UTF-8 (byte {byte} of the line); {remedy}"


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_refused(tmp_path: Path, name: str, encoding: str) -> None:
    text = content(name, [{"text": "a", "masked": "b"}]).decode()
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=r"not UTF-8 .byte 1 of the line.; save the file as UTF-8"):
        dataset.prepare(make_experiment(name), root=tmp_path)


ONE_ARRAY = "a .json file holds one array of objects"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f":1: not a JSON array; {ONE_ARRAY}"),
        ("\n\n7", f":3: not a JSON array; {ONE_ARRAY}"),
        (
            f"{OK}\n{OK}",
            (
                f":1: an object where an array must start; {ONE_ARRAY}; with an object a line, "
                "name it .jsonl"
            ),
        ),
        (f"[{OK},\n[1]]", ":2: element 2 is not a JSON object; each element must be one"),
        (f"[{OK},\n]", ":2: element 2 is not a JSON object; each element must be one"),
        (f"[{OK}\n{OK}]", f":2: not valid JSON (no ',' or ']' after element 1); {ONE_ARRAY}"),
        (f"[{OK}", f":1: not valid JSON (no ',' or ']' after element 1); {ONE_ARRAY}"),
        (f"[{OK}]\n\n]", f":3: not valid JSON (more follows after the array); {ONE_ARRAY}"),
        (
            f'[\n{OK},\n{{"text":\n\n"x" "masked"}}]',
            (
                ":5: element 2 is not valid JSON (Expecting ',' delimiter); "
                "each element must be one object"
            ),
        ),
        (
            f'[{OK},\n{{"text": Infinity}}]',
            (
                ":2: element 2 is not valid JSON (Infinity is no JSON number); "
                "each element must be one object"
            ),
        ),
        (
            f'[{OK},\n{{"text": "secret',
            (
                ":2: element 2 is not valid JSON (Unterminated string starting); "
                "each element must be one object"
            ),
        ),
        (
            '[{"text": ' + "[" * 100_000,
            ":1: element 1 is nested too deeply; each element must be one object",
        ),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_a_bad_json_array_is_named_by_line_and_element(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, chunk: int
) -> None:
    monkeypatch.setattr(jsontext, "_CHUNK_CHARACTERS", chunk)
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment("data.json", split={"train": 9}), root=tmp_path)
    assert str(caught.value) == f"data.json{message}"


def test_a_json_array_reads_the_same_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(5)
    path = tmp_path / "data.json"
    for trial in range(60):
        values = [
            {
                rng.choice(["text", "é", '"\\', f"k{n}"]): rng.choice(
                    [*NASTY[:12], 1.5e-7, -12, True, None, {"a": [{"b": "}"}]}, "\\u0041\\", "]"]
                )
                for n in range(rng.randrange(5))
            }
            for _ in range(rng.randrange(6))
        ]
        ascii_only = rng.random() < 0.5
        indent = rng.choice([None, 0, 3])
        path.write_bytes(json.dumps(values, ensure_ascii=ascii_only, indent=indent).encode())
        monkeypatch.setattr(jsontext, "_CHUNK_CHARACTERS", rng.choice([1, 2, 3, 10, 50, 1000]))
        rows = list(JsonArray(LocalFile(path), "data.json").rows())
        assert [dict(row.values) for row in rows] == values, trial


def test_a_row_of_a_json_array_has_its_number(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(f"\n[\n {OK}\n,\n\n{OK}, {OK}\n]\n")
    examples = read_all(tmp_path, make_experiment("data.json", split={"train": 3}))
    assert [example.line for example in examples] == [1, 2, 3]


def test_a_csv_row_has_the_line_where_it_starts(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(
        b'text,masked\r\n"a\r\nb\nc",d\r\n\r\ne,"f ""g"", h"\r\n,\r\n'
    )
    examples = read_all(tmp_path, make_experiment("data.csv", split={"train": 3}))
    assert [(e.line, e.source, e.response) for e in examples] == [
        (2, "a\r\nb\nc", "d"),
        (6, "e", 'f "g", h'),
        (7, "", ""),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_csv_takes_every_line_end(tmp_path: Path, newline: str) -> None:
    (tmp_path / "data.csv").write_bytes(csv_text(nasty_rows(), newline).encode())
    examples = read_all(tmp_path, make_experiment("data.csv", split={"train": len(NASTY)}))
    assert [example.source for example in examples] == NASTY


def test_a_csv_field_may_be_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    text = "ab" * 300_000
    (tmp_path / "data.csv").write_text(f"text,masked\n{text},x\n")
    (example,) = read_all(tmp_path, make_experiment("data.csv"))
    assert example.source == text


QUOTE = 'a value with a comma, quote or line end must be in "quotes"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": empty; the first row must name the columns"),
        ("\n\n", ": empty; the first row must name the columns"),
        ("text,,masked\n", ":1: column 2 has no name; the first row must name every column"),
        ("text, ,masked\n", ":1: column 2 has no name; the first row must name every column"),
        (
            "\ntext,masked,text\n",
            ":2: columns 1 and 3 have the same name; column names must differ",
        ),
        ("text,masked\na,b\n\nsecret\n", f":4: 1 field where the header has 2; {QUOTE}"),
        ("text,masked\n'secret',b,c\n", f":2: 3 fields where the header has 2; {QUOTE}"),
        (
            'text,masked\na,b\n"secret"x,b\n',
            ":3: not valid CSV (',' expected after '\"'); write a quote inside a value as \"\"",
        ),
        (
            'text,masked\na,b\n"secret,\nb\n',
            ':3: not valid CSV (unexpected end of data); write a quote inside a value as ""',
        ),
    ],
)
def test_a_bad_csv_row_is_named_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        dataset.prepare(make_experiment("data.csv", split={"train": 3}), root=tmp_path)
    assert str(caught.value) == f"data.csv{message}"


ENDINGS = ".jsonl, .ndjson, .json, .csv, .tsv, .parquet, each also as .gz or .zst"
SUPPORTED = f"supported are {ENDINGS}, all text as UTF-8"
BELOW = "name a file below the project's root"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.xlsx", f"data.xlsx has no known ending; {SUPPORTED}"),
        ("data.gz", f"data.gz has no known ending; {SUPPORTED}"),
        ("data.jsonl.bz2", f"data.jsonl.bz2 has no known ending; {SUPPORTED}"),
        ("data.jsonl.gz.gz", f"data.jsonl.gz.gz has no known ending; {SUPPORTED}"),
        ("data", f"data has no known ending; {SUPPORTED}"),
        ("gone.csv", "gone.csv does not exist; paths are relative to the project's root"),
        ("folder.json", f"folder.json is not a file; name one that ends in {ENDINGS}"),
        ("pipe.jsonl", f"pipe.jsonl is not a file; name one that ends in {ENDINGS}"),
        ("folder.json/", f"folder.json/ is not a file; name one that ends in {ENDINGS}"),
        ("folder", ("folder is a folder that datasets did not save; "
         "name its files, e.g. folder/*.jsonl")),
        ("*.csv", "*.csv matches no file; paths are relative to the project's root"),
        ("pipe.json*", f"pipe.jsonl is not a file; name one that ends in {ENDINGS}"),
        ("folder/*", f"folder/notes.txt has no known ending; {SUPPORTED}"),
        ("../*.jsonl", f"../*.jsonl leads out of the project; {BELOW}"),
        ("lin?.jsonl", f"link.jsonl leads out of the project; {BELOW}"),
        ("/etc/passwd", "the path is absolute; write it relative to the project's root"),
        ("../out.jsonl", f"../out.jsonl leads out of the project; {BELOW}"),
        ("folder.json/../../out.jsonl",
         f"folder.json/../../out.jsonl leads out of the project; {BELOW}"),
        ("link.jsonl", f"link.jsonl leads out of the project; {BELOW}"),
        ("loop.jsonl", "not a path that can be opened; name a file below the root"),
        ("nul\0.jsonl", "not a path that can be opened; name a file below the root"),
        ("x" * 5_000 + ".jsonl", "not a path that can be opened; name a file below the root"),
    ],
)  # fmt: skip
def test_a_source_that_is_no_file_of_the_project_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    root = tmp_path / "project"
    (root / "folder.json").mkdir(parents=True)
    (root / "folder").mkdir()
    (root / "folder/notes.txt").write_text("")
    (tmp_path / "out.jsonl").write_text(OK)
    (root / "link.jsonl").symlink_to(tmp_path / "out.jsonl")
    (root / "loop.jsonl").symlink_to("loop.jsonl")
    os.mkfifo(root / "pipe.jsonl")
    experiment = make_experiment(name)
    (problem,) = dataset.check(experiment, root=root)
    assert str(problem) == f"{place('dataset.source.path')}: dataset.source.path: {message}"
    with pytest.raises(DataError) as caught:
        dataset.source_key(experiment, root=root)
    assert str(caught.value) == str(problem)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [{"text": "a", "masked": "b"}])
    (tmp_path / "data.jsonl").chmod(0)
    with pytest.raises(DataError, match=r"^data.jsonl: can't be read .Permission denied.$"):
        dataset.source_key(make_experiment(), root=tmp_path)


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    write_rows(tmp_path / "real" / "data.jsonl", [{"text": "a", "masked": "b"}])
    (tmp_path / "data.jsonl").symlink_to("real/data.jsonl")
    assert [example.source for example in read_all(tmp_path, make_experiment())] == ["a"]
