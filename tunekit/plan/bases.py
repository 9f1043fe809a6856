"""Which tuned model a trial continues from, and what it waits for until there is one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tunekit.model import (
    EVAL_LOSS,
    Checkpoint,
    Job,
    JobState,
    MetricPoint,
    Parent,
    RecordedTrial,
    Trial,
    TunedBase,
)

BEST, LAST = "best", "last"

# A job's id -> its metric points.
Points = Mapping[int, Sequence[MetricPoint]]


@dataclass(frozen=True, slots=True)
class Based:
    """Trials with what they start from; of the others, by name, what they wait for."""

    trials: tuple[Trial, ...]
    waits: Mapping[str, str]


def measured_parents(desired: Iterable[Trial], recorded: Iterable[RecordedTrial]) -> list[Job]:
    """Return the jobs whose metric points decide which checkpoint is the best."""
    known = {trial.name: trial for trial in recorded}
    parents = (trial.experiment.parent for trial in desired)
    asked = {p.experiment for p in parents if p is not None and p.checkpoint == BEST}
    jobs = (known[name].current() for name in sorted(asked & known.keys()))
    return [job for job in jobs if job is not None]


def with_bases(
    desired: Sequence[Trial], recorded: Sequence[RecordedTrial], points: Points
) -> Based:
    """Return each trial with the tuned model that it continues from, as far as there is one.

    A parent counts once its own wanted revision is tuned: else the child would be tuned twice.
    """
    wanted = {trial.name: trial for trial in desired}
    known = {trial.name: trial for trial in recorded}
    done: dict[str, Trial] = {}
    waits: dict[str, str] = {}

    def based(trial: Trial, above: frozenset[str]) -> Trial:
        parent = trial.experiment.parent
        if parent is None:
            return trial
        if trial.name in done:
            return done[trial.name]
        if parent.experiment in above:
            found: TunedBase | str = f"{parent.experiment} is based on it in turn"
        else:
            now = wanted.get(parent.experiment)
            upper = based(now, above | {trial.name}) if now else None
            found = _tuned_base(parent, upper, known.get(parent.experiment), points)
        if isinstance(found, str):
            waits[trial.name] = found
            made = trial
        else:
            made = Trial.of(trial.experiment, trial.dataset, key=trial.key, base=found)
        done[trial.name] = made
        return made

    return Based(tuple(based(trial, frozenset({trial.name})) for trial in desired), waits)


def _tuned_base(
    parent: Parent, wanted: Trial | None, recorded: RecordedTrial | None, points: Points
) -> TunedBase | str:
    """Return the parent's tuned model, or why there is none yet."""
    name = parent.experiment
    if wanted is not None and not wanted.is_based:
        return f"{name} waits for its own base model"
    job = recorded.current() if recorded else None
    if job is None:
        return f"{name} has no job yet"
    if wanted is not None and wanted.experiment.lifecycle.state == "tuned":
        job = recorded.latest(wanted.digest) if recorded else None
        if job is None:
            return f"{name} is to be tuned anew"
    if job.state is not JobState.SUCCEEDED or not job.model:
        return f"{job.title} is {job.state}"
    if parent.checkpoint == LAST:
        return TunedBase(job.model)
    if parent.checkpoint == BEST:
        # Chosen from a part of the points, it may change; then the child would be paid for twice.
        if not job.has_all_points:
            return f"not every metric point of {job.title} has been fetched yet"
        best = best_checkpoint(job.checkpoints, points.get(job.id, ()))
        if best is None:
            return f"{job.title} has no loss on validation rows, so no best checkpoint; write last"
        return TunedBase(job.model, best.id)
    if parent.checkpoint not in {checkpoint.id for checkpoint in job.checkpoints}:
        has = ", ".join(checkpoint.id for checkpoint in job.checkpoints) or "none"
        return f"{job.title} has no checkpoint {parent.checkpoint}; it has: {has}"
    return TunedBase(job.model, parent.checkpoint)


def best_checkpoint(
    checkpoints: Sequence[Checkpoint], points: Sequence[MetricPoint]
) -> Checkpoint | None:
    """Return the checkpoint with the lowest validation loss, the earlier of equals.

    A checkpoint's loss is the last one measured up to its step; None where none was measured.
    """
    losses = sorted((p.step, p.value) for p in points if p.metric == EVAL_LOSS)
    measured = []
    for checkpoint in checkpoints:
        before = [
            v for step, v in losses if checkpoint.step is not None and step <= checkpoint.step
        ]
        if before:
            measured.append((before[-1], checkpoint))
    return min(measured, key=lambda pair: pair[0])[1] if measured else None
