"""Spec files -> trials that are ready for planning, with every problem found on the way."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tunekit import dataset, providers, spec
from tunekit.cli import pins
from tunekit.cli.context import App
from tunekit.cli.labels import has_labels
from tunekit.errors import DataError, ProviderError, SpecError
from tunekit.model import (
    Experiment,
    PreparedDataset,
    Problem,
    RowRecorder,
    Severity,
    Trial,
)
from tunekit.providers.base import ChecksProfile

DEFAULT_FILES = ("experiments/",)


def read(app: App, files: Sequence[str]) -> tuple[list[Experiment], list[Problem]]:
    """Return the experiments of the files, and all problems short of rendering the data."""
    loaded = _load(app, files)
    problems = list(loaded.problems)
    for experiment in loaded.experiments:
        problems += _provider_problems(app, experiment)
        problems += dataset.check(experiment, root=app.project.root)
    return list(loaded.experiments), _once(problems)


def _load(app: App, files: Sequence[str]) -> spec.Loaded:
    """Read spec files: what the user typed is meant from here, the default from the root."""
    typed = [name if name == "-" else str(Path(name).absolute()) for name in files]
    return spec.load_experiments(
        typed or list(DEFAULT_FILES),
        root=app.project.root,
        stdin=sys.stdin.buffer.read,
        defaults=app.project.defaults,
    )


def _provider_problems(app: App, experiment: Experiment) -> list[Problem]:
    unknown = spec.check_profile(experiment, app.project)
    # Kinds that other packages add need no profile; looking for them reads every package's data.
    if unknown and experiment.provider not in providers.kinds():
        return unknown
    try:
        provider = app.provider_of(experiment.provider)
    except ProviderError as error:
        return [Problem(str(error), where=experiment.at("provider"))]
    kind = app.kind_of(experiment.provider)
    problems = spec.check_provider(experiment, kind=kind, capabilities=provider.capabilities)
    if isinstance(provider, ChecksProfile):
        for problem in provider.check_profile(needs_upload=experiment.dataset.source.gcs is None):
            problems.append(replace(problem, where=experiment.at(problem.key or "provider")))
    return problems


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems without those of one profile that several experiments share."""
    kept: dict[tuple[str, str], Problem] = {}
    for number, problem in enumerate(problems):
        is_shared = problem.key == "provider"
        kept.setdefault((problem.fact, "" if is_shared else str(number)), problem)
    return list(kept.values())


def split_problems(problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Return errors and warnings apart."""
    errors = [p for p in problems if p.severity is Severity.ERROR]
    return errors, [p for p in problems if p.severity is Severity.WARNING]


def experiments(app: App, files: Sequence[str], wanted: Mapping[str, str]) -> list[Experiment]:
    """Return the experiments that carry the wanted tags. SpecError with every problem found."""
    found, problems = read(app, files)
    errors, warnings = split_problems(problems)
    for warning in warnings:
        app.say(str(warning))
    if errors:
        raise SpecError(errors)
    return [experiment for experiment in found if has_labels(experiment.tags, wanted)]


def prepared(app: App, experiment: Experiment) -> PreparedDataset:
    """Return an experiment's data; unchanged bytes are recognised and not rendered again."""
    experiment = pins.pinned(app, experiment)
    return pins.with_commit(_prepared(app, experiment), experiment)


def _prepared(app: App, experiment: Experiment) -> PreparedDataset:
    key = dataset.source_key(experiment, root=app.project.root)
    record = app.registry.dataset(key)
    if record is not None:
        known = dataset.from_record(experiment, root=app.project.root, record=record)
        if app.registry.has_rows({info.digest for info in known.splits.values()}):
            return known
    from tunekit.dataset.preflight.look import prepare_checked

    rows = RowRecorder()
    made = prepare_checked(experiment, root=app.project.root, on_rows=rows.on_rows)
    # The file may have changed while it was read; then what was read has no key yet.
    is_same = dataset.source_key(experiment, root=app.project.root) == key
    if is_same and not app.registry.is_readonly:
        app.registry.record_dataset(
            key,
            source=str(experiment.dataset.source),
            record=dataset.to_record(made),
            rows=rows.splits(),
            at_s=app.clock.now_s(),
        )
    return made


def trials(app: App, found: Sequence[Experiment]) -> list[Trial]:
    """Return the trials of experiments. SpecError naming every data set that can't be read."""
    ready: list[Trial] = []
    problems: list[Problem] = []
    for experiment in found:
        try:
            data = prepared(app, experiment)
        except SpecError as error:
            problems += error.problems
            continue
        except DataError as error:
            problems.append(_placed(error, experiment))
            continue
        ready.append(Trial.of(experiment, data))
    if problems:
        raise SpecError(problems)
    return ready


def _placed(error: DataError, experiment: Experiment) -> Problem:
    """Return a fault at its place in the spec, in front of its place in the data if it has one."""
    fault = error.problem
    if fault is not None and fault.where and fault.where.path == experiment.where.path:
        return fault
    return Problem(str(error), where=experiment.at("dataset.source"))


def of_name(app: App, files: Sequence[str], name: str) -> Experiment | None:
    """Return the experiment of a name as the files have it now, None where none has it."""
    loaded = _load(app, files)
    for experiment in loaded.experiments:
        if experiment.name == name:
            return experiment
    return None
