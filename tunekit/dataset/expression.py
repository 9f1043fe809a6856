"""Filters: comparisons of columns with literals, joined by `and`, `or`, `not`. Pure, no eval.

    test     = COLUMN ("==" | "!=" | "<" | "<=" | ">" | ">=") LITERAL
             | COLUMN ["not"] "in" "[" LITERAL {"," LITERAL} "]"
             | COLUMN "is" ["not"] "empty"
    factor   = "not" factor | "(" filter ")" | test
    filter   = factor {"and" factor}, joined by "or"

A COLUMN is a name, in `backticks` where it is no plain word. A LITERAL is "text" or 'text', a
number, true, false or null.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tunekit.model import Problem

Test = Callable[[Mapping[str, Any]], bool]

_GRAMMAR = r"""(?:
  (?P<column>`[^`]+`)
| (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
| (?P<number>-?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?))(?!\w)
| (?P<word>[^\W\d]\w*)
| (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
)"""
_SPACE = re.compile(r"\s+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {"and", "or", "not", "in", "is", "empty", "true", "false", "null"}
_CONSTANTS = {"true": True, "false": False, "null": None}
_DEEPEST = 40
_EXAMPLE = 'write e.g. language == "en" and text is not empty'


class Unorderable(Exception):
    """A row's value that has no order with the filter's literal; `column` names it."""

    def __init__(self, column: str, held: str, literal: str) -> None:
        super().__init__(column)
        self.fact = (
            f"column {column!r} holds {held} where dataset.filter compares it with {literal}"
        )


class _Fault(Exception):
    def __init__(self, fact: str, at: int) -> None:
        super().__init__(fact)
        self.fact, self.at = fact, at


class _Token(NamedTuple):
    kind: str
    text: str
    at: int

    @property
    def shown(self) -> str:
        return "the end" if self.kind == "end" else self.text[:40]


@dataclass(frozen=True)
class Filter:
    """A parsed filter: which columns it reads, and the test of a row's values."""

    columns: tuple[str, ...]
    keeps: Test


def parse_filter(text: str) -> Filter | Problem:
    """Return the filter, or what is wrong with it and where; the problem has no place yet."""
    try:
        parser = _Parser(_tokens(text))
        test = parser.alternatives(0)
        parser.expect_end()
    except _Fault as fault:
        line = text.count("\n", 0, fault.at) + 1
        column = fault.at - text.rfind("\n", 0, fault.at)
        place = f"character {column}" + (f" of its line {line}" if "\n" in text.strip() else "")
        return Problem(f"dataset.filter: {fault.fact} at {place}", _EXAMPLE)
    return Filter(tuple(dict.fromkeys(parser.columns)), test)


def _tokens(text: str) -> list[_Token]:
    token = re.compile(_GRAMMAR, re.VERBOSE | re.DOTALL)
    found: list[_Token] = []
    at = 0
    while (start := _at_next(text, at)) < len(text):
        match = token.match(text, start)
        if match is None or match.lastgroup is None:
            if text[start] in "\"'`":
                raise _Fault(f"a {text[start]} that is not closed", start)
            if text[start] == "=":
                raise _Fault("a single =, where == is meant", start)
            raise _Fault(f"{text[start]!r} means nothing", start)
        kind = match.lastgroup
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _at_next(text: str, at: int) -> int:
    """Return where the next thing that is no white space stands."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


class _Parser:
    """Reads tokens from left to right; each method one rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self.columns: list[str] = []

    def alternatives(self, depth: int) -> Test:
        tests = [self._all(depth)]
        while self._takes("or"):
            tests.append(self._all(depth))
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def expect_end(self) -> None:
        if (token := self._peek()).kind != "end":
            raise _Fault(f"{token.shown} where `and`, `or` or the end is due", token.at)

    def _all(self, depth: int) -> Test:
        tests = [self._factor(depth)]
        while self._takes("and"):
            tests.append(self._factor(depth))
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _factor(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise _Fault("nested too deeply", self._peek().at)
        if self._takes("not"):
            test = self._factor(depth + 1)
            return lambda row: not test(row)
        if self._takes("("):
            test = self.alternatives(depth + 1)
            self._expect(")")
            return test
        return self._test()

    def _test(self) -> Test:
        column = self._column()
        if self._takes("is"):
            is_negated = self._takes("not")
            self._expect("empty")
            return lambda row: _is_empty(row.get(column)) != is_negated
        token = self._peek()
        if token.text in ("not", "in") and token.kind == "word":
            is_negated = self._takes("not")
            self._expect("in")
            literals = self._list()
            return lambda row: _is_among(row.get(column), literals) != is_negated
        self._next += 1
        if token.kind == "sign" and token.text in ("==", "!="):
            literal, is_negated = self._literal(), token.text == "!="
            return lambda row: _is_equal(row.get(column), literal) != is_negated
        if token.kind == "sign" and token.text in _ORDERS:
            at = self._peek().at
            bound = self._literal()
            if bound is None or isinstance(bound, bool):
                raise _Fault(f"{token.text} goes with numbers and texts only", at)
            return _ordered(column, _ORDERS[token.text], bound)
        raise _Fault(f"{token.shown} where a comparison (==, <, in, is empty) is due", token.at)

    def _column(self) -> str:
        token = self._peek()
        self._next += 1
        if token.kind == "column":
            name = token.text[1:-1]
        elif token.kind == "word" and token.text not in _WORDS:
            name = token.text
        else:
            raise _Fault(f"{token.shown} where a column's name is due", token.at)
        self.columns.append(name)
        return name

    def _list(self) -> list[Any]:
        self._expect("[")
        literals = [self._literal()]
        while self._takes(","):
            literals.append(self._literal())
        self._expect("]")
        return literals

    def _literal(self) -> Any:
        token = self._peek()
        self._next += 1
        match token.kind:
            case "text":
                return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), token.text[1:-1])
            case "number":
                is_whole = token.text.lstrip("-").isdigit() and len(token.text) < 400
                return int(token.text) if is_whole else float(token.text)
            case "word" if token.text in _CONSTANTS:
                return _CONSTANTS[token.text]
            case "word" | "column":
                fact = f"{token.shown} where a literal is due; text stands in quotes,"
                raise _Fault(fact, token.at)
        raise _Fault(f"{token.shown} where a literal is due", token.at)

    def _peek(self) -> _Token:
        return self._tokens[min(self._next, len(self._tokens) - 1)]

    def _takes(self, text: str) -> bool:
        token = self._peek()
        is_it = token.text == text and token.kind in ("word", "sign")
        self._next += is_it
        return is_it

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            token = self._peek()
            raise _Fault(f"{token.shown} where {text} is due", token.at)


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, list | dict | tuple) and not value)


