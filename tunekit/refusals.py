"""What forbids the jobs that are about to start: faults of data, a provider's word, a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tunekit.model import JobSpec, Problem, Severity
from tunekit.observe import Observer
from tunekit.outlook import refused_costs
from tunekit.plan import Step


def preflight(steps: Sequence[Step], observer: Observer) -> list[Problem]:
    """Return what is wrong with the data of jobs about to start, and what would refuse them.

    Providers may, and limits.max_cost_usd.
    """
    problems = refused_costs(steps, observer.registry, observer.provider_of)
    for step in steps:
        if not step.starts_job or step.trial is None:
            continue
        experiment = step.trial.experiment
        provider = observer.provider_of(experiment.provider)
        problems += [finding.problem() for finding in step.trial.dataset.findings]
        for problem in provider.check(JobSpec.of(step.trial)):
            where = problem.where or experiment.at(problem.key or "base_model")
            problems.append(replace(problem, where=where))
    # Trials of one experiment share their data.
    return list(dict.fromkeys(problems))


def refusals(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that forbid an apply."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]
