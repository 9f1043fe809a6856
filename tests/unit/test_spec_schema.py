"""The schemas themselves, and that each of their words has a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunekit.evaluate import METRICS
from tunekit.spec import load_experiments, schema_text
from tunekit.spec import schema as schema_module
from tunekit.spec.compose import read_documents
from tunekit.spec.dump import to_yaml
from tunekit.spec.schema import SchemaName, is_valid, schema
from tunekit.spec.sentences import TRANSLATIONS

NAMES: tuple[SchemaName, ...] = ("experiment", "project")
ANNOTATIONS = {
    "$schema",
    "title",
    "description",
    "default",
    "examples",
    "patternErrorMessage",
    "writeOnly",
}
# These hold further schemas and never fail by themselves.
HOLDERS = {"properties", "items", "propertyNames", "if", "then"}


def subschemas(
    current: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, current
    for key, below in current.get("properties", {}).items():
        yield from subschemas(below, f"{path}.{key}")
    for word in ("items", "additionalProperties", "propertyNames"):
        if isinstance(below := current.get(word), dict):
            yield from subschemas(below, f"{path}.<{word}>")


@pytest.mark.parametrize("name", NAMES)
def test_each_keyword_has_a_translation(name: SchemaName) -> None:
    used = {word for _, below in subschemas(schema(name)) for word in below}
    assert used - ANNOTATIONS - HOLDERS <= set(TRANSLATIONS)


def test_no_translation_is_left_over() -> None:
    used = {word for name in NAMES for _, below in subschemas(schema(name)) for word in below}
    assert set(TRANSLATIONS) <= used


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_valid_and_refer_to_nothing_else(name: SchemaName) -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(dict(schema(name)))
    assert "$ref" not in schema_text(name)
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", NAMES)
def test_editors_have_something_to_show_for_every_key(name: SchemaName) -> None:
    for path, below in subschemas(schema(name)):
        if path.endswith("<propertyNames>"):
            continue
        assert below.get("description"), path
        if not below.get("enum") and below.get("type") != "object" and "<" not in path:
            assert "examples" in below or "default" in below, path


@pytest.mark.parametrize("name", NAMES)
def test_mappings_are_closed(name: SchemaName) -> None:
    for path, below in subschemas(schema(name)):
        if below.get("type") == "object" and not path.endswith(".options"):
            assert "additionalProperties" in below, path


@pytest.mark.parametrize("name", NAMES)
def test_patterns_come_with_words_and_cover_the_whole_text(name: SchemaName) -> None:
    for path, below in subschemas(schema(name)):
        if "pattern" in below:
            assert below["patternErrorMessage"], path
            assert below["pattern"].startswith("^"), path
            assert below["pattern"].endswith("$"), path


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_defaults_fit_their_own_schema(name: SchemaName) -> None:
    import jsonschema

    for path, below in subschemas(schema(name)):
        check = jsonschema.Draft202012Validator(dict(below))
        for value in [
            *below.get("examples", []),
            *([below["default"]] if "default" in below else []),
        ]:
            if path == "" or (path == ".description" and value == ""):
                continue
            assert check.is_valid(value), (path, value)


def test_the_metrics_are_those_that_tunekit_has() -> None:
    metrics = schema("experiment")["properties"]["evaluate"]["properties"]["metrics"]
    assert metrics["items"]["enum"] == list(METRICS)


def test_the_schema_is_found_in_a_wheel_and_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "experiment.schema.json").write_text('{"title": "packaged"}')
    assert json.loads(schema_text("experiment"))["title"] == "A tunekit experiment"
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    assert json.loads(schema_text("experiment"))["title"] == "packaged"
    assert json.loads(schema_text("project"))["title"] == "A tunekit project (tunekit.yaml)"


@pytest.fixture
def without_fast_validator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    schema_module._decider.cache_clear()
    yield
    schema_module._decider.cache_clear()


GOLDEN = Path(__file__).parents[1] / "golden" / "specs"


def told() -> list[str]:
    return [str(problem) for problem in load_experiments(["."], root=GOLDEN).problems]


def test_jsonschema_alone_says_the_same(request: pytest.FixtureRequest) -> None:
    with_both = told()
    request.getfixturevalue("without_fast_validator")
    assert told() == with_both
    assert not is_valid("experiment", {"name": "qa\n", "dataset": {"source": {"path": "a"}}})
    assert is_valid("experiment", {"name": "qa", "dataset": {"source": {"path": "a"}}})


def test_dumped_yaml_is_read_back_as_the_same_data() -> None:
    data: dict[str, Any] = {
        "a": ["no", "1e-4", "010", "0o10", "1:30", "", "~", "true", "null", ".inf", "9" * 99, "<<"],
        "b": {"text": "two\nlines\n", "none": None, "yes": True, "n": 10, "f": 1e-05, "g": 1.0},
        "c": ["ü", "{x}", "# no comment", "a: b", " lead", "*x", "!t", "-", "\x1b"],
        "no": {"1": [], "e": {}},
    }
    shared = {"x": 1}
    data["d"] = [shared, shared]
    for is_unicode in (True, False):
        text = to_yaml(data, is_unicode=is_unicode)
        documents, problems = read_documents(text, "x")
        assert not problems
        assert documents[0].root.value == data
        assert text.isascii() or is_unicode
    assert list(documents[0].root.value) == list(data)
