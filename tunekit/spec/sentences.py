"""Schema faults as sentences: one function a JSON Schema keyword."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunekit.model import Severity
from tunekit.spec.kinds import type_fact, type_remedy
from tunekit.spec.nodes import Step
from tunekit.spec.wording import choices, flow, guess, key_text, number, path_text, shown

_MOST_KEYS = 20

# What a text value came from, by its path, where the value itself must not be shown.
Hidden = Mapping[tuple[Step, ...], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem inside one document, before it has a place. `lacks`: the key that is missing."""

    steps: tuple[Step, ...]
    fact: str
    remedy: str
    severity: Severity = Severity.ERROR
    lacks: str = ""

    @property
    def broken(self) -> tuple[Step, ...]:
        """The path that can't be relied on: of a missing key, not the mapping around it."""
        return (*self.steps, self.lacks) if self.lacks else self.steps


@dataclass(frozen=True, slots=True)
class Fault:
    """What jsonschema says of one value. `is_key`: the value is a key of `steps`' mapping."""

    keyword: str
    steps: tuple[Step, ...]
    expected: Any
    value: Any
    schema: Mapping[str, Any]
    root: Mapping[str, Any]
    is_key: bool = False
    hidden: Hidden = field(default_factory=dict)

    @property
    def subject(self) -> str:
        if self.is_key:
            return f"the key {shown(self.value)} of {_name(self.steps)}"
        return _name(self.steps)

    @property
    def fact(self) -> str:
        """The value as written: `tuning.epochs is 0`."""
        if self.is_key:
            return f"{self.subject} is not allowed"
        if variable := self.hidden.get(self.steps):
            return f"{self.subject} is the value of {variable}, which does not fit"
        if self.schema.get("writeOnly"):  # a secret may stand there by mistake
            return f"{self.subject} is {_unshown(self.value)}"
        return f"{self.subject} is {shown(self.value)}"

    def finding(self, fact: str, remedy: str, *below: Step) -> Finding:
        key = (self.value,) if self.is_key else ()
        return Finding((*self.steps, *key, *below), fact, remedy)


def _unshown(value: Any) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else type_fact(value)


def _name(steps: tuple[Step, ...]) -> str:
    return path_text(steps) or "the document"


def sentences(error: Any, root: Mapping[str, Any], hidden: Hidden) -> Iterator[Finding]:
    """Yield what one of jsonschema's ValidationErrors means to the person who wrote the value."""
    fault = Fault(
        keyword=error.validator,
        steps=tuple(error.absolute_path),
        expected=error.validator_value,
        value=error.instance,
        schema=error.schema,
        root=root,
        is_key="propertyNames" in error.absolute_schema_path,
        hidden=hidden,
    )
    if fault.keyword in _OF_MAPPINGS and not isinstance(fault.value, dict):
        # `type` says so already; `oneOf` and `not` would misfire on what has no keys.
        return
    yield from TRANSLATIONS[fault.keyword](fault)


# --- keys ---------------------------------------------------------------------------------------


def _required(fault: Fault) -> Iterator[Finding]:
    known = fault.schema.get("properties", {})
    # A misspelt key is reported as such, and not once more as missing.
    unknown = [key for key in fault.value if key not in known][:_MOST_KEYS] if known else []
    meant = {guess(key, known) for key in unknown}
    for key in fault.expected:
        if key in fault.value or key in meant:
            continue
        example = _example(known.get(key, {}))
        remedy = f"add `{key}: {example}`" if example else f"add `{key}`"
        fact = f"{_name(fault.steps)} has no `{key}`"
        yield Finding(fault.steps, fact, _needs(remedy, fault.steps, key), lacks=key)


def _needs(remedy: str, steps: tuple[Step, ...], key: str) -> str:
    if steps == ("dataset", "split"):
        return "add `train`: how much of the data to train on"
    if not steps and key == "dataset":
        return "add `dataset:` with a `source` below it"
    return remedy


