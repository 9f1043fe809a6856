"""What to do about a value of the wrong type, judged by what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tunekit.spec.wording import choices, flow, key_text, number, shown

_YES = frozenset({"yes", "on", "y"})
_NO = frozenset({"no", "off", "n"})
_MAX_ITEM = 40
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def type_fact(value: Any) -> str:
    """Return a value with its type, so that `"2"` and `2` can be told apart."""
    match value:
        case bool() | None | list() | dict():
            return shown(value)
        case int() | float():
            return f"the number {shown(value)}"
        case _:
            return f"the text {shown(value)}"


def type_remedy(key: str, schema: Mapping[str, Any], value: Any) -> str:
    """Return how to write the value of `key` so that it has its schema's type."""
    if value is None:
        return "give it a value, or remove the line"
    kinds = schema["type"]
    # Where a value has a short and a long form, the short one comes first.
    match kinds[0] if isinstance(kinds, list) else kinds:
        case "string":
            return _as_text(key, schema, value)
        case "boolean":
            return _as_claim(value)
        case "integer" | "number" as kind:
            return _as_number(kind, schema, value)
        case kind:
            return _as_container(key, kind, schema, value)


def _as_text(key: str, schema: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, dict) and [*value.values()] == [None]:
        # An unquoted placeholder: {input} is a mapping with an empty value.
        return f'put it in quotes: `{key}: "{{{key_text(next(iter(value)))}}}"`'
    if isinstance(value, list | dict):
        sign = "[" if isinstance(value, list) else "{"
        return f"write text; put it in quotes where it begins with {sign}"
    if message := schema.get("patternErrorMessage"):
        return str(message)
    return f'put it in quotes: {key_text(key)}: "{shown(value)}"'


def _as_claim(value: Any) -> str:
    if isinstance(value, list | dict):
        return "write true or false"
    word = value.lower() if isinstance(value, str) else value
    if word in _YES or word in ("true", 1):
        return "write true, without quotes"
    if word in _NO or word in ("false", 0):
        return "write false, without quotes"
    return "write true or false"


def _as_number(kind: str, schema: Mapping[str, Any], value: Any) -> str:
    written = _number_in(value) if isinstance(value, str) else None
    if written and (kind == "number" or "." not in written):
        return f"write {written}"
    if isinstance(value, float):
        return f"write a whole number, such as {number(round(value))}"
    examples = schema.get("examples")
    example = f", such as {flow(examples[0])}" if examples else ""
    return f"write {_KINDS[kind]}{example}"


def _number_in(text: str) -> str | None:
    """Return the number that a text means: quoted, grouped, in percent, with a comma."""
    bare = text.strip().replace("_", "")
    if len(bare) > _MAX_ITEM:
        return None
    if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?", bare):
        return f"{bare}, without quotes" if bare == text.strip() else bare
    if match := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%", bare):
        return number(round(float(match[1]) / 100, 6))
    if match := re.fullmatch(r"([0-9]+),([0-9]{1,2}|[0-9]{4,9})", bare):
        return f"{match[1]}.{match[2]}"
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", bare) and not bare.startswith("0"):
        return bare.replace(",", "")
    return None


def _as_container(key: str, kind: str, schema: Mapping[str, Any], value: Any) -> str:
    examples = schema.get("examples")
    if kind == "array" and isinstance(value, str) and len(value) < _MAX_ITEM:
        return f"write a list: `{key}: [{flow(value)}]`"
    if key and examples:
        return f"write {_KINDS[kind]}, e.g. `{key}: {flow(examples[0])}`"
    if not key and "properties" in schema:
        first = choices((f"`{name}:`" for name in list(schema["properties"])[:2]), "and")
        return f"write keys such as {first}, each on a line of its own"
    return f"write {_KINDS[kind]}"
