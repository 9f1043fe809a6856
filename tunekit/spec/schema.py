"""The JSON Schemas: where they are, what decides by them, what explains by them."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

SchemaName = Literal["experiment", "project"]

# More faults than this in one document help nobody, and explaining them takes time.
MAX_FAULTS = 50


def schema_text(name: SchemaName) -> str:
    """Return a schema as shipped: from the wheel, or from the repository when run from there."""
    file = f"{name}.schema.json"
    packaged = importlib.resources.files("tunekit").joinpath("schemas", file)
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "schemas" / file).read_text(encoding="utf-8")


@functools.cache
def schema(name: SchemaName) -> Mapping[str, Any]:
    """Return a schema as plain data; treat it as read-only."""
    loaded: Mapping[str, Any] = json.loads(schema_text(name))
    return loaded


def is_valid(name: SchemaName, data: Any) -> bool:
    """Say whether plain data fits a schema."""
    return _decider(name)(data)


@functools.cache
def _decider(name: SchemaName) -> Callable[[Any], bool]:
    """Return jsonschema_rs's answer, or jsonschema's where the former is not installed."""
    try:
        import jsonschema_rs
    except ImportError:
        return lambda data: next(faults(name, data), None) is None
    decide: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(dict(schema(name))).is_valid
    return decide


def faults(name: SchemaName, data: Any) -> Iterator[Any]:
    """Yield jsonschema's ValidationErrors, unsorted."""
    yield from _explainer(name).iter_errors(data)


@functools.cache
def _explainer(name: SchemaName) -> Any:
    import jsonschema
    import referencing

    extend: Any = jsonschema.validators.extend
    strict = extend(
        jsonschema.Draft202012Validator, {"pattern": _pattern_to_the_end, "uniqueItems": _unique}
    )
    # An empty registry: no reference is ever fetched.
    return strict(dict(schema(name)), registry=referencing.Registry())


def _unique(_: Any, is_on: bool, value: Any, __: Any) -> Iterator[Any]:
    """Compare by text: jsonschema's own way is quadratic for lists of several types."""
    from jsonschema import ValidationError

    if is_on and isinstance(value, list) and len({json.dumps(item) for item in value}) < len(value):
        yield ValidationError("has non-unique elements")


def _pattern_to_the_end(_: Any, pattern: str, value: Any, __: Any) -> Iterator[Any]:
    """Match as JSON Schema means it: Python's `$` would also match before a last line break."""
    from jsonschema import ValidationError

    exact = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(value, str) and not re.search(exact, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")
