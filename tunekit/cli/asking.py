"""What `evaluate` and `predict` share: which model answers, with which settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from tunekit import dataset, spec
from tunekit.cli import desired
from tunekit.cli.context import App
from tunekit.errors import NotFound, TunekitError, Unsupported, UsageError
from tunekit.model import (
    EvaluationSpec,
    Experiment,
    Generation,
    Job,
    JobState,
    RecordedTrial,
    trial_name,
)

BASE, TUNED, ALL = "base", "tuned", "all"
_CHECKPOINT = "checkpoint:"

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a job: `tuned`, `base` or `checkpoint:ID`.

    `is_optional`: it is left out where its provider can't ask it.
    """

    name: str
    model: str
    is_optional: bool = False


def target_option(*, several: bool) -> Callable[[Command], Command]:
    """Add --target."""
    choice = ", or all of them; repeatable" if several else ""
    return click.option(
        "--target",
        "target",
        multiple=several,
        metavar="TARGET",
        default=(TUNED,) if several else TUNED,
        help=f"Which model to ask: tuned (the default), base, checkpoint:ID{choice}.",
    )


def targets_of(app: App, job: Job, wanted: Sequence[str]) -> list[Target]:
    """Return the models that are meant, each once. UsageError where the job has none such."""
    names: dict[str, bool] = {}
    for name in wanted:
        if name != ALL:
            names[name] = False
            continue
        if job.state is JobState.SUCCEEDED and job.answers_at:
            names.setdefault(TUNED, False)
        names.setdefault(BASE, True)
        for saved in job.checkpoints:
            if saved.model != job.answers_at:  # the last is often the tuned model itself
                names.setdefault(_CHECKPOINT + saved.id, False)
    return [Target(name, model_of(app, job, name), extra) for name, extra in names.items()]


def model_of(app: App, job: Job, target: str) -> str:
    """Return the model to ask. UsageError where the job has none, or no such checkpoint."""
    title = job.title
    if target.startswith(_CHECKPOINT):
        wanted = target.removeprefix(_CHECKPOINT)
        for saved in job.checkpoints:
            if saved.id == wanted:
                return saved.model
        has = ", ".join(c.id for c in job.checkpoints) or "none"
        raise UsageError(f"{title} has no checkpoint {wanted!r}; it has: {has}")
    if target == BASE:
        return _base_of(app, job)
    if target != TUNED:
        raise UsageError(f"no target {target!r}; there are tuned, base and checkpoint:ID")
    if job.state is JobState.SUCCEEDED and job.answers_at:
        return job.answers_at
    hint = "`tunekit wait` ends with it" if job.is_open else "`tunekit history` shows why"
    raise UsageError(f"{title} is {job.state} and has no tuned model; {hint}")


def _base_of(app: App, job: Job) -> str:
    """Return what the tuning started from, as `generate` takes it."""
    identity = app.registry.revision(job)["identity"]
    base, checkpoint = str(identity["base_model"]), identity.get("base_checkpoint")
    for parent in app.registry.jobs():
        if parent.model == base:  # it was tuned here
            saved = {c.id: c.model for c in parent.checkpoints}
            return saved.get(checkpoint) or parent.answers_at or base
    return base


def experiment_of(app: App, trial: RecordedTrial, job: Job) -> Experiment:
    """Return the spec that a job was tuned by, with `evaluate` as it is written now.

    Its data set of the Hub is at the commit that the job's rows are of.
    """
    recorded = app.registry.revision(job)
    document = dict(recorded["document"])
    if trial.revision == job.revision:
        document["evaluate"] = trial.document.get("evaluate", {})
    experiment = spec.from_document(document)
    commit = recorded["dataset"].get("commit")
    return dataset.pinned(experiment, commit) if commit else experiment


def candidates(app: App, trial: RecordedTrial, job: Job) -> list[Experiment]:
    """Return the specs whose data set may be the job's: the current one first.

    The current one may hold out other rows for the same training rows; or be of another revision.
    """
    tuned_by = experiment_of(app, trial, job)
    if trial.revision != job.revision or trial.document == tuned_by.document:
        return [tuned_by]
    return [spec.from_document(trial.document), tuned_by]


def unapplied(app: App, trial: RecordedTrial, used: EvaluationSpec) -> str | None:
    """Say that the experiment's file has another `evaluate` than the recorded one that is used.

    None where it has not, where what is used is an older revision's, or no such file can be read.
    """
    try:
        if spec.from_document(trial.document).evaluate != used:
            return None
        root, defaults = app.project.root, app.project.defaults
        loaded = spec.load_experiments(list(desired.DEFAULT_FILES), root=root, defaults=defaults)
    except (TunekitError, OSError):
        return None
    for experiment in loaded.experiments:
        if experiment.name == trial.experiment and experiment.evaluate != used:
            return (
                f"the `evaluate` section of {experiment.name} has been edited since it was "
                "recorded, and the recorded one is used; `tunekit apply` records it"
            )
    return None


@contextmanager
def remedied(job: Job, target: str = TUNED) -> Iterator[None]:
    """Say what to do where the model that was asked is not there, or can't be asked."""
    try:
        yield
    except (NotFound, Unsupported) as error:
        if target == BASE:
            remedy = f"{job.provider} can't ask the base model {job.base_model}"
            raise type(error)(f"{error}; {remedy}, so ask the tuned one alone") from error
        if isinstance(error, Unsupported):
            raise
        name = trial_name(job.experiment, job.trial)
        raise NotFound(f"{error}; `tunekit apply --retry {name}` tunes it again") from error


def generation(
    experiment: Experiment,
    *,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
    max_output_tokens: int | None,
) -> Generation:
    """Return the settings of the spec with those of the command line over them."""
    default = experiment.evaluate.generation
    return Generation(
        temperature=default.temperature if temperature is None else temperature,
        top_p=default.top_p if top_p is None else top_p,
        top_k=default.top_k if top_k is None else top_k,
        max_output_tokens=(
            default.max_output_tokens if max_output_tokens is None else max_output_tokens
        ),
        system_instruction=experiment.dataset.system_instruction,
    )
