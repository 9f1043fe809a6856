"""What providers said. Plain sqlite3, because `status` writes it too and must stay quick."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from tunekit.model import (
    MEAN_LOSS,
    PREFERENCE_LOSS,
    TRAIN_LOSS,
    Actor,
    Job,
    JobState,
    MetricPoint,
    Observation,
    Phase,
)
from tunekit.registry.reads import OPEN, to_job
from tunekit.registry.rows import Rows

_LATEST_LOSS = """
UPDATE jobs SET loss = (
    SELECT value FROM metric_points WHERE job_id = :job AND metric IN (:loss, :mean, :preference)
    ORDER BY metric = :loss DESC, step DESC LIMIT 1
) WHERE id = :job AND loss IS NULL OR id = :job AND EXISTS (
    SELECT 1 FROM metric_points WHERE job_id = :job AND metric IN (:loss, :preference)
)
"""
_NOT_YET_CANCELLING = (JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN)


_LOSSES = {"loss": TRAIN_LOSS, "mean": MEAN_LOSS, "preference": PREFERENCE_LOSS}


class Seen(Rows):
    """Records observations and metric points."""

    def record_observation(self, job: Job, seen: Observation, *, at_s: float, actor: Actor) -> Job:
        """Write down what the provider says now; a state that changed becomes an event.

        A job that has ended stays as it ended, whatever a late answer says. A given-up one that
        shows up after all is bound, unless another job of the trial is open by now.
        """
        with self._transaction() as connection:
            before = to_job(self._one("SELECT * FROM jobs WHERE id = ?", [job.id]))
            if before.state.is_terminal and before.phase is Phase.BOUND:
                return before
            if before.phase is Phase.ABSENT and self._has_open_job(before):
                return before
            state = seen.state
            if before.cancel_asked_s is not None and state in _NOT_YET_CANCELLING:
                state = JobState.CANCELLING
            connection.execute(
                "UPDATE jobs SET phase = 'BOUND', name = ?, state = ?, detail = ?, error = ?, "
                "model = ?, endpoint = ?, checkpoints = ?, "
                # What a provider once told and leaves out of later answers is still so.
                "completed_steps = coalesce(?, completed_steps), "
                "total_steps = coalesce(?, total_steps), epoch = coalesce(?, epoch), "
                "loss = coalesce(?, loss), created_s = ?, started_s = ?, ended_s = ?, "
                "observed_s = ?, data_stats = coalesce(?, data_stats), "
                "missing_since_s = NULL WHERE id = ?",
                [
                    seen.name,
                    state.value,
                    seen.detail,
                    seen.error,
                    seen.model,
                    seen.endpoint,
                    json.dumps([asdict(c) for c in seen.checkpoints]),
                    seen.completed_steps,
                    seen.total_steps,
                    seen.epoch,
                    _finite(seen.loss),
                    seen.created_s,
                    seen.started_s,
                    seen.ended_s,
                    at_s,
                    json.dumps(asdict(seen.data_stats)) if seen.data_stats else None,
                    job.id,
                ],
            )
            about: dict[str, Any] = {"job_id": job.id, "at_s": at_s, "actor": actor}
            if before.phase is not Phase.BOUND:
                self._event("bound", job.experiment, detail=seen.name, **about)
            if before.state is not state:
                self._event("state", job.experiment, detail=f"{before.state} -> {state}", **about)
        return self.job(job.id)

    def record_missing(self, job: Job, *, state: JobState, at_s: float, actor: Actor) -> Job:
        """Note that the provider does not have a bound job (any more)."""
        with self._transaction() as connection:
            before = to_job(self._one("SELECT * FROM jobs WHERE id = ?", [job.id]))
            if before.state.is_terminal:
                return before
            connection.execute(
                "UPDATE jobs SET state = ?, missing_since_s = coalesce(missing_since_s, ?), "
                "error = ?, observed_s = ?, ended_s = ? WHERE id = ?",
                [
                    state.value,
                    at_s,
                    "the provider does not have this job",
                    at_s,
                    at_s if state.is_terminal else None,
                    job.id,
                ],
            )
            if before.state is not state:
                self._event(
                    "state",
                    job.experiment,
                    job_id=job.id,
                    at_s=at_s,
                    actor=actor,
                    detail=f"{before.state} -> {state}: the provider does not have it",
                )
        return self.job(job.id)

    def _has_open_job(self, job: Job) -> bool:
        sql = f"SELECT 1 FROM jobs WHERE experiment = ? AND trial = ? AND {OPEN}"  # noqa: S608
        return self._one(sql, [job.experiment, job.trial]) is not None

    def record_points(
        self, job_id: int, points: Iterable[MetricPoint], *, is_all: bool = False
    ) -> None:
        """Write metric points, over those of the same step; `is_all` once none is to come."""
        rows = [(job_id, p.metric, p.step, p.value, p.time_s) for p in points]
        if not rows and not is_all:
            return
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO metric_points VALUES (?,?,?,?,?)", rows)
            # Not every provider tells the loss with the job's state.
            connection.execute(_LATEST_LOSS, _LOSSES | {"job": job_id})
            if is_all:
                connection.execute("UPDATE jobs SET has_all_points = 1 WHERE id = ?", [job_id])


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
