"""What forbids the jobs that are about to start: faults of data, a provider's word, a budget."""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.model import JobSpec, Problem, Severity
from tunekit.observe import Observer
from tunekit.outlook import refused_costs
from tunekit.plan import Step


def preflight(steps: Sequence[Step], observer: Observer) -> list[Problem]:
    """Return what providers and limits.max_cost_usd would refuse of the jobs about to start."""
    problems = refused_costs(steps, observer.registry, observer.provider_of)
    for step in steps:
        if not step.starts_job or step.trial is None:
            continue
        experiment = step.trial.experiment
        provider = observer.provider_of(experiment.provider)
        for problem in provider.check(JobSpec.of(step.trial)):
            where = problem.where or experiment.at(problem.key or "base_model")
            problems.append(Problem(problem.fact, problem.remedy, where, problem.severity))
    return problems


def refusals(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that forbid an apply."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]
