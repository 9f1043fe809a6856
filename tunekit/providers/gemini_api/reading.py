"""What the Gemini API answers, as what tunekit asks for. Pure.

Shapes: https://ai.google.dev/api/tuning#TunedModel, its JSON with camelCase names; members that
are zero or empty may be left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tunekit.errors import NotFound
from tunekit.model import (
    MEAN_LOSS,
    JobDescription,
    JobState,
    MetricPoint,
    Observation,
)
from tunekit.providers.google.faults import plain

JSON = Mapping[str, Any]

_MODEL = re.compile(r"tunedModels/[A-Za-z0-9_-]+")
_JOB = re.compile(r"(tunedModels/[A-Za-z0-9_-]+)(?:/operations/[A-Za-z0-9_-]+)?")
# What tunekit calls its jobs; models that others made have other ids.
_TOKEN = re.compile(r"tk-[0-9a-v]{26}")
_MOST_ERROR_CHARACTERS = 600
_HYPERPARAMETERS = {
    "epochs": "epochCount",
    "batch_size": "batchSize",
    "learning_rate": "learningRate",
    "learning_rate_multiplier": "learningRateMultiplier",
}


def model_name(name: str) -> str:
    """Return the tuned model that a job's name (or its own) means. NotFound where it means none."""
    found = _JOB.fullmatch(name)
    if found is None:
        raise NotFound(f"{name[:100]}: the Gemini API has no such job; they are tunedModels/ID")
    return found[1]


def answering_name(name: str) -> str:
    """Return a tuned or base model's name for generation. NotFound where it is no such name."""
    if not re.fullmatch(r"(?:tunedModels|models)/[A-Za-z0-9._-]*[A-Za-z0-9_-]", name):
        raise NotFound(f"{name[:100]}: the Gemini API has no such model; write tunedModels/ID")
    return name


def is_operation(name: str) -> bool:
    """True for the operation that makes a tuned model."""
    return _JOB.fullmatch(name) is not None and _MODEL.fullmatch(name) is None


def token_of(name: str) -> str | None:
    """Return the token in a tuned model's name, None for a model that tunekit did not make."""
    key = name.removeprefix("tunedModels/")
    return key if _TOKEN.fullmatch(key) else None


def base_name(name: str) -> str:
    """Return a base model's name as specs write it."""
    return name.removeprefix("models/")


def observe(model: JSON, operation: JSON | None = None) -> Observation:
    """Say how a tuned model is now, from itself and from the operation that makes it."""
    operation = operation or {}
    metadata = _mapping(operation.get("metadata"))
    task = _mapping(model.get("tuningTask"))
    points = snapshots(model, operation)
    last = points[-1] if points else {}
    state, detail = _state(model, operation, has_begun=bool(points))
    name = str(model.get("name") or metadata.get("tunedModel") or "")
    completed = max(int(metadata.get("completedSteps") or 0), int(last.get("step") or 0))
    total = int(metadata.get("totalSteps") or 0)
    if state is JobState.SUCCEEDED:
        total = total or completed  # only the operation tells it before the end
    ended_s = _seconds(task.get("completeTime"))
    if state is JobState.FAILED and ended_s is None:
        ended_s = _seconds(model.get("updateTime"))
    return Observation(
        name=str(operation.get("name") or name),
        token=token_of(name),
        state=state,
        detail=detail,
        error=_error(operation) if state is JobState.FAILED else "",
        base_model=base_name(_base(model)),
        display_name=str(model.get("displayName") or ""),
        model=name if state is JobState.SUCCEEDED else None,
        completed_steps=completed if points or operation else None,
        total_steps=total or None,
        epoch=int(last.get("epoch") or 0) or None,
        loss=_loss(last) if last else None,
        created_s=_seconds(model.get("createTime")),
        started_s=_seconds(task.get("startTime")),
        ended_s=ended_s if state.is_terminal else None,
    )


def _state(model: JSON, operation: JSON, *, has_begun: bool) -> tuple[JobState, str]:
    """Return the state, and the service's own word for one that tunekit does not know."""
    if operation.get("error"):
        return JobState.FAILED, ""
    word = model.get("state") or "STATE_UNSPECIFIED"
    match word:
        case "ACTIVE":
            return JobState.SUCCEEDED, ""
        case "FAILED":
            return JobState.FAILED, ""
        case "CREATING":
            has_begun = has_begun or bool(_mapping(model.get("tuningTask")).get("startTime"))
            return (JobState.RUNNING if has_begun else JobState.PENDING), ""
        case _:
            return JobState.UNKNOWN, str(word)[:100]


def _error(operation: JSON) -> str:
    error = _mapping(operation.get("error"))
    message = plain(str(error.get("message") or ""))
    if message:
        return message[:_MOST_ERROR_CHARACTERS]
    return "tuning failed, and the Gemini API does not say why"


def snapshots(model: JSON, operation: JSON | None = None) -> list[JSON]:
    """Return the training steps that are known, by rising step; the fuller of both accounts."""
    metadata = _mapping((operation or {}).get("metadata"))
    accounts = (metadata.get("snapshots"), _mapping(model.get("tuningTask")).get("snapshots"))
    fullest = max((a for a in accounts if isinstance(a, list)), key=len, default=[])
    points = [point for point in fullest if isinstance(point, Mapping)]
    return sorted(points, key=lambda point: int(point.get("step") or 0))


def points(model: JSON, operation: JSON | None, *, after_step: int) -> Iterator[MetricPoint]:
    """Yield the mean loss of every step past `after_step` (0: all)."""
    for point in snapshots(model, operation):
        step, value = int(point.get("step") or 0), _loss(point)
        if value is not None and (step > after_step or after_step == 0):
            yield MetricPoint(MEAN_LOSS, step, value, _seconds(point.get("computeTime")))


def describe(model: JSON) -> JobDescription:
    """Say what a tuned model was made of; the service gives no training rows back."""
    given = _mapping(_mapping(model.get("tuningTask")).get("hyperparameters"))
    return JobDescription(
        base_model=base_name(_base(model)),
        hyperparameters={
            key: given[field] for key, field in _HYPERPARAMETERS.items() if given.get(field)
        },
        display_name=str(model.get("displayName") or ""),
        description=str(model.get("description") or ""),
    )


def _base(model: JSON) -> str:
    source = _mapping(model.get("tunedModelSource"))
    return str(model.get("baseModel") or source.get("baseModel") or "")


def _loss(point: JSON) -> float | None:
    """Return a mean loss; JSON has "NaN" and "Infinity" as words, and zero left out."""
    try:
        return float(point.get("meanLoss") or 0.0)
    except (TypeError, ValueError):
        return None


def _seconds(time: Any) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch."""
    if not isinstance(time, str) or not time:
        return None
    try:
        # Up to nine digits of a second are sent; Python reads six.
        text = re.sub(r"(\.\d{6})\d+", r"\1", time).replace("Z", "+00:00")
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _mapping(value: Any) -> JSON:
    return value if isinstance(value, Mapping) else {}
