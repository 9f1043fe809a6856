"""The registry -> what a report shows."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.evaluate.advice import Advice, advice_for
from tunekit.model import (
    EVAL_CORRECT,
    EVAL_LOSS,
    MEAN_LOSS,
    PREFERENCE_LOSS,
    TRAIN_CORRECT,
    TRAIN_LOSS,
    Job,
    MetricPoint,
    Phase,
)
from tunekit.registry import Registry
from tunekit.report.model import Answer, Difference, JobPage, Report, Scorecard, Series
from tunekit.views.jobs import waits_for

# Which chart a series belongs to, and which rows it was measured on.
_SERIES = {
    TRAIN_LOSS: ("loss", "train"),
    PREFERENCE_LOSS: ("loss", "train"),
    EVAL_LOSS: ("loss", "validation"),
    TRAIN_CORRECT: ("accuracy", "train"),
    EVAL_CORRECT: ("accuracy", "validation"),
}
# So many kept answers are looked at, and so many shown: wrong ones first.
_ANSWERS_READ, _ANSWERS_SHOWN = 500, 20


class Gatherer:
    """Reads reports from a registry; what can't have changed since the last one is kept."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._curves: dict[int, tuple[Any, tuple[Series, ...], tuple[Advice, ...]]] = {}
        self._revisions: dict[tuple[str, str, str], dict[str, Any]] = {}

    def report(
        self,
        jobs: Sequence[Job],
        *,
        among: Sequence[Job],
        title: str,
        made_s: float,
        left_out: int = 0,
    ) -> Report:
        """Return the report of some jobs, newest first; `among` all, where parents may be."""
        registry = self._registry
        experiments = registry.experiments()
        asked = {e["job_id"]: e for e in registry.events() if e["kind"] == "intent"}
        tuned = {name: job.title for job in among for name in _models(job)}
        wanted = {job.id for job in jobs}
        scored: dict[int, list[dict[str, Any]]] = {}
        for row in registry.evaluations():
            if row["job_id"] in wanted:
                scored.setdefault(row["job_id"], []).append(row)
        pages = [
            self._page(
                job,
                experiments.get(job.experiment, {}),
                asked.get(job.id, {}),
                tuned,
                scored.get(job.id, []),
            )
            for job in sorted(jobs, key=lambda job: (job.submitted_s, job.id), reverse=True)
        ]
        return Report(title=title, made_s=made_s, jobs=tuple(pages), left_out=left_out)

    def _page(
        self,
        job: Job,
        experiment: Mapping[str, Any],
        asked: Mapping[str, Any],
        tuned: Mapping[str, str],
        evaluations: Sequence[Mapping[str, Any]],
    ) -> JobPage:
        revision = self._revision(job)
        identity, document = revision["identity"], revision["document"]
        series, advice = self._curves_of(job, revision)
        is_dirty = asked.get("is_dirty")
        cost_usd, is_cost_counted = _cost(job)
        return JobPage(
            title=job.title,
            experiment=job.experiment,
            state=job.state.value,
            provider=job.provider,
            base_model=identity.get("base_model") or job.base_model,
            submitted_s=job.submitted_s,
            description=experiment.get("description") or "",
            tags=experiment.get("tags") or {},
            notice=waits_for(job),
            started_s=job.started_s,
            ended_s=job.ended_s,
            completed_steps=job.completed_steps,
            total_steps=job.total_steps,
            loss=job.loss,
            cost_usd=cost_usd,
            is_cost_counted=is_cost_counted,
            who=asked.get("who"),
            command=asked.get("command"),
            commit=asked.get("commit"),
            is_dirty=None if is_dirty is None else bool(is_dirty),
            why=job.reason,
            path=experiment.get("path") or "",
            revision=job.revision,
            attempt=job.attempt,
            remote=job.name,
            model=job.model,
            endpoint=job.endpoint,
            checkpoints=tuple((c.id, c.epoch, c.step) for c in job.checkpoints),
            parent=tuned.get(identity.get("base_model") or ""),
            source=_source(document),
            fingerprint=revision["dataset"].get("fingerprint") or "",
            splits={n: s["rows"] for n, s in (revision["dataset"].get("splits") or {}).items()},
            spec=dict(_flat(document)),
            series=series,
            scorecards=tuple(map(self._scorecard, _newest(evaluations))),
            advice=advice,
        )

    def _revision(self, job: Job) -> dict[str, Any]:
        """Return a job's revision; the registry never changes one."""
        key = (job.experiment, job.trial, job.revision)
        if key not in self._revisions:
            self._revisions[key] = self._registry.revision(job)
        return self._revisions[key]

    def _curves_of(
        self, job: Job, revision: Mapping[str, Any]
    ) -> tuple[tuple[Series, ...], tuple[Advice, ...]]:
        """Return a job's curves and advice, read again only once there are more points."""
        # Nothing is to come any more where all points are there, so not even they are counted.
        count = -1 if job.has_all_points else self._registry.count_points(job.id)
        mark = (count, job.state)
        kept = self._curves.get(job.id)
        if kept is None or kept[0] != mark:
            points = self._registry.points(job.id)
            kept = (mark, _series(points), advice_for(job, revision, points))
            self._curves[job.id] = kept
        return kept[1], kept[2]

    def _scorecard(self, row: Mapping[str, Any]) -> Scorecard:
        intervals = row["intervals"] or {}
        return Scorecard(
            target=row["target"],
            split=row["split"] or "",
            rows=row["rows"] or 0,
            scores=row["scores"],
            intervals={name: (low, high) for name, (low, high) in intervals.items()},
            baselines=row["baselines"] or {},
            differences=tuple(
                Difference(d["metric"], d["than"], d["difference"], d["p_value"])
                for d in row["differences"] or ()
            ),
            confusion=row["confusion"],
            entities=row["entities"],
            verdict=row["verdict"],
            promote_if=row["promote_if"],
            answers=self._answers(row["id"]),
            split_digest=row["split_digest"] or "",
        )

    def _answers(self, evaluation_id: int) -> tuple[Answer, ...]:
        """Return answers that the spec asked to keep; most evaluations keep none."""
        answers = [
            Answer(
                line=row["line"],
                expected=row["expected"],
                answered=row["answered"],
                is_right=_is_right(row),
            )
            for row in self._registry.answers(evaluation_id, limit=_ANSWERS_READ)
        ]
        return tuple(sorted(answers, key=lambda answer: answer.is_right)[:_ANSWERS_SHOWN])


