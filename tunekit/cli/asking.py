"""What `evaluate` and `predict` share: which model answers, with which settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tunekit import spec
from tunekit.cli.context import App
from tunekit.errors import NotFound, UsageError
from tunekit.model import Experiment, Generation, Job, JobState, RecordedTrial, trial_name


def model_of(job: Job, checkpoint: str | None) -> str:
    """Return the model to ask. UsageError where the job has none, or no such checkpoint."""
    title = job.title
    if checkpoint is not None:
        for saved in job.checkpoints:
            if saved.id == checkpoint:
                return saved.model
        has = ", ".join(c.id for c in job.checkpoints) or "none"
        raise UsageError(f"{title} has no checkpoint {checkpoint!r}; it has: {has}")
    if job.state is JobState.SUCCEEDED and job.answers_at:
        return job.answers_at
    hint = "`tunekit wait` ends with it" if job.is_open else "`tunekit history` shows why"
    raise UsageError(f"{title} is {job.state} and has no tuned model; {hint}")


def experiment_of(app: App, trial: RecordedTrial, job: Job) -> Experiment:
    """Return the spec that a job was tuned by, with `evaluate` as it is written now."""
    document = dict(app.registry.revision(job)["document"])
    if trial.revision == job.revision:
        document["evaluate"] = trial.document.get("evaluate", {})
    return spec.from_document(document)


def candidates(app: App, trial: RecordedTrial, job: Job) -> list[Experiment]:
    """Return the specs whose data set may be the job's: the current one first.

    The current one may hold out other rows for the same training rows; or be of another revision.
    """
    tuned_by = experiment_of(app, trial, job)
    if trial.revision != job.revision or trial.document == tuned_by.document:
        return [tuned_by]
    return [spec.from_document(trial.document), tuned_by]


@contextmanager
def remedied(job: Job) -> Iterator[None]:
    """Say what to do where the model that was asked is not there any more."""
    try:
        yield
    except NotFound as error:
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
