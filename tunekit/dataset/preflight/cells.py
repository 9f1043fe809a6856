"""Rows that can't be rendered: all of them, where preparing stops at the first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tunekit.dataset.checks import answers_of, parsed_prompt
from tunekit.dataset.expression import Filter, Unorderable, parse_filter
from tunekit.dataset.opening import open_source
from tunekit.dataset.preflight.batch import Tally
from tunekit.dataset.preflight.rules import RULES
from tunekit.dataset.sources import BadSource, Row
from tunekit.errors import DataError
from tunekit.model import Experiment, Finding, Location, Problem, placed


def bad_rows(experiment: Experiment, *, root: Path, error: DataError) -> list[Finding]:
    """Return what keeps a data set from being rendered, `error` where no row shows it.

    Reads the whole source, up to the first row that can't be read at all.
    """
    if experiment.dataset.source.objects():
        return [_of_error(experiment, error)]
    tally = Tally()
    try:
        reader = open_source(experiment, root=root)
    except BadSource as fault:
        return [_of_error(experiment, fault)]
    last: DataError | None = None
    try:
        for row in islice(_filtered(experiment, reader.rows()), experiment.dataset.take):
            _look(experiment, row.line, row.values, tally)
    except BadSource as fault:
        last = fault
    except Unorderable:
        last = error
    files = reader.files()
    found = tally.findings(lambda _, line: placed(line, files, source=reader.name))
    if last is not None or not found:
        found.append(_of_error(experiment, last or error))
    return found


def _filtered(experiment: Experiment, rows: Iterator[Row]) -> Iterator[Row]:
    parsed = parse_filter(experiment.dataset.filter or "")
    if experiment.dataset.filter is None or not isinstance(parsed, Filter):
        return rows
    keeps = parsed.keeps
    return (row for row in rows if keeps(row.values))


def _look(experiment: Experiment, line: int, values: Any, tally: Tally) -> None:
    spec = experiment.dataset
    answers = answers_of(experiment)
    names = dict.fromkeys((*parsed_prompt(experiment)[0].names, *answers))
    for column in dict.fromkeys(spec.columns[name] for name in names if name in spec.columns):
        match values.get(column):
            case None:
                what = "null" if column in values else "missing"
                tally.add("missing-value", "", f"where column {column!r} is {what}", line)
            case dict():
                tally.add("wrong-type", "", f"with an object in column {column!r}", line)
            case list():
                tally.add("wrong-type", "", f"with a list in column {column!r}", line)
            case float() as number if not math.isfinite(number):
                fact = f"with a number too large to write in column {column!r}"
                tally.add("wrong-type", "", fact, line)
    texts = [values.get(spec.columns[name]) for name in answers if name in spec.columns]
    if len(texts) == 2 and texts[0] == texts[1] is not None:
        tally.add("equal-answers", "", "whose better and worse answer are the same", line)


def _of_error(experiment: Experiment, error: DataError) -> Finding:
    rule = "unreadable-row"
    problem = error.problem or Problem(str(error), RULES[rule].remedy)
    where = problem.where or experiment.at("dataset.source")
    in_data = where.path != experiment.where.path
    return Finding(
        severity=RULES[rule].severity,
        rule=rule,
        where=Location(where.path, where.line, where.column),
        row=where.line if in_data else 0,
        fact=problem.fact,
        remedy=problem.remedy,
        count=1 if in_data and where.line else 0,
        places=(str(where),) if in_data and where.line else (),
    )
