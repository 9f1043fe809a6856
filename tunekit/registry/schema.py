"""The tables and their migrations: numbered, recorded in the same transaction, never edited."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from tunekit.registry import views

if TYPE_CHECKING:
    from sqlite_utils import Database

# Equals the number of migrations below and SQLite's `PRAGMA user_version`, so that a current
# registry is recognised without importing sqlite-utils.
VERSION = 6


def migrate(connection: sqlite3.Connection, registry_id: str) -> None:
    """Bring the file to VERSION; safe to run from several processes at once."""
    import sqlite_utils
    from sqlite_utils import Migrations

    steps = Migrations("tunekit")

    @steps(name="1_initial")
    def _initial(db: Database) -> None:
        _create_tables(db, registry_id)
        db.execute("PRAGMA user_version = 1")

    @steps(name="2_endpoint")
    def _endpoint(db: Database) -> None:
        db.table("jobs").add_column("endpoint", str)
        db.execute("PRAGMA user_version = 2")

    @steps(name="3_place")
    def _place(db: Database) -> None:
        db.table("jobs").add_column("place", str)
        db.execute("PRAGMA user_version = 3")

    @steps(name="4_rows_and_cost")
    def _rows_and_cost(db: Database) -> None:
        # A split's rows by the digest that its revisions name: hashes and counts, no texts.
        db.table("dataset_rows").create(
            {
                "digest": str,
                "rows": int,
                "hashes": bytes,  # 8 bytes a row, little-endian, as all of these
                "keys": bytes,  # the same of the text that a row was made of
                "tokens": bytes,  # 4 bytes a row, zlib
                "lines": bytes,  # differences to the line before, 4 bytes a row, zlib
                "created_s": float,
            },
            pk="digest",
            not_null={"rows", "hashes", "keys", "tokens", "lines"},
        )
        db.table("trials").add_column("data_commit", str)  # of the Hub, as last applied
        db.table("jobs").add_column("data_stats", str)  # JSON
        db.table("jobs").add_column("estimate", str)  # JSON
        db.execute("PRAGMA user_version = 4")

    @steps(name="5_evaluations")
    def _evaluations(db: Database) -> None:
        _extend_evaluations(db)
        db.execute("PRAGMA user_version = 5")

    @steps(name="6_listings")
    def _listings(db: Database) -> None:
        db.execute(views.ASKED_INDEX)
        for name, query in views.VIEWS.items():
            db.create_view(name, query)
        db.execute("PRAGMA user_version = 6")

    steps.apply(sqlite_utils.Database(connection))


def _create_tables(db: Database, registry_id: str) -> None:
    text, integer, real = str, int, float
    db.table("meta").create({"key": text, "value": text}, pk="key", not_null={"value"})
    db.table("meta").insert({"key": "registry_id", "value": registry_id})
    db.table("experiments").create(
        {
            "name": text,
            "description": text,
            "tags": text,  # JSON object
            "path": text,
            "created_s": real,
            "updated_s": real,
        },
        pk="name",
    )
    db.table("datasets").create(
        {
            "key": text,  # source bytes and dataset section, hashed
            "fingerprint": text,
            "source": text,
            "record": text,  # JSON: rows, characters, digest of each split
            "created_s": real,
        },
        pk="key",
        not_null={"fingerprint", "record"},
    )
    db.table("trials").create(
        {
            "experiment": text,
            "key": text,
            "revision": text,
            "document": text,  # JSON: the spec as last applied
            "desired_state": text,
            "is_protected": integer,
        },
        pk=("experiment", "key"),
        not_null={"document", "desired_state", "is_protected"},
        foreign_keys=[("experiment", "experiments", "name")],
    )
    db.table("revisions").create(
        {
            "experiment": text,
            "trial": text,
            "digest": text,
            "identity": text,  # JSON: exactly what the digest hashes
            "document": text,  # JSON: the spec that first asked for it
            "dataset": text,  # JSON: fingerprint and splits
            "created_s": real,
        },
        pk=("experiment", "trial", "digest"),
        not_null={"identity", "document"},
        foreign_keys=[("experiment", "experiments", "name")],
    )
    db.table("jobs").create(
        {
            "id": integer,
            "experiment": text,
            "trial": text,
            "revision": text,
            "number": integer,
            "attempt": integer,
            "token": text,
            "provider": text,
            "base_model": text,
            "phase": text,
            "state": text,
            "reason": text,
            "submitted_s": real,
            "name": text,
            "detail": text,
            "error": text,
            "model": text,
            "checkpoints": text,  # JSON list
            "completed_steps": integer,
            "total_steps": integer,
            "epoch": integer,
            "loss": real,
            "created_s": real,
            "started_s": real,
            "ended_s": real,
            "observed_s": real,
            "cancel_asked_s": real,
            "cancel_why": text,
            "missing_since_s": real,
            "has_all_points": integer,
            "former_revision": text,  # the trial's, before this job was promised
        },
        pk="id",
        not_null={"experiment", "trial", "revision", "number", "attempt", "token", "phase"},
        foreign_keys=[("experiment", "experiments", "name")],
    )
    jobs = db.table("jobs")
    jobs.create_index(["token"], unique=True)
    jobs.create_index(["experiment", "number"], unique=True)
    jobs.create_index(["experiment", "trial", "revision", "attempt"], unique=True)
    # The promise in one line: a trial never has two jobs that may be running.
    db.execute(
        "CREATE UNIQUE INDEX one_open_job ON jobs(experiment, trial) WHERE phase != 'ABSENT' "
        "AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"
    )
    db.table("events").create(
        {
            "id": integer,
            "at_s": real,
            "experiment": text,
            "job_id": integer,
            "kind": text,
            "detail": text,
            "who": text,
            "command": text,
            "commit": text,
            "is_dirty": integer,
        },
        pk="id",
        not_null={"at_s", "kind"},
    )
    db.table("events").create_index(["experiment", "id"])
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER events_refuse_{verb.lower()} BEFORE {verb} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )
    # SQLite has no NaN: a value that is none is NULL.
    db.execute(
        "CREATE TABLE metric_points (job_id INTEGER NOT NULL REFERENCES jobs(id), "
        "metric TEXT NOT NULL, step INTEGER NOT NULL, value REAL, time_s REAL, "
        "PRIMARY KEY (job_id, metric, step)) WITHOUT ROWID"
    )
    db.table("evaluations").create(
        {
            "id": integer,
            "job_id": integer,
            "model": text,
            "split": text,
            "split_digest": text,
            "rows": integer,
            "generation": text,  # JSON
            "scores": text,  # JSON object: metric -> value
            "at_s": real,
            "who": text,
        },
        pk="id",
        not_null={"job_id", "scores"},
        foreign_keys=[("job_id", "jobs", "id")],
    )


def _extend_evaluations(db: Database) -> None:
    """Answers are recorded as they come; an evaluation tells more than scores."""
    db.execute(
        "CREATE TABLE askings (id INTEGER PRIMARY KEY, provider TEXT NOT NULL, "
        "model TEXT NOT NULL, generation TEXT NOT NULL, UNIQUE (provider, model, generation))"
    )
    # `row` is a hash of the row, `record` JSON of numbers and hashes: no text of either.
    db.execute(
        "CREATE TABLE answered_rows (asking INTEGER NOT NULL REFERENCES askings(id), "
        "row TEXT NOT NULL, record TEXT NOT NULL, finish TEXT NOT NULL, at_s REAL, "
        "PRIMARY KEY (asking, row)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE evaluation_rows (evaluation INTEGER NOT NULL REFERENCES evaluations(id), "
        "place INTEGER NOT NULL, line INTEGER NOT NULL, row TEXT NOT NULL, "
        "PRIMARY KEY (evaluation, place)) WITHOUT ROWID"
    )
    evaluations = db.table("evaluations")
    for name in ("target", "intervals", "baselines", "confusion", "entities", "differences"):
        evaluations.add_column(name, str)
    evaluations.add_column("asking", int)
    for name in ("verdict", "promote_if"):
        evaluations.add_column(name, str)
    evaluations.create_index(["job_id"])
    for row in list(evaluations.rows):
        evaluations.update(row["id"], _in_new_columns(db, row))


def _in_new_columns(db: Database, row: dict[str, Any]) -> dict[str, str]:
    """Return what an older evaluation told: baselines had been scores with a prefix."""
    scores = json.loads(row["scores"])
    baselines = {}
    for name in ("copy", "majority"):
        keys = [key for key in scores if key.startswith(f"{name}.")]
        baselines[name] = {key.partition(".")[2]: scores.pop(key) for key in keys}
    job = db.table("jobs").get(row["job_id"])
    saved = {c["model"]: c["id"] for c in json.loads(job["checkpoints"])}
    is_tuned = row["model"] in (job["endpoint"], job["model"])
    return {
        "target": "tuned" if is_tuned else f"checkpoint:{saved.get(row['model'], '')}",
        "scores": json.dumps(scores),
        "baselines": json.dumps(baselines),
        "intervals": "{}",
    }
