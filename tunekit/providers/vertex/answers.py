"""A TuningJob's JSON as an observation or a description. Pure; no answer is too odd to be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tunekit.model import (
    Checkpoint,
    DataStats,
    DroppedRow,
    JobDescription,
    JobState,
    Observation,
)
from tunekit.providers.google.faults import plain
from tunekit.providers.vertex.wire import ADAPTERS, OURS, PREFERENCE, SUPERVISED, TOKEN_LABEL

# https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState. Nine occur for tuning.
# PAUSED ("can be resumed") waits; UPDATING "goes back to running", so both are not at their end.
# PARTIALLY_SUCCEEDED is decided by what it left: see `_state`.
STATES = {
    "JOB_STATE_UNSPECIFIED": JobState.UNKNOWN,
    "JOB_STATE_QUEUED": JobState.PENDING,
    "JOB_STATE_PENDING": JobState.PENDING,
    "JOB_STATE_RUNNING": JobState.RUNNING,
    "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
    "JOB_STATE_FAILED": JobState.FAILED,
    "JOB_STATE_CANCELLING": JobState.CANCELLING,
    "JOB_STATE_CANCELLED": JobState.CANCELLED,
    "JOB_STATE_PAUSED": JobState.PENDING,
    "JOB_STATE_EXPIRED": JobState.FAILED,
    "JOB_STATE_UPDATING": JobState.RUNNING,
    "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
}
DETAILS = {
    "TUNING_JOB_STATE_WAITING_FOR_QUOTA": "quota for one more tuning job",
    "TUNING_JOB_STATE_PROCESSING_DATASET": "the check of its data set",
    "TUNING_JOB_STATE_WAITING_FOR_CAPACITY": "free machines",
    "TUNING_JOB_STATE_TUNING": "tuning",
    "TUNING_JOB_STATE_POST_PROCESSING": "export of the tuned model",
    "TUNING_JOB_STATE_UNSPECIFIED": "",
}
_STATE, _DETAIL = "JOB_STATE_", "TUNING_JOB_STATE_"
# The service calls its lists of dropped rows a partial sample; this bounds them all the same.
_MOST_DROPPED_ROWS = 1000
_LONGEST_REASON = 200
_RANKS = {name: rank for rank, name in ADAPTERS.items()}


def observation(job: Mapping[str, Any]) -> Observation:
    """Return what a job's JSON says. Fields that are missing or odd are left out.

    Steps are counted where the service counts them, else taken from whole epochs.
    """
    state = _state(job)
    tuned, spec = _map(job, "tunedModel"), _spec(job)
    metadata = _map(job, "tuningJobMetadata")
    total = _total_steps(job)
    epoch = integer(metadata.get("completedEpochCount"))
    endpoint = _text(tuned, "endpoint") or None
    model = _text(tuned, "model") or None
    return Observation(
        name=_text(job, "name"),
        token=_text(_map(job, "labels"), TOKEN_LABEL) or None,
        state=state,
        detail=_detail(job, state),
        error=_error(job, state),
        base_model=_base_model(job)[0],
        display_name=_text(job, "tunedModelDisplayName"),
        model=model,
        endpoint=endpoint,
        checkpoints=tuple(_checkpoints(tuned)),
        completed_steps=_steps(state, metadata, spec, epoch=epoch, total=total),
        total_steps=total,
        epoch=epoch,
        created_s=time_s(job.get("createTime")),
        started_s=time_s(job.get("startTime")),
        ended_s=time_s(job.get("endTime")) if state.is_terminal else None,
        data_stats=_data_stats(job, spec),
    )


def description(job: Mapping[str, Any]) -> JobDescription:
    """Return what a job was asked for, hyperparameters as the service filled them in."""
    spec = _spec(job)
    given = _map(spec, "hyperParameters")
    base, checkpoint = _base_model(job)
    hyper: dict[str, int | float] = {}
    if (epochs := integer(given.get("epochCount"))) is not None:
        hyper["epochs"] = epochs
    if (factor := number(given.get("learningRateMultiplier"))) is not None:
        hyper["learning_rate_multiplier"] = factor
    if (rank := _RANKS.get(str(given.get("adapterSize")))) is not None:
        hyper["adapter_size"] = rank
    source = {"gcs": _text(spec, "trainingDatasetUri")}
    if validation := _text(spec, "validationDatasetUri"):
        source["validation"] = validation
    labels = _map(job, "labels").items()
    return JobDescription(
        base_model=base,
        base_checkpoint=checkpoint,
        method="preference" if PREFERENCE in job else "supervised",
        hyperparameters=hyper,
        export_last_checkpoint_only=spec.get("exportLastCheckpointOnly") is True,
        source=source if source["gcs"] else None,
        display_name=_text(job, "tunedModelDisplayName"),
        description=_text(job, "description"),
        tags={k: v for k, v in labels if isinstance(v, str) and not str(k).startswith(OURS)},
    )


def other_kind(job: Mapping[str, Any]) -> str:
    """Return the kind of tuning that tunekit can't describe, as distillation; nothing if it can."""
    if SUPERVISED in job or PREFERENCE in job:
        return ""
    ours = ("encryptionSpec",)
    return next((k for k in job if k.endswith("Spec") and k not in ours), "an unknown kind")


