"""List filters: `state="X" AND (labels.team=a OR labels.tier:*)`, as https://google.aip.dev/160.

What each service supports of it is mostly unpublished; unknown fields are refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .wire import bad_fields, camel

Test = Callable[[Any], bool]
Lookup = Callable[[Any, str], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()]|!=|<=|>=|=|:|<|>|,)
    |"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s()=!<>:,"]+))""",
    re.VERBOSE,
)
_COMPARISONS = ("=", "!=", "<=", ">=", "<", ">", ":")

ABSENT = object()
"""What a lookup returns for a label or field that the resource lacks."""
UNKNOWN = object()
"""What a lookup returns for a field that can't be filtered on."""


def compile_filter(text: str, lookup: Lookup) -> Test:
    """Return a test of resources. ApiError 400 where the filter can't be read."""
    if not text.strip():
        return lambda _: True
    parser = _Parser(text, lookup)
    test = parser.either()
    if parser.tokens:
        raise parser.fault(f"unexpected {parser.tokens[0][1]!r}")
    return test


class _Parser:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text = text
        self.lookup = lookup
        self.tokens: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.fault(f"unexpected {text[at:].strip()[:1]!r}")
            kind = str(match.lastgroup)
            self.tokens.append((kind, re.sub(r"\\(.)", r"\1", match[kind])))
            at = match.end()

    def fault(self, why: str) -> Exception:
        return bad_fields([("filter", f"Invalid filter {self.text!r}: {why}.")])

    def next_is(self, *wanted: str, kind: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] == kind and self.tokens[0][1] in wanted

    def take(self, *kinds: str) -> str:
        if not self.tokens or self.tokens[0][0] not in kinds:
            found = self.tokens[0][1] if self.tokens else "the end"
            raise self.fault(f"unexpected {found!r}")
        return self.tokens.pop(0)[1]

    def either(self) -> Test:
        tests = [self.both()]
        while self.next_is("OR", kind="word"):
            self.tokens.pop(0)
            tests.append(self.both())
        return lambda item: any(test(item) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while (
            self.tokens
            and not self.next_is(")", kind="mark")
            and not self.next_is("OR", kind="word")
        ):
            if self.next_is("AND", kind="word"):
                self.tokens.pop(0)
            tests.append(self.single())
        return lambda item: all(test(item) for test in tests)

    def single(self) -> Test:
        if self.next_is("NOT", kind="word"):
            self.tokens.pop(0)
            inner = self.single()
            return lambda item: not inner(item)
        if self.next_is("(", kind="mark"):
            self.tokens.pop(0)
            inner = self.either()
            if self.take("mark") != ")":
                raise self.fault("a parenthesis is not closed")
            return inner
        return self.comparison()

    def comparison(self) -> Test:
        field = self.take("word")
        if self.next_is("(", kind="mark"):
            return self.call(field)
        operator = self.take("mark")
        if operator not in _COMPARISONS:
            raise self.fault(f"{operator!r} is no comparison")
        wanted = [self.take("word", "quoted")]
        # A time is a word with colons in it.
        while self.next_is(":", kind="mark") and operator != ":":
            wanted[-1] += self.tokens.pop(0)[1] + self.take("word", "quoted")
        while self.next_is(",", kind="mark"):
            self.tokens.pop(0)
            wanted.append(self.take("word", "quoted"))
        return self.compare(field, operator, wanted)

    def call(self, name: str) -> Test:
        self.tokens.pop(0)
        argument = self.take("word", "quoted")
        if self.take("mark") != ")":
            raise self.fault("a parenthesis is not closed")
        return self.compare(name, ":", [argument])

    def compare(self, field: str, operator: str, wanted: list[str]) -> Test:
        if self.lookup({}, field) is UNKNOWN:
            raise self.fault(f"the field {field!r} can't be filtered on")

        def test(item: Any) -> bool:
            found = self.lookup(item, field)
            if found is ABSENT:
                return operator == "!="
            return any(_holds(found, operator, value) for value in wanted)

        return test


def _holds(found: Any, operator: str, wanted: str) -> bool:
    match operator:
        case ":" if wanted == "*":
            return True
        case ":" if isinstance(found, (list, tuple, set, dict)):
            return wanted in found
        case ":":
            return wanted in str(found)
        case "=" if wanted.endswith("*"):
            return str(found).startswith(wanted[:-1])
        case "=":
            return str(found) == wanted
        case "!=":
            return str(found) != wanted
        case "<":
            return str(found) < wanted
        case ">":
            return str(found) > wanted
        case "<=":
            return str(found) <= wanted
        case _:
            return str(found) >= wanted


def lookup_resource(item: Any, field: str) -> Any:
    """Read a filter's field of a job, model or endpoint."""
    if field.startswith("labels."):
        return item.get("labels", {}).get(field.removeprefix("labels."), ABSENT)
    name = camel(field)
    if name == "labels":
        return item.get("labels", {})
    if name not in (
        "state",
        "name",
        "baseModel",
        "tunedModelDisplayName",
        "displayName",
        "createTime",
        "updateTime",
        "startTime",
        "endTime",
        "description",
        "experiment",
    ):
        return UNKNOWN
    return item.get(name, ABSENT)
