"""A job as other tools know one: a run with parameters, tags, metrics and an end. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunekit.model import Job, MetricPoint

# What MLflow and TensorBoard both take in a name.
_NOT_IN_NAMES = re.compile(r"[^\w./ -]")


@dataclass(frozen=True, slots=True)
class RunScore:
    """One score of one evaluation; `name` says of which target, `at_s` when."""

    name: str
    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One job, ready to be written. `digest` changes when anything of it does.

    `params` are what was asked for, `tags` what else is known; neither has rows or prompts.
    """

    job: Job
    description: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: Sequence[MetricPoint] = field(default=(), repr=False)
    scores: Sequence[RunScore] = ()

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that tell this state of the job from any other."""
        counted = [self.job.state, self.description, self.params, self.tags]
        points = [(p.metric, p.step, repr(p.value)) for p in self.points]
        scores = [(s.name, repr(s.value), s.at_s) for s in self.scores]
        text = json.dumps([*counted, points, scores], sort_keys=True, default=dict)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def starts_s(self) -> float:
        """When the job began, as far as is known; seconds since the epoch."""
        return self.job.started_s or self.job.created_s or self.job.submitted_s

    def moment_s(self, point: MetricPoint) -> float:
        """When a point was measured; where nobody knows, a second a step from the start."""
        return point.time_s if point.time_s is not None else self.starts_s + point.step


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of one job. `where` is the tool's own name for it."""

    job: str
    where: str
    points: int
    is_new: bool


def run_of(
    job: Job,
    *,
    revision: Mapping[str, Any],
    record: Mapping[str, Any],
    asked: Mapping[str, Any],
    points: Sequence[MetricPoint],
    evaluations: Sequence[Mapping[str, Any]],
) -> Run:
    """Return a job as a run. `record` is its experiment's, `asked` its row of the history."""
    identity = revision["identity"]
    params = {
        "provider": job.provider,
        "base_model": identity["base_model"],
        "method": identity["method"],
        **{key: str(value) for key, value in identity["hyperparameters"].items()},
        **{f"{split}_rows": str(i["rows"]) for split, i in revision["dataset"]["splits"].items()},
    }
    known = {
        "tunekit.job": job.title,
        "tunekit.experiment": job.experiment,
        "tunekit.trial": job.trial,
        "tunekit.revision": job.revision,
        "tunekit.attempt": str(job.attempt),
        "tunekit.token": job.token,
        "tunekit.state": job.state.value,
        "tunekit.why": job.reason,
        "tunekit.data": revision["dataset"]["fingerprint"],
        "tunekit.provider_job": job.name,
        "tunekit.model": job.model,
        "tunekit.endpoint": job.endpoint,
        "tunekit.error": job.error,
        "tunekit.who": asked["who"],
        "tunekit.command": asked["command"],
        "tunekit.commit": asked["commit"],
        "tunekit.is_dirty": None if asked["is_dirty"] is None else str(bool(asked["is_dirty"])),
        "tunekit.cost_usd": None if asked["cost_usd"] is None else f"{asked['cost_usd']:.4f}",
    }
    return Run(
        job=job,
        description=record["description"] or "",
        params=params,
        tags={
            **{f"tag.{key}": value for key, value in record["tags"].items()},
            **{key: value for key, value in known.items() if value},
        },
        points=[point for point in points if not math.isnan(point.value)],
        scores=_scores(job, evaluations),
    )


def _scores(job: Job, evaluations: Sequence[Mapping[str, Any]]) -> list[RunScore]:
    found = []
    for entry in evaluations:
        target = entry.get("target") or next(
            (f"checkpoint {c.id}" for c in job.checkpoints if c.model == entry["model"]), "tuned"
        )
        if entry["model"] == job.answers_at:
            target = "tuned"
        place = "score" if target == "tuned" else f"score/{target}"
        for metric, value in entry["scores"].items():
            if value is not None and math.isfinite(value):
                found.append(RunScore(plain_name(f"{place}/{metric}"), value, entry["at_s"]))
    return found


def plain_name(name: str) -> str:
    """Return a series' name as every tool takes it: `/train_total_loss` -> `train_total_loss`."""
    return _NOT_IN_NAMES.sub("_", name).strip("/ ") or "_"