def _series(points: Sequence[MetricPoint]) -> tuple[Series, ...]:
    by_metric: dict[str, Series] = {}
    for point in points:
        place = _SERIES.get(point.metric)
        # A provider that tells no more than a mean an epoch tells at least that.
        if point.metric == MEAN_LOSS:
            place = ("loss", "train, epoch means")
        if place is None:
            continue
        if point.metric not in by_metric:
            by_metric[point.metric] = Series(*place, array("q"), array("d"))
        by_metric[point.metric].steps.append(point.step)
        by_metric[point.metric].values.append(point.value)
    if TRAIN_LOSS in by_metric or PREFERENCE_LOSS in by_metric:
        by_metric.pop(MEAN_LOSS, None)
    return tuple(by_metric[name] for name in (*_SERIES, MEAN_LOSS) if name in by_metric)


def _cost(job: Job) -> tuple[float | None, bool]:
    """Return a job's dollars, and whether they are of tokens that the service counted."""
    if job.estimate is None or job.phase is Phase.ABSENT:  # it never reached the provider
        return None, False
    stats = job.data_stats
    epochs = (stats.epochs if stats else None) or job.estimate.epochs
    if stats is not None and stats.billable_tokens is not None and epochs:
        each = job.estimate.usd_an_epoch(stats.billable_tokens)
        if each is not None:
            return each * epochs, True
    return job.estimate.usd, False


def _newest(evaluations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the last evaluation of each target on each split: the tuned model's first."""
    last = {(row["target"], row["model"], row["split"]): row for row in evaluations}
    return sorted(last.values(), key=lambda row: row["target"] != "tuned")


def _is_right(row: Mapping[str, Any]) -> bool:
    """Return what the row's own score says, and where it has none whether the texts are equal."""
    value = (row.get("scores") or {}).get("exact_match")
    return row["expected"] == row["answered"] if value is None else bool(value)


def _models(job: Job) -> list[str]:
    """Return every name by which another job may start from this one's model."""
    return [name for name in (job.model, *(c.model for c in job.checkpoints)) if name]


def _source(document: Mapping[str, Any]) -> str:
    source = (document.get("dataset") or {}).get("source") or {}
    return str(source.get("path") or source.get("gcs") or source.get("hub") or "")


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return nested mappings by dotted key; a list that holds more than scalars as JSON."""
    if isinstance(value, Mapping):
        return [
            pair
            for key, inner in value.items()
            for pair in _flat(inner, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list):
        is_plain = all(isinstance(item, (str, int, float)) for item in value)
        return [(path, ", ".join(map(str, value)) if is_plain else json.dumps(value))]
    return [(path, value)]
