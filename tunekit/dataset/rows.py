"""A source's row -> an example: columns and a prompt, a column of messages, or a ready-made line.

A message names the file and the line, never what the row holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunekit.dataset.checks import answers_of
from tunekit.dataset.fastjson import dumps
from tunekit.dataset.readymade import Misfit, example_from
from tunekit.dataset.sources import BadSource, Row
from tunekit.dataset.template import Template
from tunekit.model import Example, Experiment, Location, Problem, Turn

INPUT = "input"

_NUMBERS = json.JSONEncoder(allow_nan=False)
# What the roles of chat formats are called here.
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "model",
    "model": "model",
    "gpt": "model",
}
_SHAPE = 'write a list of {"role": "user", "content": "..."}'

# From one row, and from some in their order.
Renderer = Callable[[Row], Example]
ManyRenderer = Callable[[Sequence[Row]], list[Example]]


class PlainRowsOnly(Exception):
    """Among rows to render is one that is not the plain kind; it may be good."""


class BadRow(Exception):
    """What is wrong with a row, without its place."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy

    def at(self, where: Location) -> BadSource:
        return BadSource(Problem(self.fact, self.remedy, where))


def renderer(experiment: Experiment, template: Template) -> Renderer:
    """Return what makes an example of a row; it raises BadRow."""
    spec = experiment.dataset
    if spec.ready_made is not None:
        return _ready_made(experiment.tuning.method)
    answers = _answers(experiment)
    if spec.messages is not None:
        return _chat(spec.messages, answers)
    return _tabular(template, spec.columns, answers)


def fast_renderer(experiment: Experiment, template: Template) -> ManyRenderer | None:
    """Return what makes the examples of rows in half of `renderer`'s time, if there is a way.

    It raises PlainRowsOnly where a row needs a closer look.
    """
    spec = experiment.dataset
    if spec.ready_made is not None or spec.messages is not None:
        return None
    answers, names = _answers(experiment), [spec.columns[name] for name in template.names]
    # What most data sets are: one text in, one text out.
    if len(names) != 1 or len(answers) != 1 or spec.columns.get(INPUT, names[0]) != names[0]:
        return None
    return _one_to_one(template, names[0], answers[0])


def _answers(experiment: Experiment) -> list[str]:
    columns = experiment.dataset.columns
    return [columns[name] for name in answers_of(experiment) if name in columns]


def _one_to_one(template: Template, question: str, answer: str) -> ManyRenderer:
    new, (before, after) = tuple.__new__, template.literals

    def render(rows: Sequence[Row]) -> list[Example]:
        try:
            texts = [values[question] for _, values, _ in rows]
            answers = [values[answer] for _, values, _ in rows]
        except KeyError:
            raise PlainRowsOnly from None
        if {*map(type, texts), *map(type, answers)} - {str}:
            raise PlainRowsOnly
        prompts = [f"{before}{text}{after}" for text in texts]
        try:
            # Refuses half surrogate pairs, and keeps the UTF-8 for who encodes the text next.
            for found in (prompts, answers):
                if wide := [text for text in found if not text.isascii()]:
                    dumps(wide)
        except TypeError:
            raise PlainRowsOnly from None
        return [
            new(Example, (prompt, response, text, row[0], None, (), None, b""))
            for prompt, response, text, row in zip(prompts, answers, texts, rows, strict=True)
        ]

    return render


def _tabular(template: Template, columns: Mapping[str, str], answers: list[str]) -> Renderer:
    names = [columns[name] for name in template.names]
    used = [*names, *answers, *([columns[INPUT]] if INPUT in columns else [])]
    width, has_rejected = len(names), len(answers) > 1
    # `source` is what the prompt's one placeholder holds, where there is no `input`.
    has_source = INPUT in columns or len(set(template.names)) == 1
    at_source = -1 if INPUT in columns else 0
    fill = template.fill

    def render(row: Row) -> Example:
        texts = tuple([text_of(row.values, column) for column in used])
        prompt, response = fill(texts[:width]), texts[width]
        rejected = texts[width + 1] if has_rejected else None
        if rejected == response:
            raise _same(*answers)
        source = texts[at_source] if has_source else prompt
        return Example(prompt, response, source, row.line, rejected)

    return render


