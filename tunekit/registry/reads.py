"""What the registry can tell. Plain sqlite3: reading must not pay for importing sqlite-utils,
which imports pandas where that is installed.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection
from typing import Any

from tunekit.model import (
    Checkpoint,
    Cost,
    DataStats,
    Job,
    JobState,
    MetricPoint,
    Phase,
    RecordedTrial,
    RowIndex,
    Source,
)
from tunekit.registry.file import RegistryFile

# Jobs that may run, or of which nobody knows.
OPEN = "phase != 'ABSENT' AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"


class Reads(RegistryFile):
    """Every question that tunekit asks its registry."""

    def trials(self, *, of: tuple[str, str] | None = None) -> list[RecordedTrial]:
        """Return every trial with its jobs, by name; or the one of an experiment and a key."""
        jobs: dict[tuple[str, str], list[Job]] = {}
        for job in self.jobs(experiment=of[0] if of else None):
            jobs.setdefault((job.experiment, job.trial), []).append(job)
        where = "WHERE t.experiment = ? AND t.key = ?" if of else ""
        rows = self._all(
            "SELECT t.*, r.identity FROM trials t LEFT JOIN revisions r "  # noqa: S608
            "ON r.experiment = t.experiment AND r.trial = t.key AND r.digest = t.revision "
            f"{where} ORDER BY t.experiment, t.key",
            of or (),
        )
        identities = [json.loads(row["identity"]) if row["identity"] else None for row in rows]
        return [
            RecordedTrial(
                experiment=row["experiment"],
                key=row["key"],
                revision=row["revision"],
                document=json.loads(row["document"]),
                jobs=tuple(jobs.get((row["experiment"], row["key"]), ())),
                is_protected=bool(row["is_protected"]),
                desired_state=row["desired_state"],
                training_identity=identity["dataset"] if identity else None,
                base_model=identity["base_model"] if identity else None,
            )
            for row, identity in zip(rows, identities, strict=True)
        ]

    def jobs(self, *, experiment: str | None = None, only_open: bool = False) -> list[Job]:
        """Return jobs, oldest first."""
        conditions, values = ["1"], []
        if experiment is not None:
            conditions.append("experiment = ?")
            values.append(experiment)
        if only_open:
            conditions.append(OPEN)
        sql = f"SELECT * FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id"  # noqa: S608
        return [to_job(row) for row in self._all(sql, values)]

    def unsettled_jobs(self) -> list[Job]:
        """Return open jobs, then ended ones whose metric points were not all fetched yet."""
        rows = self._all(
            "SELECT * FROM jobs WHERE phase = 'BOUND' AND NOT coalesce(has_all_points, 0) "
            "AND state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') ORDER BY id"
        )
        return [*self.jobs(only_open=True), *map(to_job, rows)]

    def job(self, job_id: int) -> Job:
        """Return one job by its id."""
        return to_job(self._one("SELECT * FROM jobs WHERE id = ?", [job_id]))

    def experiments(self) -> dict[str, dict[str, Any]]:
        """Return each experiment's record: tags, description, path, times."""
        rows = self._all("SELECT * FROM experiments ORDER BY name")
        return {
            row["name"]: {
                **dict(row),
                "tags": json.loads(row["tags"] or "{}"),
            }
            for row in rows
        }

    def dataset(self, key: str) -> dict[str, Any] | None:
        """Return what was recorded of a prepared data set under its source key."""
        row = self._one("SELECT record FROM datasets WHERE key = ?", [key])
        return json.loads(row["record"]) if row else None

    def rows(self, digest: str) -> RowIndex | None:
        """Return what is kept of a split's rows by the split's digest, None where nothing is."""
        row = self._one("SELECT * FROM dataset_rows WHERE digest = ?", [digest])
        return RowIndex.from_record(dict(row)) if row else None

    def has_rows(self, digests: Collection[str]) -> bool:
        """True where the rows of all these splits are kept."""
        marks = ",".join("?" * len(digests))
        sql = f"SELECT count(*) FROM dataset_rows WHERE digest IN ({marks})"  # noqa: S608
        return int(self._one(sql, digests)[0]) == len(set(digests))

    def jobs_tuned_on(self, train_digest: str) -> list[Job]:
        """Return the jobs whose training rows have this digest, oldest first."""
        sql = (
            "SELECT jobs.* FROM jobs JOIN revisions AS r ON r.experiment = jobs.experiment "
            "AND r.trial = jobs.trial AND r.digest = jobs.revision "
            "WHERE json_extract(r.identity, '$.dataset.train') = ? ORDER BY jobs.id"
        )
        return [to_job(row) for row in self._all(sql, [train_digest])]

    def revision(self, job: Job) -> dict[str, Any]:
        """Return a job's revision: identity, the spec that asked for it, its data."""
        row = self._one(
            "SELECT * FROM revisions WHERE experiment = ? AND trial = ? AND digest = ?",
            [job.experiment, job.trial, job.revision],
        )
        return {
            "digest": row["digest"],
            "identity": json.loads(row["identity"]),
            "document": json.loads(row["document"]),
            "dataset": json.loads(row["dataset"]),
            "created_s": row["created_s"],
        }

    def pinned_commit(self, experiment: str, source: Source) -> str | None:
        """Return the commit of a hub source that an experiment was first applied with.

        None where it was not, or where its spec names another data set or revision by now.
        """
        rows = self._all(
            "SELECT document, data_commit FROM trials "
            "WHERE experiment = ? AND revision IS NOT NULL",
            [experiment],
        )
        for row in rows:
            written = json.loads(row["document"])["dataset"]["source"]
            if (written.get("hub"), written.get("revision")) == (source.hub, source.revision):
                commit: str | None = row["data_commit"]
                return commit
        return None

    def points(self, job_id: int, metric: str | None = None) -> list[MetricPoint]:
        """Return a job's metric points by series and rising step."""
        sql = "SELECT metric, step, value, time_s FROM metric_points WHERE job_id = ?"
        values: list[Any] = [job_id]
        if metric is not None:
            sql += " AND metric = ?"
            values.append(metric)
        return [
            MetricPoint(metric, step, math.nan if value is None else value, time_s)
            for metric, step, value, time_s in self._all(sql + " ORDER BY metric, step", values)
        ]

    def count_points(self, job_id: int) -> int:
        """Return how many metric points are recorded of a job."""
        return int(self._one("SELECT count(*) FROM metric_points WHERE job_id = ?", [job_id])[0])

    def last_step(self, job_id: int) -> int:
        """Return the highest recorded step, 0 where there is none."""
        row = self._one("SELECT max(step) FROM metric_points WHERE job_id = ?", [job_id])
        return int(row[0] or 0)

    def events(self, experiment: str | None = None) -> list[dict[str, Any]]:
        """Return events, oldest first."""
        where, values = ("WHERE experiment = ?", [experiment]) if experiment else ("", [])
        rows = self._all(f"SELECT * FROM events {where} ORDER BY id", values)  # noqa: S608
        return [dict(row) for row in rows]


def to_job(row: sqlite3.Row) -> Job:
    values = {name: row[name] for name in Job.__slots__}
    values["has_all_points"] = bool(values["has_all_points"])
    values["phase"] = Phase(values["phase"])
    values["state"] = JobState(values["state"])
    values["checkpoints"] = tuple(Checkpoint(**c) for c in json.loads(values["checkpoints"]))
    stats, estimate = values["data_stats"], values["estimate"]
    values["data_stats"] = DataStats.from_json(json.loads(stats)) if stats else None
    values["estimate"] = Cost.from_json(json.loads(estimate)) if estimate else None
    for text in ("detail", "error"):
        values[text] = values[text] or ""
    return Job(**values)