def _unknown_keys(fault: Fault) -> Iterator[Finding]:
    known = fault.schema.get("properties", {})
    unknown = [key for key in fault.value if key not in known]
    for key in unknown[:_MOST_KEYS]:
        owner = f"{_name(fault.steps)} has" if fault.steps else "there is"
        fact = f"{owner} no key {key_text(key)}"
        yield fault.finding(fact, _meant(fault, key, known), key)
    if more := unknown[_MOST_KEYS:]:
        fact = f"{len(more)} more keys of {_name(fault.steps)} are unknown"
        yield fault.finding(fact, "mend the first ones", more[0])


def _meant(fault: Fault, key: str, known: Mapping[str, Any]) -> str:
    if key in (homes := _homes(fault.root)):
        owners = [f"`{owner}:`" if owner else "the top level" for owner in homes[key]]
        if len(owners) == 1:
            return f"move it to {owners[0]}" if not homes[key][0] else f"move it below {owners[0]}"
    before, colon, after = key.partition(":")
    if colon and before in known:
        return f"put a space after the colon: `{before}: {key_text(after)}`"
    if name := guess(key, known):
        return f"did you mean `{name}`?"
    return f"remove it; the keys here are {choices(known, 'and')}"


def _homes(root: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return where each key belongs, by the path of its parent."""
    homes: dict[str, list[str]] = {}
    waiting: list[tuple[str, Mapping[str, Any]]] = [("", root)]
    while waiting:
        path, schema = waiting.pop()
        for key, below in schema.get("properties", {}).items():
            homes.setdefault(key, []).append(path)
            # Where a short form is usual, the long form's keys are not what is meant elsewhere.
            if below.get("type") == "object":
                waiting.append((f"{path}.{key}" if path else key, below))
    return homes


def _depends(fault: Fault) -> Iterator[Finding]:
    choice = [key for branch in fault.schema.get("oneOf", ()) for key in branch["required"]]
    if choice and not any(key in fault.value for key in choice):
        # That nothing is chosen is said already.
        return
    for key, needed in fault.expected.items():
        if key in fault.value and (missing := [n for n in needed if n not in fault.value]):
            fact = f"{_name((*fault.steps, key))} goes only with `{choices(missing, 'and')}`"
            yield fault.finding(fact, "remove it", key)


# What a mapping does not say that has none of the keys to choose from.
_CHOSEN: Mapping[tuple[Step, ...], str] = {
    ("dataset", "source"): "does not say where the rows are",
    ("base_model",): "does not say which model it is",
}


def _one_of(fault: Fault) -> Iterator[Finding]:
    """Explain a choice between keys: each branch of ours for mappings is {"required": [KEY]}."""
    keys = [key for branch in fault.expected for key in branch.get("required", ())]
    given = [key for key in keys if key in fault.value]
    named = choices(f"`{key}`" for key in keys)
    if not given:
        known = fault.schema["properties"]
        unknown = [key for key in fault.value if key not in known][:_MOST_KEYS]
        if {guess(key, known) for key in unknown} & set(keys):
            return
        remedy = f"add one of {named}"
        lack = _CHOSEN.get(fault.steps, "is not whole")
        yield fault.finding(f"{_name(fault.steps)} {lack}", remedy)
        return
    both = choices((f"`{key}`" for key in given), "and")
    yield fault.finding(f"{_name(fault.steps)} has {both}", "keep exactly one of them", given[1])


def _not(fault: Fault) -> Iterator[Finding]:
    """Explain keys that exclude each other: ours is {"required": [KEY, KEY]}."""
    keys = fault.expected["required"]
    both = choices((f"`{key}`" for key in keys), "and")
    yield fault.finding(f"{_name(fault.steps)} has both {both}", "keep one of them", keys[-1])


def _min_properties(fault: Fault) -> Iterator[Finding]:
    if fault.steps == ("dataset", "columns"):
        remedy = "add `input: COLUMN` and `output: COLUMN`"
        yield fault.finding("dataset.columns is empty", remedy)
        return
    yield fault.finding(f"{fault.subject} is empty", f"write at least {fault.expected} of its keys")


# --- values -------------------------------------------------------------------------------------


def _type(fault: Fault) -> Iterator[Finding]:
    variable = fault.hidden.get(fault.steps)
    fact = fault.fact if variable else f"{fault.subject} is {type_fact(fault.value)}"
    key = str(fault.steps[-1]) if fault.steps else ""
    yield fault.finding(fact, type_remedy(key, fault.schema, fault.value))


def _enum(fault: Fault) -> Iterator[Finding]:
    names = [flow(item) for item in fault.expected]
    if isinstance(fault.value, list | dict):
        fact = f"{fault.subject} is {type_fact(fault.value)}"
        yield fault.finding(fact, f"write {choices(names)}")
        return
    near = guess(fault.value, names) if isinstance(fault.value, str) else None
    if near and len(names) > 1:
        remedy = f"did you mean {near}? It may be {choices(names)}"
    elif len(names) == 1:
        remedy = f"write {names[0]}, the only choice"
    else:
        remedy = f"write {choices(names)}"
    yield fault.finding(fault.fact, remedy)


def _pattern(fault: Fault) -> Iterator[Finding]:
    yield fault.finding(fault.fact, fault.schema["patternErrorMessage"])


def _bound(words: str) -> Callable[[Fault], Iterator[Finding]]:
    def explain(fault: Fault) -> Iterator[Finding]:
        yield fault.finding(fault.fact, words.format(number(fault.expected)))

    return explain


def _above(fault: Fault) -> Iterator[Finding]:
    if fault.steps[:2] == ("dataset", "split") and fault.value == 0 and fault.steps[-1] != "train":
        yield fault.finding(fault.fact, "remove the line to have no such split")
        return
    yield fault.finding(fault.fact, f"write a number above {number(fault.expected)}")


def _too_short(fault: Fault) -> Iterator[Finding]:
    if fault.is_key:
        yield fault.finding(f"a key of {_name(fault.steps)} is empty text", "give it a name")
        return
    fact = f"{fault.subject} is empty text"
    if variable := fault.hidden.get(fault.steps):
        fact = f"{fault.subject} is empty, since {variable} is"
    example = _example(fault.schema)
    remedy = f"write a value such as {example}" if example else "write a value"
    yield fault.finding(fact, f"{remedy}, or remove the line")


def _too_few(fault: Fault) -> Iterator[Finding]:
    example = _example(fault.schema)
    remedy = f"list at least {fault.expected}" + (f", e.g. {example}" if example else "")
    yield fault.finding(f"{fault.subject} is an empty list", f"{remedy}, or remove the line")


def _not_unique(fault: Fault) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, item in enumerate(fault.value):
        if (text := flow(item)) in seen:
            fact = f"{fault.subject} names {shown(item)} twice"
            yield fault.finding(fact, "remove one of the two", index)
            return
        seen.add(text)


def _example(schema: Mapping[str, Any]) -> str:
    """Return the schema's first example as YAML, "" where it has none."""
    examples = schema.get("examples") or schema.get("enum") or ()
    return flow(examples[0]) if examples else ""


_OF_MAPPINGS = frozenset({"oneOf", "not"})
TRANSLATIONS: Mapping[str, Callable[[Fault], Iterator[Finding]]] = {
    "required": _required,
    "additionalProperties": _unknown_keys,
    "dependentRequired": _depends,
    "oneOf": _one_of,
    "not": _not,
    "minProperties": _min_properties,
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _bound("write at least {}"),
    "maximum": _bound("write at most {}"),
    "exclusiveMinimum": _above,
    "minLength": _too_short,
    "minItems": _too_few,
    "uniqueItems": _not_unique,
}
