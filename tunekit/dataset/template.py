"""Prompt templates: literal text with plain `{name}` placeholders, filled in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tunekit.model import Problem
from tunekit.model.spec import ANSWERS

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_NAME = re.compile(r"[^\W\d]\w*")
_LONGEST_SHOWN = 40
_ALLOWED = "only plain {name} placeholders are allowed; write {{ and }} for literal braces"


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed prompt. `names` are its placeholders in order, with repeats."""

    names: tuple[str, ...]
    literals: tuple[str, ...]  # one more than names: the text before, between and after them
    _format: str

    @classmethod
    def of(cls, names: Sequence[str], literals: Sequence[str]) -> Template:
        """Return the template whose placeholders `names` stand between `literals`."""
        # The % operator inserts in C and in one pass: what a value holds is never looked at.
        return cls(tuple(names), tuple(literals), "%s".join(t.replace("%", "%%") for t in literals))

    def render(self, values: Sequence[str]) -> str:
        """Return the prompt; `values` belong to `names`, one each."""
        return self._format % tuple(values)

    @property
    def fill(self) -> Callable[[tuple[str, ...]], str]:
        """What `render` does with a tuple, without a call in between."""
        return self._format.__mod__


def parse_template(
    text: str, columns: Collection[str], *, answers: Collection[str] = ANSWERS["supervised"]
) -> tuple[Template, list[Problem]]:
    """Return the template and what is wrong with it; `columns` are the names of the spec.

    `answers` are those of them that no prompt may hold. The problems have no place; with any, the
    template is unfit for rendering.
    """
    usable = [column for column in columns if column not in answers]
    problems: list[Problem] = []
    names: list[str] = []
    literals = [""]
    end = 0
    for token in _TOKEN.finditer(text):
        literals[-1] += text[end : token.start()]
        end = token.end()
        match token[0]:
            case "{{" | "}}":
                literals[-1] += token[0][0]
            case "{" | "}":
                line = text.count("\n", 0, token.start()) + 1
                fact = f"dataset.prompt has a lone {token[0]!r} in its line {line}"
                problems.append(Problem(fact, _ALLOWED))
            case placeholder:
                line = text.count("\n", 0, token.start()) + 1
                name = placeholder[1:-1]
                if problem := _problem_of(name, usable, line, is_answer=name in answers):
                    problems.append(problem)
                names.append(placeholder[1:-1])
                literals.append("")
    literals[-1] += text[end:]
    if not names and not problems:
        problems.append(_without_placeholder(text, usable))
    return Template.of(names, literals), problems


def _problem_of(name: str, usable: Sequence[str], line: int, *, is_answer: bool) -> Problem | None:
    shown = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…"
    if not _NAME.fullmatch(name):
        return Problem(f"dataset.prompt has {{{shown}}} in its line {line}", _ALLOWED)
    if is_answer:
        return Problem(
            f"dataset.prompt has {{{name}}} in its line {line}, which gives the answer away",
            f"use {_listed(usable)}" if usable else "map another column in dataset.columns",
        )
    if name not in usable:
        return Problem(
            f"dataset.prompt has {{{shown}}} in its line {line}; dataset.columns has no such name",
            (f"it has {_listed(usable)}" if usable else f"add {shown}: COLUMN to it")
            + suggestion(name, usable),
        )
    return None


def _without_placeholder(text: str, usable: Sequence[str]) -> Problem:
    if "{{" in text:
        return Problem(
            "dataset.prompt has no placeholder, so every prompt would be the same",
            "{{name}} is literal text; write {name}",
        )
    return Problem(
        "dataset.prompt has no placeholder, so every prompt would be the same",
        f"add {_listed(usable)}" if usable else "map a column in dataset.columns and add {name}",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def suggestion(name: str, known: Collection[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known name, "" without one."""
    from difflib import get_close_matches

    by_folded = {other.casefold(): other for other in known}
    near = get_close_matches(name.casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""