def integer(value: Any) -> int | None:
    """Return an int64, which Google's JSON has as a string."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """Return a finite double."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def time_s(value: Any) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch."""
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _spec(job: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(job, PREFERENCE) if PREFERENCE in job else _map(job, SUPERVISED)


def _state(job: Mapping[str, Any]) -> JobState:
    """Return our state. A partial success counts as one where its model answers:

    it was paid for and can be used, while FAILED would invite paying for it again.
    """
    written = str(job.get("state"))
    if written == "JOB_STATE_PARTIALLY_SUCCEEDED" and not _text(
        _map(job, "tunedModel"), "endpoint"
    ):
        return JobState.FAILED
    return STATES.get(written, JobState.UNKNOWN)


def _detail(job: Mapping[str, Any], state: JobState) -> str:
    written = str(job.get("state") or "no state")
    if state is JobState.UNKNOWN or written in ("JOB_STATE_PAUSED", "JOB_STATE_UPDATING"):
        return f"the service says {plain(_words(written, _STATE))}"[:80]
    if written == "JOB_STATE_PARTIALLY_SUCCEEDED":
        return "partially succeeded"
    detail = _text(job, "tuningJobState")
    if state is not JobState.RUNNING or not detail:
        return ""
    return DETAILS.get(detail, plain(_words(detail, _DETAIL))[:80])


def _words(enum: str, prefix: str) -> str:
    return enum.removeprefix(prefix).replace("_", " ").lower()


def _error(job: Mapping[str, Any], state: JobState) -> str:
    error = _map(job, "error")
    message = plain(_text(error, "message"))
    if state is JobState.FAILED:
        code = integer(error.get("code"))
        where = f" (code {code})" if code else ""
        words = _words(str(job.get("state")), _STATE)
        return f"{message}{where}" if message else f"the service says {words}, without a reason"
    # Of a cancelled job the service only repeats that it was.
    return message if job.get("state") == "JOB_STATE_PARTIALLY_SUCCEEDED" else ""


def _base_model(job: Mapping[str, Any]) -> tuple[str, str | None]:
    earlier = _map(job, "preTunedModel")
    if name := _text(earlier, "tunedModelName"):
        return name, _text(earlier, "checkpointId") or None
    return _text(job, "baseModel").removeprefix("publishers/google/models/"), None


def _checkpoints(tuned: Mapping[str, Any]) -> Iterator[Checkpoint]:
    found = tuned.get("checkpoints")
    for mark in found if isinstance(found, list) else []:
        if isinstance(mark, Mapping) and (endpoint := _text(mark, "endpoint")):
            yield Checkpoint(
                id=str(mark.get("checkpointId", "")),
                model=endpoint,
                epoch=integer(mark.get("epoch")),
                step=integer(mark.get("step")),
            )


def _data_stats(job: Mapping[str, Any], spec: Mapping[str, Any]) -> DataStats | None:
    """Return what the service counted of the training rows, None before it has.

    The discovery document calls dropped rows truncated for supervised tuning (`truncatedExample…`)
    and dropped for preference tuning; both number them from 1.
    """
    all_stats = _map(job, "tuningDataStats").values()
    stats = next((found for found in all_stats if isinstance(found, Mapping)), None)
    if stats is None:
        return None
    dropped = tuple(_dropped_rows(stats))
    return DataStats(
        rows=integer(stats.get("tuningDatasetExampleCount")),
        billable_tokens=integer(stats.get("totalBillableTokenCount")),
        epochs=integer(_map(spec, "hyperParameters").get("epochCount")),
        dropped=max(integer(stats.get("totalTruncatedExampleCount")) or 0, len(dropped)),
        dropped_rows=dropped,
    )


def _dropped_rows(stats: Mapping[str, Any]) -> Iterator[DroppedRow]:
    numbers = stats.get("truncatedExampleIndices") or stats.get("droppedExampleIndices")
    reasons = stats.get("droppedExampleReasons")
    texts = reasons if isinstance(reasons, list) else []
    for place, given in enumerate(numbers if isinstance(numbers, list) else []):
        if place == _MOST_DROPPED_ROWS:
            return
        text = texts[place] if place < len(texts) else ""
        number = integer(given)
        if number is not None and number > 0:
            yield DroppedRow(number, plain(str(text))[:_LONGEST_REASON])


def _total_steps(job: Mapping[str, Any]) -> int | None:
    for stats in _map(job, "tuningDataStats").values():
        if isinstance(stats, Mapping) and (steps := integer(stats.get("tuningStepCount"))):
            return steps
    return None


def _steps(
    state: JobState,
    metadata: Mapping[str, Any],
    spec: Mapping[str, Any],
    *,
    epoch: int | None,
    total: int | None,
) -> int | None:
    if state is JobState.SUCCEEDED and total is not None:
        return total
    counted = integer(metadata.get("completedStepCount"))
    epochs = integer(_map(spec, "hyperParameters").get("epochCount"))
    # The document promises the count of steps only for reinforcement tuning.
    if counted or not (epoch and epochs and total):
        return counted
    return min(total, total * epoch // epochs)
