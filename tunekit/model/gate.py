"""A condition on scores, as a spec's `evaluate.promote_if` writes it. Pure; nothing is executed.

condition  = both ("or" both)*
both       = single ("and" single)*
single     = "not" single | "(" condition ")" | sum OPERATOR sum
sum        = value (("+" | "-") value)*
value      = NUMBER | NUMBER "%" | NAME
OPERATOR   = ">=" | "<=" | ">" | "<" | "==" | "!="
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<percent>\s*%)?"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
    r"|(?P<sign>>=|<=|==|!=|>|<|\+|-|\(|\)))"
)
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS = ("and", "or", "not")
# Deeper nesting than anybody writes; parsing recurses.
_DEEPEST = 50
# Scores that are not the judged model's own: the base model's, and those of no model.
OTHERS = ("base", "copy", "majority")
BOUNDS = ("low", "high")


class BadGate(ValueError):
    """The text is no condition; its message says where and what instead."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison and how it came out; `numbers` are the scores it reads."""

    text: str
    is_met: bool
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        said = ", ".join(f"{name} is {value:.4g}" for name, value in self.numbers.items())
        return f"{self.text}: {said}" if said else self.text


@dataclass(frozen=True, slots=True)
class _Sum:
    """Terms, each a sign and a number or a score's name."""

    terms: tuple[tuple[int, float | str], ...]

    def names(self) -> list[str]:
        return [term for _, term in self.terms if isinstance(term, str)]

    def of(self, values: Mapping[str, float]) -> float:
        return sum(
            sign * (values[term] if isinstance(term, str) else term) for sign, term in self.terms
        )


@dataclass(frozen=True, slots=True)
class _Comparison:
    left: _Sum
    sign: str
    right: _Sum
    text: str

    def of(self, values: Mapping[str, float]) -> bool:
        return _OPERATORS[self.sign](self.left.of(values), self.right.of(values))

    def names(self) -> list[str]:
        return self.left.names() + self.right.names()

    def parts(self, is_wanted: bool = True) -> Iterator[tuple[_Comparison, bool]]:
        yield self, is_wanted


@dataclass(frozen=True, slots=True)
class _Joined:
    """`word` is `and`, `or`, or `not` (of one part)."""

    word: str
    inner: tuple[_Comparison | _Joined, ...]

    def of(self, values: Mapping[str, float]) -> bool:
        found = [part.of(values) for part in self.inner]
        match self.word:
            case "and":
                return all(found)
            case "or":
                return any(found)
            case _:
                return not found[0]

    def parts(self, is_wanted: bool = True) -> Iterator[tuple[_Comparison, bool]]:
        """Yield every comparison, and whether the condition wants it to hold."""
        for part in self.inner:
            yield from part.parts(is_wanted is not (self.word == "not"))


@dataclass(frozen=True, slots=True)
class Gate:
    """A parsed condition."""

    text: str
    _root: _Comparison | _Joined

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Return the condition. BadGate says where it is none."""
        return cls(text, _Parser(text).whole())

    def names(self) -> tuple[str, ...]:
        """Return the scores that it reads, each once, in order."""
        return tuple(dict.fromkeys(n for part, _ in self._root.parts() for n in part.names()))

    @property
    def reads_base(self) -> bool:
        """True where the base model's scores are needed too."""
        return any(name.startswith("base.") for name in self.names())

    def is_met(self, values: Mapping[str, float]) -> bool:
        """Say whether the scores meet it. KeyError where one is missing."""
        return self._root.of(values)

    def clauses(self, values: Mapping[str, float]) -> list[Clause]:
        """Return each comparison and how it came out."""
        return [
            Clause(
                text=part.text if is_wanted else f"not {part.text}",
                is_met=part.of(values) is is_wanted,
                numbers={name: values[name] for name in part.names()},
            )
            for part, is_wanted in self._root.parts()
        ]


def metric_of(name: str) -> str:
    """Return the metric that a score's name in a condition is about.

    `base.exact_match.low` is about `exact_match`, `custom.polite` about itself.
    """
    parts = name.split(".")
    if parts[0] in OTHERS and len(parts) > 1:
        parts = parts[1:]
    return ".".join(parts[:2]) if parts[0] == "custom" else parts[0]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.start = 0
        self.depth = 0
        self.token: tuple[str, str] = ("", "")
        self._next()

    def whole(self) -> _Comparison | _Joined:
        found = self._condition()
        if self.token[0] != "end":
            raise self._bad("expected `and`, `or` or the end")
        return found

    def _bad(self, wanted: str) -> BadGate:
        place = "at its end" if self.token[0] == "end" else f"at {self.token[1]!r}"
        return BadGate(f"{wanted} {place} (character {self.start + 1})")

    def _next(self) -> tuple[str, str]:
        """Move on; return the token that was current."""
        former = self.token
        rest = self.text[self.at :]
        self.start = self.at + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.token = ("end", "")
            return former
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            self.token = ("?", self.text[self.start])
            raise self._bad("nothing can be read")
        self.at = match.end()
        if match["number"]:
            self.token = ("percent" if match["percent"] else "number", match["number"])
        elif match["name"] in _WORDS:
            self.token = ("word", match["name"])
        elif match["name"]:
            self.token = ("name", match["name"])
        else:
            self.token = ("sign", match["sign"])
        return former

    def _condition(self) -> _Comparison | _Joined:
        return self._joined("or", lambda: self._joined("and", self._single))

    def _joined(
        self, word: str, part: Callable[[], _Comparison | _Joined]
    ) -> _Comparison | _Joined:
        parts = [part()]
        while self.token == ("word", word):
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else _Joined(word, tuple(parts))

    def _single(self) -> _Comparison | _Joined:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._bad("nested too deeply")
        try:
            if self.token == ("word", "not"):
                self._next()
                return _Joined("not", (self._single(),))
            if self.token == ("sign", "("):
                self._next()
                inner = self._condition()
                if self.token != ("sign", ")"):
                    raise self._bad("expected `)`")
                self._next()
                return inner
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> _Comparison:
        start = self.start
        left = self._sum()
        if self.token[1] not in _OPERATORS:
            raise self._bad("expected >=, <=, >, <, == or !=")
        _, sign = self._next()
        right = self._sum()
        if self.token[1] in _OPERATORS:
            raise self._bad("expected `and` between two comparisons")
        return _Comparison(left, sign, right, self.text[start : self.start].strip())

    def _sum(self) -> _Sum:
        terms = [(1, self._value())]
        while self.token in (("sign", "+"), ("sign", "-")):
            _, sign = self._next()
            terms.append((1 if sign == "+" else -1, self._value()))
        return _Sum(tuple(terms))

    def _value(self) -> float | str:
        kind, text = self.token
        if kind not in ("number", "percent", "name"):
            raise self._bad("expected a metric or a number")
        self._next()
        if kind == "name":
            return text
        return float(text) / 100 if kind == "percent" else float(text)
