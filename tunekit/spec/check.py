"""One document against a schema: findings with their places, as Problems."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from tunekit.model import Location, Problem, Severity
from tunekit.spec.nodes import Document
from tunekit.spec.schema import MAX_FAULTS, SchemaName, faults, is_valid, schema
from tunekit.spec.sentences import Finding, Hidden, sentences


def schema_findings(
    name: SchemaName, data: Any, hidden: Hidden | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong by the schema: none where `data` fits; `hidden` values stay unsaid."""
    if is_valid(name, data):
        return ()
    errors = list(islice(faults(name, data), MAX_FAULTS + 1))
    found = [
        finding
        for error in errors[:MAX_FAULTS]
        for finding in sentences(error, schema(name), hidden or {})
    ]
    if len(errors) > MAX_FAULTS:
        found.append(_MORE)
    # Two validators could disagree; a refused document must never look accepted.
    return tuple(dict.fromkeys(found)) or (_UNEXPLAINED,)


_MORE = Finding((), f"the document has more than {MAX_FAULTS} faults", "mend the first ones")
_UNEXPLAINED = Finding((), "the document does not fit the schema", "compare it with an example")


def are_complete(findings: Iterable[Finding]) -> bool:
    """Say whether each value that does not fit is named, so that the others can be relied on."""
    return not {_MORE, _UNEXPLAINED} & set(findings)


def as_problem(finding: Finding, document: Document) -> Problem:
    """Return the finding with its place in the file."""
    return Problem(finding.fact, finding.remedy, document.at(finding.steps), finding.severity)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, by file, line and column."""
    return tuple(sorted(dict.fromkeys(problems), key=_order))


def _order(problem: Problem) -> tuple[str, int, int, str]:
    where = problem.where or Location("")
    return (where.path, where.line, where.column, problem.fact)


def has_errors(problems: Iterable[Problem]) -> bool:
    """Say whether any problem is more than a warning."""
    return any(problem.severity is Severity.ERROR for problem in problems)


def without_shadows(findings: Iterable[Problem], document: Document) -> list[Problem]:
    """Leave out problems on lines whose YAML was refused already: they are its consequence."""
    return [
        problem
        for problem in findings
        if not (problem.where and problem.where.line in document.faulty_lines)
    ]
