"""tunekit.yaml: the registry's place, provider profiles and defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunekit.errors import SpecError
from tunekit.model import Experiment, Location, Problem
from tunekit.spec.check import as_problem, in_order, schema_findings, without_shadows
from tunekit.spec.compose import read_documents
from tunekit.spec.files import PROJECT_FILE, SpecFile, Unreadable, read_text
from tunekit.spec.nodes import Document, Step, strings
from tunekit.spec.sentences import Finding
from tunekit.spec.wording import choices, guess, key_text, path_text

DEFAULT_REGISTRY = ".tunekit/registry.db"

# How Google's services are called.
_CALLS = frozenset(
    {
        *("endpoint", "impersonate", "quota_project", "request_timeout_s", "listing_lag_s"),
        "usd_per_million_tokens",
    }
)
# What a profile of each built-in kind takes; `options` is for plugins.
BUILT_IN_KINDS: Mapping[str, frozenset[str]] = {
    "local": frozenset({"max_concurrent_jobs"}),
    "vertex": _CALLS
    | {"project", "location", "bucket", "storage_endpoint", "service_account", "kms_key"},
    "gemini-api": _CALLS | {"api_key_env"},
}
_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_OPENING = "${"


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to reach a provider. `options` may hold values of the environment: never print."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project's folder and settings. `profiles` always has the built-in kinds by their names.

    `configured` names those that tunekit.yaml writes down.
    """

    root: Path
    registry: Path
    profiles: Mapping[str, Profile]
    defaults: Mapping[str, Any]
    where: Path | None
    configured: tuple[str, ...] = ()


def load_project(
    start: Path, *, environ: Mapping[str, str], project_dir: Path | None = None
) -> Project:
    """Return the settings of the nearest tunekit.yaml at or above `start`, or the defaults.

    `project_dir` is the root where given, with or without the file. SpecError has every problem.
    """
    root, file = _find(start.absolute(), project_dir)
    if file is None:
        return _project(root, {}, None)
    problems: list[Problem] = []
    data = _read(file, environ, problems)
    if problems:
        raise SpecError(in_order(problems))
    return _project(root, data, file.path)


def _find(start: Path, project_dir: Path | None) -> tuple[Path, SpecFile | None]:
    if project_dir is not None:
        root = start / project_dir
        if not os.path.isdir(root):
            where = Location(str(project_dir))
            raise SpecError([Problem("no such folder", "name the project's folder", where)])
        shown = str(project_dir / PROJECT_FILE)
        return root, _project_file(root, shown)
    for folder in (start, *start.parents):
        shown = os.path.relpath(folder / PROJECT_FILE, start)
        if file := _project_file(folder, shown):
            return folder, file
    return start, None


def _project_file(folder: Path, shown: str) -> SpecFile | None:
    path = folder / PROJECT_FILE
    if os.path.lexists(path):
        return SpecFile(shown, path)
    if os.path.lexists(path.with_suffix(".yml")):
        # Left alone it would go unread, and a registry would begin elsewhere.
        where = Location(str(Path(shown).with_suffix(".yml")))
        fact = "tunekit does not read a project file of this name"
        raise SpecError([Problem(fact, f"rename it to {PROJECT_FILE}", where)])
    return None


def _project(root: Path, data: Mapping[str, Any], where: Path | None) -> Project:
    profiles = {kind: Profile(kind, kind) for kind in BUILT_IN_KINDS}
    for name, written in data.get("providers", {}).items():
        options = {key: value for key, value in written.items() if key not in ("kind", "options")}
        options |= written.get("options", {})
        profiles[name] = Profile(name, written.get("kind", name), options)
    registry = root / data.get("registry", DEFAULT_REGISTRY)
    configured = tuple(data.get("providers", {}))
    return Project(root, registry, profiles, data.get("defaults", {}), where, configured)


def _read(file: SpecFile, environ: Mapping[str, str], problems: list[Problem]) -> Mapping[str, Any]:
    """Return the file's data with variables resolved; what is wrong goes to `problems`."""
    try:
        text = read_text(file)
    except Unreadable as error:
        problems.append(error.problem)
        return {}
    documents, faults = read_documents(text, file.shown)
    problems.extend(faults)
    if len(documents) > 1:
        where = documents[1].where
        problems.append(Problem("a second document begins here", "keep one in this file", where))
    if not documents:
        return {}
    return _check(documents[0], environ, problems)


def _check(
    document: Document, environ: Mapping[str, str], problems: list[Problem]
) -> Mapping[str, Any]:
    hidden: dict[tuple[Step, ...], str] = {}
    findings: list[Finding] = []
    values: dict[tuple[Step, ...], str] = {}
    for steps, node in strings(document.root):
        if _OPENING not in node.value:
            continue
        names = _VARIABLE.findall(node.value)
        findings += _faulty_variables(steps, node.value, environ)
        values[steps] = _VARIABLE.sub(lambda match: environ.get(match[1], ""), node.value)
        hidden[steps] = choices((f"${{env:{name}}}" for name in names), "and") or key_text(
            node.value
        )
    data = _replaced(document.root.value, values, ())
    unset = {finding.steps for finding in findings}
    findings += [f for f in schema_findings("project", data, hidden) if f.steps not in unset]
    if not findings:
        findings += _faulty_profiles(data.get("providers", {}))
    found = [as_problem(finding, document) for finding in findings]
    problems.extend(without_shadows(found, document))
    return data if isinstance(data, dict) else {}


def _faulty_variables(
    steps: tuple[Step, ...], text: str, environ: Mapping[str, str]
) -> list[Finding]:
    found = [
        Finding(steps, f"the variable {name} is not set", f"set {name}, or write the value")
        for name in dict.fromkeys(_VARIABLE.findall(text))
        if name not in environ
    ]
    if _OPENING in _VARIABLE.sub("", text):
        fact = f"{path_text(steps)} holds a ${{...}} that is not ${{env:NAME}}"
        found.append(Finding(steps, fact, "write ${env:NAME}; nothing else is filled in"))
    return found


def _replaced(data: Any, values: Mapping[tuple[Step, ...], str], steps: tuple[Step, ...]) -> Any:
    """Return a copy with the text at some paths replaced; depth was bounded by the parser."""
    match data:
        case dict():
            return {key: _replaced(item, values, (*steps, key)) for key, item in data.items()}
        case list():
            return [_replaced(item, values, (*steps, i)) for i, item in enumerate(data)]
        case _:
            return values.get(steps, data)


def _faulty_profiles(profiles: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    for name, profile in profiles.items():
        steps = ("providers", name)
        kind = profile.get("kind") or (name if name in BUILT_IN_KINDS else None)
        if kind is None:
            remedy = f"add `kind: {guess(name, BUILT_IN_KINDS) or 'vertex'}`"
            found.append(Finding(steps, f"providers.{name} has no kind", remedy))
            continue
        taken = BUILT_IN_KINDS.get(kind)
        found += [
            Finding((*steps, key), f"providers.{name}.{key} is not taken by {kind}", "remove it")
            for key in profile
            if taken is not None and key != "kind" and key not in taken
        ]
    return found


def check_profile(experiment: Experiment, project: Project) -> list[Problem]:
    """Return a problem where the experiment's provider is no profile of the project. Pure."""
    name = experiment.provider
    if name in project.profiles:
        return []
    near = guess(name, project.profiles)
    known = choices(sorted(project.profiles))
    remedy = f"did you mean {near}?" if near else f"write {known}, or add it to tunekit.yaml"
    return [Problem(f"no provider is called {name}", remedy, experiment.at("provider"))]
