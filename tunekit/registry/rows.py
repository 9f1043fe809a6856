"""The rows that several writes share: experiments, revisions, jobs, events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tunekit.model import Actor, Trial, revision_identity
from tunekit.registry.tails import Tails


class Rows(Tails):
    """Writes single rows; every call is inside a transaction of the caller's."""

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
                "data_commit": trial.dataset.commit,
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
                        "files": dataset.files,
                        "commit": dataset.commit,
                    }
                ),
                "created_s": at_s,
            },
            pk=("experiment", "trial", "digest"),
            ignore=True,
        )
        database.table("trials").update((name, trial.key), {"revision": trial.digest})

    def _insert_job(self, trial: Trial, token: str, values: Mapping[str, Any]) -> int:
        """Insert a job under the experiment's next number; return its id."""
        experiment = trial.experiment
        number = self._one(
            "SELECT coalesce(max(number), 0) + 1 FROM jobs WHERE experiment = ?", [experiment.name]
        )[0]
        (
            self._database()
            .table("jobs")
            .insert(
                {
                    "experiment": experiment.name,
                    "trial": trial.key,
                    "revision": trial.digest,
                    "number": number,
                    "token": token,
                    "provider": experiment.provider,
                    "base_model": experiment.base_model,
                    "checkpoints": "[]",
                    **values,
                }
            )
        )
        return int(self._one("SELECT id FROM jobs WHERE token = ?", [token])[0])

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
