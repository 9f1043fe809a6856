"""Files -> Experiments and every Problem of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.model import Experiment, Problem, Severity
from tunekit.spec.check import (
    are_complete,
    as_problem,
    has_errors,
    in_order,
    schema_findings,
    without_shadows,
)
from tunekit.spec.compose import read_documents
from tunekit.spec.experiment import build_experiment
from tunekit.spec.files import SpecFile, Unreadable, find_specs, read_text
from tunekit.spec.meaning import meaning_findings, variable_findings
from tunekit.spec.nodes import Document
from tunekit.spec.parents import check_parents

# A file with more faults than this is something else than a spec.
MAX_PROBLEMS_A_FILE = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """What files hold: the valid experiments, and every problem sorted by place."""

    experiments: tuple[Experiment, ...]
    problems: tuple[Problem, ...]


def load_experiments(
    paths: Sequence[str],
    *,
    root: Path,
    stdin: Callable[[], bytes] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Loaded:
    """Return the experiments of files, folders and `-`; nothing raises, faults are problems.

    Relative paths start at `root`. `defaults`: Project.defaults, for keys that are left out.
    """
    files, problems = find_specs(paths, root)
    experiments: list[Experiment] = []
    for file in files:
        found, faults = _load_file(file, stdin, defaults or {})
        experiments.extend(found)
        problems.extend(faults)
    unique, repeated = _unique(experiments)
    problems += repeated
    sound, unfit = check_parents(unique)
    # A parent may be missing only because its own file is faulty.
    problems += [p for p in unfit if p.severity is Severity.ERROR or not has_errors(problems)]
    return Loaded(sound, in_order(problems))


def _load_file(
    file: SpecFile, stdin: Callable[[], bytes] | None, defaults: Mapping[str, Any]
) -> tuple[list[Experiment], list[Problem]]:
    try:
        text = read_text(file, stdin)
    except Unreadable as error:
        return [], [error.problem]
    documents, problems = read_documents(text, file.shown)
    if not documents and not problems:
        return [], [_empty(file)]
    experiments: list[Experiment] = []
    for document in documents:
        experiment, found = load_document(document, defaults)
        problems.extend(found)
        if experiment is not None:
            experiments.append(experiment)
    return experiments, _bounded(problems, file)


def load_document(
    document: Document, defaults: Mapping[str, Any]
) -> tuple[Experiment | None, list[Problem]]:
    """Return a document's experiment, None where it has errors, and all its problems."""
    data = _with_defaults(document.root.value, defaults)
    findings = [*variable_findings(document)]
    filled = {finding.steps for finding in findings}
    refused = schema_findings("experiment", data)
    findings += [finding for finding in refused if finding.steps not in filled]
    if isinstance(data, dict) and are_complete(refused):
        bad = [finding.broken for finding in refused if finding.broken]
        findings += meaning_findings(data, bad)
    problems = [as_problem(finding, document) for finding in findings]
    problems = without_shadows(problems, document)
    if document.faulty_lines or has_errors(problems):
        return None, problems
    return build_experiment(data, document), problems


def _with_defaults(data: Any, defaults: Mapping[str, Any]) -> Any:
    """Return a copy with missing keys filled; the rest stays as written."""
    if not isinstance(data, dict):
        return data
    missing = {key: value for key, value in defaults.items() if key not in data}
    return {**data, **missing}


def _empty(file: SpecFile) -> Problem:
    """A file that was asked for by name must hold something; one in a folder may be a draft."""
    severity = Severity.ERROR if file.is_named else Severity.WARNING
    return Problem("the file holds no experiment", "write one, or remove it", file.where, severity)


def _bounded(problems: list[Problem], file: SpecFile) -> list[Problem]:
    if len(problems) <= MAX_PROBLEMS_A_FILE:
        return problems
    more = len(problems) - MAX_PROBLEMS_A_FILE
    ordered = in_order(problems)
    rest = ordered[MAX_PROBLEMS_A_FILE:]
    where = (rest[0].where if rest else None) or file.where
    fact = f"{more} more problems of this file are not shown"
    return [*ordered[:MAX_PROBLEMS_A_FILE], Problem(fact, "mend the first ones", where)]


def _unique(experiments: Iterable[Experiment]) -> tuple[tuple[Experiment, ...], list[Problem]]:
    """Return the first experiment of each name, and a problem for each later one."""
    first: dict[str, Experiment] = {}
    problems: list[Problem] = []
    for experiment in experiments:
        known = first.setdefault(experiment.name, experiment)
        if known is not experiment:
            fact = f"the name {experiment.name} is already taken at {known.at('name')}"
            problems.append(Problem(fact, "rename one of the two", experiment.at("name")))
    return tuple(first.values()), problems
