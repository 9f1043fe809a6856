"""What a plan means for data and money: the registry and providers are asked, `plan` decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tunekit.model import Cost, Problem, RecordedTrial, SplitInfo, Trial
from tunekit.plan import Action, DataChange, Plan, RowChanges, Step, compare
from tunekit.plan.cost import estimate, over_budget, root_base
from tunekit.providers.base import Provider
from tunekit.registry import Registry

ProviderOf = Callable[[str], Provider]

_TRAINED_ON = ("train", "validation")


def cost_of(trial: Trial, recorded: Sequence[RecordedTrial], provider_of: ProviderOf) -> Cost:
    """Return what one job of a trial will probably cost. ProviderError where there is none such."""
    capabilities = provider_of(trial.experiment.provider).capabilities
    return estimate(trial, capabilities, base_model=root_base(trial, recorded))


def refused_costs(
    steps: Sequence[Step], registry: Registry, provider_of: ProviderOf
) -> list[Problem]:
    """Return which jobs that are about to start limits.max_cost_usd forbids."""
    limited = [step.trial for step in steps if _is_new_job(step) and _has_limit(step.trial)]
    recorded = registry.trials() if limited else []
    costs = ((trial, cost_of(trial, recorded, provider_of)) for trial in limited if trial)
    found = (over_budget(trial, cost) for trial, cost in costs)
    return [problem for problem in found if problem is not None]


def with_outlook(plan: Plan, registry: Registry, provider_of: ProviderOf) -> Plan:
    """Return the plan, each step that starts a job with its cost and what its data change."""
    recorded = registry.trials() if any(map(_is_new_job, plan.steps)) else []
    return Plan(tuple(_seen_ahead(s, recorded, registry, provider_of) for s in plan.steps))


def _seen_ahead(
    step: Step, recorded: Sequence[RecordedTrial], registry: Registry, provider_of: ProviderOf
) -> Step:
    if step.trial is None or not _is_new_job(step):
        return step
    cost = cost_of(step.trial, recorded, provider_of)
    return replace(step, cost=cost, data=_data_change(step, registry))


def _is_new_job(step: Step) -> bool:
    return step.starts_job and step.action is not Action.RESOLVE


def _has_limit(trial: Trial | None) -> bool:
    return trial is not None and trial.experiment.limits.max_cost_usd is not None


def _data_change(step: Step, registry: Registry) -> DataChange | None:
    """Return how the data differ from those of the revision before; None where they don't."""
    before = step.recorded.training_identity if step.recorded else None
    if before is None or step.trial is None:
        return None
    was = _former_sizes(step, registry)
    splits: dict[str, RowChanges] = {}
    sizes: dict[str, tuple[SplitInfo | None, SplitInfo | None]] = {}
    for split in _TRAINED_ON:
        now = step.trial.dataset.splits.get(split)
        if before.get(split) == (now.digest if now else None):
            continue
        old = registry.rows(before[split]) if before.get(split) else None
        new = registry.rows(now.digest) if now else None
        if old is not None and new is not None:
            splits[split] = compare(old, new)
        else:
            sizes[split] = (was.get(split), now)
    return DataChange(splits, sizes) if splits or sizes else None


def _former_sizes(step: Step, registry: Registry) -> dict[str, SplitInfo]:
    job = step.recorded.current() if step.recorded else None
    if job is None:
        return {}
    kept = registry.revision(job)["dataset"]["splits"]
    return {
        name: SplitInfo(info["rows"], info["characters"], info["digest"])
        for name, info in kept.items()
    }
