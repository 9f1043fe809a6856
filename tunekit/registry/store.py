"""What tunekit writes down.

What apply decides goes through sqlite-utils; what is observed goes through plain sqlite3, because
`status` writes it too and must stay quick.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tunekit.errors import RegistryError
from tunekit.model import (
    Actor,
    Cost,
    Job,
    JobState,
    Observation,
    Phase,
    RowIndex,
    Trial,
    token_for,
)
from tunekit.registry.evaluations import Evaluations
from tunekit.registry.reads import OPEN, to_job

# Rows of data sets that were planned with and never tuned on.
_KEEP_ROWS_S = 7 * 24 * 3600.0
_FORGET_ROWS = """
DELETE FROM dataset_rows WHERE created_s < ? AND digest NOT IN (
    SELECT json_extract(split.value, '$.digest')
    FROM revisions, json_each(revisions.dataset, '$.splits') AS split
)
"""


class Registry(Evaluations):
    """The registry, open for reading and writing. RegistryError where a write can't be done."""

    # --- what apply decided ----------------------------------------------------------------

    def record_dataset(
        self,
        key: str,
        *,
        source: str,
        record: Mapping[str, Any],
        rows: Mapping[str, RowIndex],
        at_s: float,
    ) -> None:
        """Remember a prepared data set, so that unchanged bytes are not rendered again.

        `rows` by split. What is kept of rows that no revision trained on is forgotten in time.
        """
        with self._transaction() as connection:
            for split, index in rows.items():
                kept = index.to_record()
                connection.execute(
                    "INSERT OR REPLACE INTO dataset_rows "
                    "(digest, rows, hashes, keys, tokens, lines, created_s) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [record["splits"][split]["digest"], len(index), *kept.values(), at_s],
                )
            connection.execute(_FORGET_ROWS, [at_s - _KEEP_ROWS_S])
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
        self,
        trial: Trial,
        *,
        attempt: int,
        reason: str,
        at_s: float,
        actor: Actor,
        place: str | None = None,
        estimate: Cost | None = None,
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
                "place": place,
                "submitted_s": at_s,
                "error": "",
                "ended_s": None,
                "former_revision": row["revision"] if row else None,
                "estimate": json.dumps(estimate.to_json()) if estimate else None,
            }
            given_up = self._one("SELECT id FROM jobs WHERE token = ?", [token])
            if given_up:
                job_id = int(given_up[0])
                self._database().table("jobs").update(job_id, promise)
            else:
                job_id = self._insert_job(trial, token, {"attempt": attempt, **promise})
            self._event(
                "intent", experiment.name, job_id=job_id, at_s=at_s, actor=actor, detail=reason
            )
        return self.job(job_id)

    def adopt_job(
        self, trial: Trial, seen: Observation, *, attempt: int, at_s: float, actor: Actor
    ) -> Job:
        """Record a job that tunekit did not submit as the trial's own. RegistryError where the
        trial has a job that may run, or the job is recorded already.
        """
        experiment = trial.experiment
        with self._transaction():
            former = self._record_of(trial, seen)
            self._refuse_second_job(trial)
            self._put_experiment(trial, at_s)
            self._put_revision(trial, at_s)
            if former is not None:
                job_id = former.id  # given up, and it arrived after all
            else:
                token, number = self._free_token(trial, seen, attempt)
                job_id = self._insert_job(
                    trial,
                    token,
                    {
                        "attempt": number,
                        "phase": Phase.BOUND.value,
                        "state": JobState.PENDING.value,
                        "reason": "imported",
                        "submitted_s": seen.created_s or at_s,
                        "name": seen.name,
                    },
                )
            self._event(
                "imported", experiment.name, job_id=job_id, at_s=at_s, actor=actor, detail=seen.name
            )
        return self.record_observation(self.job(job_id), seen, at_s=at_s, actor=actor)

    def _record_of(self, trial: Trial, seen: Observation) -> Job | None:
        """Return the trial's own given-up job that a job turns out to be, None for a new one.

        RegistryError where it is recorded already.
        """
        rows = self._all("SELECT * FROM jobs WHERE token = ? OR name = ?", [seen.token, seen.name])
        same = [job for job in map(to_job, rows) if job.is_seen_as(seen)]
        for job in same:
            if job.phase is not Phase.ABSENT:
                raise RegistryError(f"{seen.name} is recorded already, as {job.title}")
        mine = (trial.experiment.name, trial.key, trial.digest)
        return next((j for j in same if (j.experiment, j.trial, j.revision) == mine), None)

    def _free_token(self, trial: Trial, seen: Observation, attempt: int) -> tuple[str, int]:
        """Return the token to record a stranger's job under, its own if it can be, and the attempt.

        An attempt that never reached the provider keeps its token: it may arrive yet.
        """
        mine = [trial.experiment.name, trial.key, trial.digest]
        sql = "SELECT max(attempt) FROM jobs WHERE experiment = ? AND trial = ? AND revision = ?"
        number = max(attempt, (self._one(sql, mine)[0] or 0) + 1)
        is_taken = self._one("SELECT 1 FROM jobs WHERE token = ?", [seen.token]) is not None
        if seen.token is not None and not is_taken:
            return seen.token, number
        token = token_for(
            self.id,
            experiment=trial.experiment.name,
            trial=trial.key,
            revision=trial.digest,
            attempt=number,
        )
        return token, number

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

    def take_back_cancel(self, job: Job, *, why: str, at_s: float, actor: Actor) -> None:
        """Note that the provider refused to cancel a job, which goes on as it was."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET cancel_asked_s = ?, cancel_why = ?, state = ? WHERE id = ?",
                [job.cancel_asked_s, job.cancel_why, job.state.value, job.id],
            )
            self._event(
                "cancel refused", job.experiment, job_id=job.id, at_s=at_s, actor=actor, detail=why
            )
