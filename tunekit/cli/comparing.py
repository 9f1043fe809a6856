"""Recorded jobs as subjects of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.cli.context import App
from tunekit.evaluate.comparison import Score, SplitRows, Subject
from tunekit.model import Job, MetricPoint, RecordedTrial
from tunekit.views.jobs import commit, took_s


def subject_of(app: App, job: Job) -> Subject:
    """Return a job with all that the registry has to compare it by."""
    revision = app.registry.revision(job)
    identity = revision["identity"]
    by_series: dict[str, list[MetricPoint]] = {}
    for point in app.registry.points(job.id):
        by_series.setdefault(point.metric, []).append(point)
    return Subject(
        name=job.title,
        spec=revision["document"],
        splits={
            split: _split_rows(app, info) for split, info in revision["dataset"]["splits"].items()
        },
        hyperparameters=identity["hyperparameters"],
        result=_result(app, job, revision),
        scores=_scores(job, app.registry.evaluations(job.id)),
        curves=by_series,
    )


def _split_rows(app: App, info: Mapping[str, Any]) -> SplitRows:
    return SplitRows(
        rows=info["rows"],
        characters=info["characters"],
        digest=info["digest"],
        tokens=info.get("tokens"),  # revisions before registry version 4 have none
        index=app.registry.rows(info["digest"]),
    )


def _result(app: App, job: Job, revision: Mapping[str, Any]) -> dict[str, Any]:
    history = app.registry.job_history([job.experiment])
    row = next(row for row in history if row["id"] == job.id)
    tuned_from = revision["identity"]["base_model"]
    is_plain = tuned_from == revision["document"].get("base_model")
    return {
        "state": job.state.value,
        "error": job.error or None,
        "tuned_from": None if is_plain else tuned_from,
        "commit": commit(row) or None,
        "steps": job.completed_steps,
        "took_s": took_s(job),
        "cost_usd": row["cost_usd"],
    }


def _scores(job: Job, evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Score]:
    """Return the newest score of each metric and target; the tuned model's by the metric alone."""
    found: dict[str, Score] = {}
    for entry in evaluations:
        target = entry.get("target") or _target(job, entry["model"])
        intervals = entry.get("intervals") or {}
        for metric, value in entry["scores"].items():
            if "." in metric or value is None:
                continue
            low, high = intervals.get(metric) or (None, None)
            found[metric if target == "tuned" else f"{target}: {metric}"] = Score(
                value=value,
                low=low,
                high=high,
                rows=entry["rows"],
                split=entry["split"],
                split_digest=entry["split_digest"] or "",
            )
    return found


def _target(job: Job, model: str) -> str:
    for saved in job.checkpoints:
        if saved.model == model != job.answers_at:
            return f"checkpoint:{saved.id}"
    return "tuned"


def former(trial: RecordedTrial, job: Job) -> Job | None:
    """Return the job before one that another revision led to, or else the one before."""
    earlier = [j for j in trial.jobs if j.number < job.number and j.name is not None]
    changed = [j for j in earlier if j.revision != job.revision]
    return next(iter([*reversed(changed), *reversed(earlier)]), None)