def _is_among(value: Any, literals: list[Any]) -> bool:
    return any(_is_equal(value, literal) for literal in literals)


def _is_equal(value: Any, literal: Any) -> bool:
    """True where a value is the literal; text counts as the number or truth that it spells.

    So `score == 3` means one thing in JSON and in CSV, where everything is text.
    """
    if literal is None or value is None:
        return value is literal
    if isinstance(literal, bool):
        if isinstance(value, str):
            return value.strip().casefold() == ("true" if literal else "false")
        return isinstance(value, bool) and value == literal
    if isinstance(literal, str):
        return isinstance(value, str) and value == literal
    number = _number(value)
    return number is not None and bool(number == literal)


def _ordered(column: str, is_so: Callable[[Any, Any], bool], bound: Any) -> Test:
    def test(row: Mapping[str, Any]) -> bool:
        value = row.get(column)
        if value is None:
            return False
        if isinstance(bound, str):
            if not isinstance(value, str):
                raise Unorderable(column, "no text", "text")
            return is_so(value, bound)
        if isinstance(value, str) and not value.strip():
            return False  # an empty field of a CSV file is what null is elsewhere
        number = _number(value)
        if number is None:
            raise Unorderable(column, "no number", "a number")
        return is_so(number, bound)

    return test


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    try:
        return int(value)
    except ValueError:
        try:
            return float(value)
        except ValueError:
            return None
