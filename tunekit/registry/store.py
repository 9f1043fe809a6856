"""What tunekit writes down.

What apply decides goes through sqlite-utils; what is observed goes through plain sqlite3, because
`status` writes it too and must stay quick.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from tunekit.errors import RegistryError
from tunekit.model import (
    MEAN_LOSS,
    TRAIN_LOSS,
    Actor,
    Job,
    JobState,
    MetricPoint,
    Observation,
    Phase,
    Trial,
    revision_identity,
    token_for,
)
from tunekit.registry.reads import OPEN, Reads, to_job

_LATEST_LOSS = """
UPDATE jobs SET loss = (
    SELECT value FROM metric_points WHERE job_id = :job AND metric IN (:loss, :mean)
    ORDER BY metric = :loss DESC, step DESC LIMIT 1
) WHERE id = :job AND loss IS NULL OR id = :job AND EXISTS (
    SELECT 1 FROM metric_points WHERE job_id = :job AND metric = :loss
)
"""
_NOT_YET_CANCELLING = (JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN)


class Registry(Reads):
    """The registry, open for reading and writing. RegistryError where a write can't be done."""

    # --- what apply decided ----------------------------------------------------------------

    def record_dataset(
        self, key: str, *, source: str, record: Mapping[str, Any], at_s: float
    ) -> None:
        """Remember a prepared data set, so that unchanged bytes are not rendered again."""
        with self._transaction():
            self._database().table("datasets").upsert(
                {
                    "key": key,
                    "fingerprint": record["fingerprint"],
                    "source": source,
                    "record": json.dumps(record),
                    "created_s": at_s,
                },
                pk="key",
            )

    def record_experiment(self, trial: Trial, *, at_s: float, actor: Actor, why: str) -> None:
        """Write down the spec as applied; no job is touched."""
        with self._transaction():
            self._put_experiment(trial, at_s)
            self._event("recorded", trial.experiment.name, at_s=at_s, actor=actor, detail=why)

    def adopt_revision(
        self, trial: Trial, job: Job, *, at_s: float, actor: Actor, why: str
    ) -> None:
        """Make a revision that a former job tuned the current one again."""
        with self._transaction():
            self._put_experiment(trial, at_s)
            self._put_revision(trial, at_s)
            self._event("reused", job.experiment, job_id=job.id, at_s=at_s, actor=actor, detail=why)

    def write_intent(
        self, trial: Trial, *, attempt: int, reason: str, at_s: float, actor: Actor
    ) -> Job:
        """Promise a job before any provider hears of it; durable once this returns.

        An attempt that was given up is promised again, under its old token. RegistryError where
        the trial still has a job that may run.
        """
        experiment = trial.experiment
        with self._transaction():
            row = self._one(
                "SELECT revision FROM trials WHERE experiment = ? AND key = ?",
                [experiment.name, trial.key],
            )
            self._refuse_second_job(trial)
            self._put_experiment(trial, at_s)
            self._put_revision(trial, at_s)
            token = token_for(
                self.id,
                experiment=experiment.name,
                trial=trial.key,
                revision=trial.digest,
                attempt=attempt,
            )
            promise = {
                "phase": Phase.INTENT.value,
                "state": JobState.PENDING.value,
                "reason": reason,
                "submitted_s": at_s,
                "error": "",
                "ended_s": None,
                "former_revision": row["revision"] if row else None,
            }
            jobs = self._database().table("jobs")
            given_up = self._one("SELECT id FROM jobs WHERE token = ?", [token])
            if given_up:
                jobs.update(given_up[0], promise)
            else:
                number = self._one(
                    "SELECT coalesce(max(number), 0) + 1 FROM jobs WHERE experiment = ?",
                    [experiment.name],
                )[0]
                jobs.insert(
                    {
                        "experiment": experiment.name,
                        "trial": trial.key,
                        "revision": trial.digest,
                        "number": number,
                        "attempt": attempt,
                        "token": token,
                        "provider": experiment.provider,
                        "base_model": experiment.base_model,
                        "checkpoints": "[]",
                        **promise,
                    }
                )
            job_id = int(self._one("SELECT id FROM jobs WHERE token = ?", [token])[0])
            self._event(
                "intent", experiment.name, job_id=job_id, at_s=at_s, actor=actor, detail=reason
            )
        return self.job(job_id)

    def _refuse_second_job(self, trial: Trial) -> None:
        row = self._one(
            f"SELECT number FROM jobs WHERE experiment = ? AND trial = ? AND {OPEN}",  # noqa: S608
            [trial.experiment.name, trial.key],
        )
        if row:
            raise RegistryError(
                f"{trial.name} still has job {row['number']}, which may run; nothing was submitted"
            )

    def give_up_intent(self, job: Job, *, error: str, at_s: float, actor: Actor) -> None:
        """Note that the provider never took the job; the trial's former revision is back."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE jobs SET phase = 'ABSENT', state = 'FAILED', error = ?, ended_s = ? "
                "WHERE id = ? AND phase = 'INTENT'",
                [error, at_s, job.id],
            ).rowcount
            if not changed:
                return
            connection.execute(
                "UPDATE trials SET revision = (SELECT former_revision FROM jobs WHERE id = ?) "
                "WHERE experiment = ? AND key = ?",
                [job.id, job.experiment, job.trial],
            )
            self._event(
                "absent", job.experiment, job_id=job.id, at_s=at_s, actor=actor, detail=error
            )

    def ask_cancel(self, job: Job, *, why: str, at_s: float, actor: Actor) -> None:
        """Note that a job is to end, before the provider is told."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE jobs SET cancel_asked_s = ?, cancel_why = coalesce(cancel_why, ?), "  # noqa: S608
                f"state = 'CANCELLING' WHERE id = ? AND {OPEN}",
                [at_s, why, job.id],
            ).rowcount
            if changed and job.cancel_asked_s is None:
                self._event(
                    "cancel", job.experiment, job_id=job.id, at_s=at_s, actor=actor, detail=why
                )

    def record_evaluation(
        self,
        job: Job,
        *,
        model: str,
        split: str,
        split_digest: str,
        rows: int,
        generation: Mapping[str, Any],
        scores: Mapping[str, float],
        at_s: float,
        actor: Actor,
    ) -> None:
        """Write down the scores of one evaluation."""
        with self._transaction():
            self._database().table("evaluations").insert(
                {
                    "job_id": job.id,
                    "model": model,
                    "split": split,
                    "split_digest": split_digest,
                    "rows": rows,
                    "generation": json.dumps(generation),
                    "scores": json.dumps(scores),
                    "at_s": at_s,
                    "who": actor.who,
                }
            )
            self._event(
                "evaluated",
                job.experiment,
                job_id=job.id,
                at_s=at_s,
                actor=actor,
                detail=f"{rows} rows of {split}",
            )

    def _put_experiment(self, trial: Trial, at_s: float) -> None:
        experiment = trial.experiment
        created = self._one("SELECT created_s FROM experiments WHERE name = ?", [experiment.name])
        database = self._database()
        database.table("experiments").upsert(
            {
                "name": experiment.name,
                "description": experiment.description,
                "tags": json.dumps(dict(experiment.tags)),
                "path": str(experiment.where),
                "created_s": created[0] if created else at_s,
                "updated_s": at_s,
            },
            pk="name",
        )
        database.table("trials").upsert(
            {
                "experiment": experiment.name,
                "key": trial.key,
                "document": json.dumps(experiment.document),
                "desired_state": experiment.lifecycle.state,
                "is_protected": int(experiment.lifecycle.protect),
            },
            pk=("experiment", "key"),
        )

    def _put_revision(self, trial: Trial, at_s: float) -> None:
        name, dataset = trial.experiment.name, trial.dataset
        database = self._database()
        database.table("revisions").insert(
            {
                "experiment": name,
                "trial": trial.key,
                "digest": trial.digest,
                "identity": json.dumps(revision_identity(trial.experiment, dataset, trial.base)),
                "document": json.dumps(trial.experiment.document),
                "dataset": json.dumps(
                    {
                        "fingerprint": dataset.fingerprint,
                        "splits": {k: asdict(v) for k, v in dataset.splits.items()},
                    }
                ),
                "created_s": at_s,
            },
            pk=("experiment", "trial", "digest"),
            ignore=True,
        )
        database.table("trials").update((name, trial.key), {"revision": trial.digest})

    # --- what a provider said --------------------------------------------------------------

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
                "observed_s = ?, "
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
            connection.execute(_LATEST_LOSS, {"job": job_id, "loss": TRAIN_LOSS, "mean": MEAN_LOSS})
            if is_all:
                connection.execute("UPDATE jobs SET has_all_points = 1 WHERE id = ?", [job_id])

    def _event(
        self,
        kind: str,
        experiment: str,
        *,
        at_s: float,
        actor: Actor,
        detail: str = "",
        job_id: int | None = None,
    ) -> None:
        self._connection.execute(
            "INSERT INTO events (at_s, experiment, job_id, kind, detail, who, command, "
            '"commit", is_dirty) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
            [
                at_s,
                experiment,
                job_id,
                kind,
                detail,
                actor.who,
                actor.command,
                actor.commit,
                actor.is_dirty,
            ],
        )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
