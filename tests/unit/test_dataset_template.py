"""Prompts: plain placeholders only, values inserted as they are, everything else refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.unit.datasets import make_experiment, place, read_all, write_rows
from tunekit import dataset
from tunekit.dataset.template import Template, parse_template
from tunekit.errors import SpecError
from tunekit.model import Problem

COLUMNS = ("input", "tone", "output")
ALLOWED = "only plain {name} placeholders are allowed; write {{ and }} for literal braces"


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("{input}", "A"),
        ("{input}{input}", "AA"),
        ("a {input} b {tone} c", "a A b B c"),
        ("{{input}} {input}", "{input} A"),
        ("{{{input}}}", "{A}"),
        ('{{"q": "{input}", "t": [{{}}]}}', '{"q": "A", "t": [{}]}'),
        ("100 % {input} %s %(x)s %%", "100 % A %s %(x)s %%"),
        ("\u2028{input}\r\n😀", "\u2028A\r\n😀"),
    ],
)
def test_placeholders_are_filled_and_doubled_braces_are_literal(text: str, prompt: str) -> None:
    template, problems = parse_template(text, COLUMNS)
    assert problems == []
    values = {"input": "A", "tone": "B"}
    assert template.render([values[name] for name in template.names]) == prompt


@pytest.mark.parametrize(
    "value", ["{input}", "{tone}", "{{", "}", "%s", "%(input)s", "\\1", "{0.__class__}", "$input"]
)
def test_a_value_is_never_expanded(tmp_path: Path, value: str) -> None:
    write_rows(tmp_path / "data.jsonl", [{"text": value, "masked": value}])
    (example,) = read_all(tmp_path, make_experiment(prompt="<{input}> {{input}} <{input}>"))
    assert example.prompt == f"<{value}> {{input}} <{value}>"
    assert (example.response, example.source) == (value, value)


@pytest.mark.parametrize(
    "inside",
    [
        "", " input", "input ", "0", "1x", "input.__class__", "input[0]", "input!r", "input:>9",
        "input:>1000000000", "input:{tone}"[:6], "in-put", "*", "input\n", "%s",
    ],
)  # fmt: skip
def test_anything_but_a_plain_name_is_refused_at_once(inside: str) -> None:
    _, problems = parse_template(f"a\nb {{{inside}}}", COLUMNS)
    assert problems == [Problem(f"dataset.prompt has {{{inside}}} in its line 2", ALLOWED)]


def test_a_long_placeholder_is_cut_in_the_message() -> None:
    _, (problem,) = parse_template("{" + "x" * 90_000 + "}", COLUMNS)
    assert len(str(problem)) < 300


@pytest.mark.parametrize(
    ("text", "braces"),
    [("{", "{"), ("}", "}"), ("{input}}", "}"), ("{{input}", "}"), ("{input} {", "{"),
     ('{"a": {input}}', "{}")],
)  # fmt: skip
def test_a_lone_brace_is_refused(text: str, braces: str) -> None:
    _, problems = parse_template(text, COLUMNS)
    assert problems == [
        Problem(f"dataset.prompt has a lone {brace!r} in its line 1", ALLOWED) for brace in braces
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{output}",
            (
                "dataset.prompt has {output} in its line 1, which gives the answer away; "
                "use {input}, {tone}"
            ),
        ),
        (
            "{inptu}",
            (
                "dataset.prompt has {inptu} in its line 1; dataset.columns has no such name; "
                "it has {input}, {tone}; did you mean 'input'?"
            ),
        ),
        (
            "{INPUT}",
            (
                "dataset.prompt has {INPUT} in its line 1; dataset.columns has no such name; "
                "it has {input}, {tone}; did you mean 'input'?"
            ),
        ),
        (
            "no placeholder",
            (
                "dataset.prompt has no placeholder, so every prompt would be the same; "
                "add {input}, {tone}"
            ),
        ),
        (
            "{{input}}",
            (
                "dataset.prompt has no placeholder, so every prompt would be the same; "
                "{{name}} is literal text; write {name}"
            ),
        ),
    ],
)
def test_a_name_that_cannot_be_filled_is_refused(text: str, message: str) -> None:
    assert [str(problem) for problem in parse_template(text, COLUMNS)[1]] == [message]


def test_every_fault_of_a_prompt_is_found_and_placed(tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", [{"text": "a", "masked": "b"}])
    experiment = make_experiment(prompt="{a.b} {output} {")
    problems = dataset.check(experiment, root=tmp_path)
    assert len(problems) == 3
    assert all(str(problem).startswith(place("dataset.prompt")) for problem in problems)
    with pytest.raises(SpecError) as caught:
        dataset.prepare(experiment, root=tmp_path)
    assert caught.value.problems == tuple(problems)


def test_rendering_agrees_with_plain_replacement() -> None:
    rng = random.Random(3)
    for _ in range(500):
        pieces = [
            rng.choice(["{", "}", "{{", "%", "%s", "é", "\n", "{input}", ""]) for _ in "12345"
        ]
        names = [rng.choice(("input", "tone")) for _ in pieces[1:]]
        template = Template.of(names, pieces)
        escaped = [piece.replace("{", "{{").replace("}", "}}") for piece in pieces]
        text = escaped[0] + "".join(
            f"{{{name}}}{piece}" for name, piece in zip(names, escaped[1:], strict=True)
        )
        parsed, problems = parse_template(text, COLUMNS)
        assert (parsed, problems) == (template, [])
        values = {"input": "{tone}%s", "tone": "}}"}
        assert parsed.render([values[name] for name in names]) == text.format(**values)


@pytest.mark.parametrize(
    ("columns", "prompt", "source"),
    [
        ({"input": "text", "tone": "masked", "output": "masked"}, "{tone}: {input}", "T"),
        ({"input": "text", "tone": "masked", "output": "masked"}, "{tone}", "T"),
        ({"body": "text", "output": "masked"}, "Fix {body}, {body}", "T"),
        ({"a": "text", "b": "masked", "output": "masked"}, "{a} and {b}", "T and M"),
    ],
    ids=["input", "input though not in the prompt", "only placeholder", "whole prompt"],
)
def test_source_is_what_an_unchanged_copy_would_answer(
    tmp_path: Path, columns: dict[str, str], prompt: str, source: str
) -> None:
    write_rows(tmp_path / "data.jsonl", [{"text": "T", "masked": "M"}])
    (example,) = read_all(tmp_path, make_experiment(columns=columns, prompt=prompt))
    assert example.source == source
