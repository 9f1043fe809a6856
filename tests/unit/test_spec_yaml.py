"""YAML's hazards: what is refused, what is read otherwise than PyYAML would."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tunekit.spec.compose import read_documents
from tunekit.spec.files import MAX_FILE_BYTES
from tunekit.spec.scalars import BadScalar, resolve


def value_of(text: str) -> object:
    documents, problems = read_documents(text, "x.yaml")
    assert not problems, problems
    assert len(documents) == 1
    return documents[0].root.value


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in read_documents(text, "x.yaml")[1]]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-7", -7),
        ("+7", 7),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("n", "n"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("null", None),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("-", "-"),
        (".", "."),
        ("1e", "1e"),
        ("0b1", "0b1"),
    ],
)
def test_plain_scalars_follow_the_core_schema(written: str, meant: object) -> None:
    found = resolve(written)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize("written", [".inf", "-.Inf", ".nan", "1e999", "9" * 5000, "9" * 30])
def test_numbers_that_no_spec_can_mean_are_refused(written: str) -> None:
    with pytest.raises(BadScalar):
        resolve(written)
    assert len(problems_of(f"take: {written}\n")) == 1


def test_quoted_scalars_stay_text() -> None:
    assert value_of("a: '1e-4'\nb: \"no\"\nc: |\n  010\n") == {"a": "1e-4", "b": "no", "c": "010\n"}


def test_duplicate_keys_are_refused_and_both_lines_named() -> None:
    assert problems_of("a: 1\nb: 2\na: 3\n") == [
        "x.yaml:3:1: `a` is given twice, first on line 1; keep one of the two"
    ]


def test_keys_that_differ_only_in_spelling_of_a_number_are_not_text() -> None:
    assert problems_of("1: a\ntrue: b\n") == [
        'x.yaml:1:1: the key 1 is not text; quote it: "1"',
        'x.yaml:2:1: the key true is not text; quote it: "true"',
    ]


def test_a_list_or_mapping_can_not_be_a_key() -> None:
    assert len(problems_of("? [a, b]\n: 1\n? {a: 1}\n: 2\n")) == 2


def test_an_alias_stands_for_its_value() -> None:
    assert value_of("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_aliases_that_explode_are_refused() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]")
    (problem,) = problems_of("\n".join(lines))
    assert "aliases stand for more than 10,000 values" in problem


@pytest.mark.parametrize("text", ["a: &x [*x]\n", "a: &x {b: *x}\n", "&x [1, {a: *x}]\n"])
def test_a_recursive_alias_is_refused(text: str) -> None:
    assert "contains itself" in problems_of(text)[0]


def test_depth_hidden_in_aliases_is_refused() -> None:
    nested = "[" * 40 + "]" * 40
    assert "64 levels" in problems_of(f"a: &x {nested}\nb: {'[' * 40}*x{']' * 40}\n")[0]


def test_an_alias_without_an_anchor_is_refused() -> None:
    assert "names nothing" in problems_of("a: *x\n")[0]


def test_an_anchor_ends_with_its_document() -> None:
    assert "names nothing" in problems_of("a: &x 1\n---\nb: *x\n")[0]


def test_merge_keys_are_refused() -> None:
    assert "merge keys" in problems_of("a: &x {b: 1}\nc:\n  <<: *x\n")[0]


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.system [ls]\n", "a: !foo 1\n", "a: !!str 1\n", "! a\n"]
)
def test_tags_are_refused(text: str) -> None:
    (problem,) = problems_of(text)
    assert "is not supported" in problem


def test_a_nul_by_escape_is_refused() -> None:
    assert "NUL" in problems_of('a: "x\\0y"\n')[0]


def test_several_documents_are_read_and_empty_ones_skipped() -> None:
    documents, problems = read_documents("---\n---\na: 1\n---\n# only words\n---\nb: 2\n...\n", "x")
    assert not problems
    assert [document.root.value for document in documents] == [{"a": 1}, {"b": 2}]


def test_a_syntax_error_keeps_the_documents_before_it() -> None:
    documents, problems = read_documents("a: 1\n---\nb: [1\nc: 2\n", "x")
    assert [document.root.value for document in documents] == [{"a": 1}]
    assert len(problems) == 1


def test_depth_up_to_the_limit_is_read() -> None:
    assert value_of("[" * 64 + "]" * 64)
    assert "64 levels" in problems_of("[" * 65 + "]" * 65)[0]


BOMBS = {
    "flow lists": "[",
    "flow mappings": "{a: ",
    "block lists": "- ",
    "complex keys": "? ",
    "complex flow keys": "{? ",
    "lists in mappings": "[a: ",
    "anchors": "&a [",
    "quotes": '"',
    "tags": "!!a ",
    "aliases": "*a ",
    "spaces": " ",
    "tabs": "\t",
    "colons": ": ",
    "commas": "[,",
    "documents": "---\n",
    "unknown keys": "k%d: 1\n",
    "equal keys": "a: 1\n",
    "broken documents": "--- x\n",
    "numbers": "9",
    "escapes": '"\\',
}


@pytest.mark.parametrize("loader", ["C", "pure"])
def test_bombs_of_every_kind_end_in_problems_quickly(loader: str) -> None:
    """In a process of its own: PyYAML's own composer dies of these with SIGSEGV."""
    code = """
        import json, sys, time, yaml
        from pathlib import Path
        from tunekit.spec import load_experiments
        if sys.argv[1] == "pure":
            del yaml.CSafeLoader
        slowest = 0.0
        for name, unit in json.load(sys.stdin).items():
            if "%d" in unit:
                text = "".join(unit % i for i in range(18_000))
            else:
                text = unit * (200_000 // len(unit))
            for prefix in ("", "a: "):
                start = time.perf_counter()
                loaded = load_experiments(
                    ["-"], root=Path("."), stdin=lambda: (prefix + text).encode()
                )
                took = time.perf_counter() - start
                assert loaded.problems and not loaded.experiments, name
                assert all(len(str(problem)) < 500 for problem in loaded.problems), name
                assert took < 20, (name, took)
        deep = "\\n".join(" " * i + "a:" for i in range(700))
        assert load_experiments(["-"], root=Path("."), stdin=deep.encode).problems
        print("survived")
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), loader],
        input=json.dumps(BOMBS),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "survived\n", "")


def test_a_file_of_many_values_is_read_in_linear_time() -> None:
    text = "a: [" + "x," * (MAX_FILE_BYTES // 2 - 10) + "]\n"
    documents, problems = read_documents(text, "x")
    assert not problems
    assert documents[0].root.size > 100_000


def test_both_parsers_give_the_same_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    texts = [
        "a: b: c\n",
        "a:\n\tb: 1\n",
        "a: {b} c\n",
        "a: [b\nc: 1\n",
        'a: "b\nc: 1\n',
        "a\nb: 1\n",
        "a:1\nb: 2\n",
        "a: - b\n",
        "a: @b\n",
        "a: *.x\n",
        "a: | b\n",
        "a: ]\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: 'it's'\n",
        "%YAML 3.0\n---\na: 1\n",
    ]
    by_c = [problems_of(text) for text in texts]
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert [problems_of(text) for text in texts] == by_c
    assert all(len(problems) == 1 for problems in by_c)


def test_no_syntax_error_is_passed_on_in_the_parsers_words() -> None:
    golden = Path(__file__).parents[1] / "golden" / "specs"
    assert not [path.name for path in golden.glob("*.txt") if "not YAML" in path.read_text()]