def _chat(column: str, answers: list[str]) -> Renderer:
    def render(row: Row) -> Example:
        turns = _turns(row.values, column)
        if answers:
            response, *others = [text_of(row.values, name) for name in answers]
            if response in others:
                raise _same(*answers)
            rejected = others[0] if others else None
            if turns[-1].role != "user":
                fact = f"column {column!r} does not end with a message of the user"
                raise BadRow(fact, "leave the answers to their own columns")
        else:
            answer = turns.pop()
            response, rejected = answer.text, None
            if answer.role != "model":
                fact = f"column {column!r} does not end with a message of the assistant"
                raise BadRow(fact, "end with the answer to learn")
        users = [turn.text for turn in turns if turn.role == "user"]
        if not users:
            fact = f"column {column!r} has no message of the user before the answer"
            raise BadRow(fact, "begin with what the user says")
        prompt = "\n".join(turn.text for turn in turns)
        is_plain = len(turns) == 1
        return Example(
            prompt, response, users[-1], row.line, rejected, () if is_plain else tuple(turns)
        )

    return render


def _turns(values: Mapping[str, Any], column: str) -> list[Turn]:
    messages = values.get(column)
    if isinstance(messages, str):  # CSV has no lists, and some tables hold JSON in a string
        try:
            messages = json.loads(messages)
        except (ValueError, RecursionError):
            raise BadRow(f"column {column!r} holds text that is no JSON", _SHAPE) from None
    if not isinstance(messages, list | tuple) or not messages:
        raise BadRow(f"column {column!r} holds no list of messages", _SHAPE)
    turns: list[Turn] = []
    for place, message in enumerate(messages, 1):
        if not isinstance(message, Mapping):
            raise BadRow(f"message {place} of column {column!r} is no object", _SHAPE)
        role, text = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in _ROLES:
            fact = f"message {place} of column {column!r} has no role that is known"
            raise BadRow(fact, "roles are system, user and assistant")
        if not isinstance(text, str):
            fact = f"message {place} of column {column!r} has no text as content"
            raise BadRow(fact, _SHAPE)
        if place > 1 and _ROLES[role] == "system":
            fact = f"message {place} of column {column!r} is the system's"
            raise BadRow(fact, "only the first may be")
        _refuse_half_pairs(text, column)
        turns.append(Turn(_ROLES[role], text))
    return turns


def _ready_made(method: str) -> Renderer:
    def render(row: Row) -> Example:
        raw = dumps(row.values) if row.raw is None else row.raw.rstrip(b"\r\n")
        try:
            return example_from(row.values, row.line, method=method)._replace(raw=raw)
        except Misfit as misfit:
            raise BadRow(misfit.fact, misfit.remedy) from None

    return render


def text_of(values: Mapping[str, Any], column: str) -> str:
    """Return a value as text: strings as they are, numbers and booleans as JSON writes them."""
    match value := values.get(column):
        case str():
            _refuse_half_pairs(value, column)
            return value
        case None:
            state = "null" if column in values else "missing"
            raise BadRow(f"column {column!r} is {state}", "give it a value or remove the row")
        case bool() | int() | float():
            try:
                return _NUMBERS.encode(value)
            except ValueError:  # 1e999 is valid JSON and infinite in Python
                fact = f"column {column!r} holds a number too large to write"
                raise BadRow(fact, "write it as a string") from None
        case Mapping():
            kind = "an object"
        case _:
            kind = "a list"
    fact = f"column {column!r} holds {kind}"
    raise BadRow(fact, "a value must be a string, a number or true or false")


def _refuse_half_pairs(text: str, column: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        fact = f"column {column!r} holds half a surrogate pair, which is no character"
        raise BadRow(fact, "mend or remove the row") from None


def _same(one: str, other: str) -> BadRow:
    fact = f"columns {one!r} and {other!r} hold the same text, so neither is the better"
    return BadRow(fact, "mend or remove the row")
