"""What can be told of a data set without rendering it: the spec's own faults, then the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tunekit.dataset.expression import Filter, parse_filter
from tunekit.dataset.opening import open_source
from tunekit.dataset.sources import BadSource, Reader
from tunekit.dataset.split import split_problems
from tunekit.dataset.template import Template, parse_template, suggestion
from tunekit.model import Experiment, Problem
from tunekit.model.spec import ANSWERS

_MEANINGS = {"output": "response", "chosen": "better response", "rejected": "worse response"}
_MOST_COLUMNS_SHOWN = 10
# What passes for a column's name; a file without a header has values there, and they stay unsaid.
_LONGEST_COLUMN_SHOWN = 40


def check(experiment: Experiment, *, root: Path) -> list[Problem]:
    """Return every fault that shows in the spec and the source's head; never raises for one."""
    problems = spec_problems(experiment)
    if experiment.dataset.source.path is None:
        return problems  # to look at what is elsewhere is for `plan`: this needs no network
    try:
        reader = open_source(experiment, root=root)
        problems += column_problems(experiment, reader)
    except BadSource as error:
        problems.append(error.problem)
    return problems


def spec_problems(experiment: Experiment) -> list[Problem]:
    """Return what is wrong with `dataset` as written, each at its key; opens nothing."""
    spec = experiment.dataset
    if spec.source.objects():
        return []
    is_tabular = spec.messages is None and spec.ready_made is None
    problems = [
        replace(problem, where=experiment.at("dataset.prompt"))
        for problem in (parsed_prompt(experiment)[1] if is_tabular else ())
    ]
    parsed = parse_filter(spec.filter) if spec.filter is not None else None
    if isinstance(parsed, Problem):
        problems.append(replace(parsed, where=experiment.at("dataset.filter")))
    problems += [
        Problem(
            f"dataset.columns has no {name}",
            f"add {name}: COLUMN, the column that holds the {meaning}",
            experiment.at("dataset.columns"),
        )
        for name, meaning in _MEANINGS.items()
        if name in needed_answers(experiment) and name not in spec.columns
    ]
    for key, text in (
        ("dataset.prompt", spec.prompt),
        ("dataset.system_instruction", spec.system_instruction or ""),
    ):
        if any("\ud800" <= character <= "\udfff" for character in text):
            fact = f"{key} holds half a surrogate pair, which is no character"
            problems.append(Problem(fact, "remove it", experiment.at(key)))
    for key, problem in split_problems(spec.split, spec.take):
        problems.append(replace(problem, where=experiment.at(key)))
    return problems


def answers_of(experiment: Experiment) -> tuple[str, ...]:
    """Return which names of `columns` are answers: the response first, then a rejected one."""
    return ANSWERS.get(experiment.tuning.method, ANSWERS["supervised"])


def needed_answers(experiment: Experiment) -> tuple[str, ...]:
    """Return which answers are columns: a conversation ends with its own, a line has both."""
    answers = answers_of(experiment)
    if experiment.dataset.ready_made is not None:
        return ()
    return answers if experiment.dataset.messages is None or len(answers) > 1 else ()


def parsed_prompt(experiment: Experiment) -> tuple[Template, list[Problem]]:
    """Return the prompt's template and its problems, without places."""
    spec = experiment.dataset
    return parse_template(spec.prompt, spec.columns, answers=answers_of(experiment))


def column_problems(experiment: Experiment, reader: Reader) -> list[Problem]:
    """Return which mapped columns the source lacks; BadSource if it can't be read.

    Looks at the head; where JSON is, at all rows up to the first that has the column.
    """
    known = reader.columns({column for _, column in _named_columns(experiment)})
    if not known:
        kind = next(k for k in ("path", "hub", "gcs") if getattr(experiment.dataset.source, k))
        where = experiment.at(f"dataset.source.{kind}")
        return [Problem(f"{reader.name} has no rows", "add rows or name another source", where)]
    return [
        Problem(
            f"{key} names {column!r}; {reader.name} has no such column",
            f"it has {_listed(known)}{suggestion(column, known)}{_shape_of(experiment, known)}",
            experiment.at(key),
        )
        for key, column in _named_columns(experiment)
        if column not in known
    ]


def _named_columns(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield every column that `dataset` names, with the key that names it."""
    spec = experiment.dataset
    for name, column in spec.columns.items():
        yield f"dataset.columns.{name}", column
    for key, column_or_none in (
        ("dataset.messages", spec.messages),
        ("dataset.split.stratify", spec.stratify),
        ("dataset.split.group", spec.group),
    ):
        if column_or_none is not None:
            yield key, column_or_none
    parsed = parse_filter(spec.filter) if spec.filter is not None else None
    if isinstance(parsed, Filter):
        for column in parsed.columns:
            yield "dataset.filter", column
    if isinstance(spec.dedupe, tuple):
        for column in spec.dedupe:
            yield "dataset.dedupe", column


def _shape_of(experiment: Experiment, known: Sequence[str]) -> str:
    """Return what to write where the columns tell that rows are no table's, "" elsewhere."""
    spec = experiment.dataset
    if spec.messages is not None or spec.ready_made is not None:
        return ""
    if "contents" in known:
        return "; for ready-made rows write `ready_made: vertex` in place of columns"
    if "messages" in known:
        return "; for conversations write `messages: messages` in place of columns"
    return ""


def _listed(columns: Sequence[str]) -> str:
    shown = [name for name in columns if len(name) <= _LONGEST_COLUMN_SHOWN][:_MOST_COLUMNS_SHOWN]
    more = len(columns) - len(shown)
    if more:
        shown.append(f"{more} more" if shown else f"{more} with names too long to show")
    return ", ".join(shown)
