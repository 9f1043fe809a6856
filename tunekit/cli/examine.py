"""Whole data sets looked at: every finding of the preflight and of the provider's own tables."""

from __future__ import annotations

from tunekit.cli import pins
from tunekit.cli.context import App
from tunekit.errors import DataError
from tunekit.model import Experiment, Finding, JobSpec, Problem, Trial


def examine(app: App, experiment: Experiment) -> list[Finding]:
    """Return what is wrong with an experiment's data, by reading all of it.

    SpecError where `dataset` is wrong as written, ProviderError where there is no such provider.
    """
    from tunekit.dataset.preflight.cells import bad_rows
    from tunekit.dataset.preflight.look import prepare_checked
    from tunekit.dataset.preflight.rules import RULES

    root = app.project.root
    try:
        experiment = pins.pinned(app, experiment)
        made = prepare_checked(experiment, root=root)
    except DataError as error:
        return bad_rows(experiment, root=root, error=error)
    provider = app.provider_of(experiment.provider)
    told = provider.check(JobSpec.of(Trial.of(experiment, made)))
    # What a provider says of the model or the place is for `plan`.
    of_data = [problem for problem in told if problem.rule and problem.rule not in RULES]
    return [*made.findings, *(_of_provider(problem, experiment) for problem in of_data)]


def _of_provider(problem: Problem, experiment: Experiment) -> Finding:
    where = problem.where or experiment.at(problem.key or "dataset")
    return Finding(problem.severity, problem.rule, where, 0, problem.fact, problem.remedy)
