"""The registry's listings agree with what it says job by job, whatever it holds."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlite_utils

from tests.conftest import ROOT
from tunekit.registry import Registry

sys.path.insert(0, str(ROOT / "bench"))
import registry as bench

JOBS = 60


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry as the bench makes one, with what is rarer in it."""
    made = bench.fill(tmp_path_factory.mktemp("registry"), jobs=JOBS, points=JOBS * 10)
    connection = sqlite3.connect(made)
    with connection:
        for state, phase, job_id in (
            ("FAILED", "ABSENT", 2),
            ("PENDING", "INTENT", 4),
            ("RUNNING", "BOUND", 6),
            ("UNKNOWN", "BOUND", 8),
        ):
            connection.execute(
                "UPDATE jobs SET state = ?, phase = ?, ended_s = NULL WHERE id = ?",
                [state, phase, job_id],
            )
        # Recorded, and never submitted; and one whose spec went back to its first revision.
        connection.execute("INSERT INTO experiments (name, tags) VALUES ('never', '{}')")
        connection.execute(
            "INSERT INTO trials (experiment, key, revision, document, desired_state, "
            "is_protected) VALUES ('never', 'main', NULL, '{}', 'cancelled', 1)"
        )
        connection.execute(
            "UPDATE trials SET revision = (SELECT revision FROM jobs WHERE id = 9) "
            "WHERE experiment = (SELECT experiment FROM jobs WHERE id = 9)"
        )
    connection.close()
    return made


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    with Registry.open(path) as opened:
        yield opened


def test_current_jobs_are_those_of_the_trials(registry: Registry) -> None:
    trials = {trial.name: trial for trial in registry.trials()}
    rows = {row["trial_name"]: row for row in registry.current_jobs()}
    assert set(rows) == set(trials) == set(registry.names())
    for name, trial in trials.items():
        job = trial.current()
        assert rows[name]["id"] == (job.id if job else None), name
        assert rows[name]["state"] == (job.state.value if job else None)
        assert rows[name]["is_protected"] == trial.is_protected
    states = {row["state"] for row in rows.values()}
    assert states >= {None, "PENDING", "RUNNING", "UNKNOWN", "SUCCEEDED", "FAILED"}


def test_trials_are_found_by_name_as_among_all(registry: Registry) -> None:
    every = registry.trials()
    keys = [(trial.experiment, trial.key) for trial in every]
    assert registry.trials_of(keys) == every
    assert registry.trials_of([("nothing", "main"), keys[3]]) == [every[3]]
    assert registry.trials_of(keys * 20)[: len(every)] == every


def test_history_is_every_job_newest_first_with_who_asked(registry: Registry) -> None:
    jobs = {job.id: job for job in registry.jobs()}
    rows = registry.job_history()
    assert [row["id"] for row in rows] == sorted(jobs, reverse=True)
    asked = {event["job_id"]: event for event in registry.events() if event["kind"] == "intent"}
    for row in rows:
        job = jobs[row["id"]]
        assert row["job"] == job.title
        assert row["why"] == job.reason
        assert row["who"] == asked[job.id]["who"]
        assert row["commit"] == asked[job.id]["commit"]
        assert row["tags"] == registry.experiments()[job.experiment]["tags"]
    some = registry.job_history(["e00001", "e00002"])
    assert {row["experiment"] for row in some} == {"e00001", "e00002"}
    assert registry.jobs_of(list(jobs)) == jobs
    assert registry.job_history(limit=7) == rows[:7]
    assert registry.count_jobs() == len(rows)
    assert registry.count_jobs(["e00001", "e00002"]) == len(some)


def test_a_job_that_was_adopted_was_asked_for_by_who_adopted_it(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "INSERT INTO events (at_s, experiment, job_id, kind, who) "
            "VALUES (1, 'e00005', 11, 'imported', 'eve@desk')"
        )
    connection.close()
    with Registry.open(path) as registry:
        (row,) = [row for row in registry.job_history(["e00005"]) if row["id"] == 11]
    assert row["who"] == "eve@desk"


@pytest.mark.parametrize(
    ("asked", "jobs"),
    [
        ("models/model-7", [8]),
        ("model-7", [8]),
        ("endpoints/endpoint-7", [8]),
        ("endpoint-7", [8]),
        ("models/model-7@2", [8]),
        ("jobs/7", [8]),
        ("tk-7", [8]),
        ("7", [8]),  # jobs/7
        ("odel-7", []),
        ("model-_", []),
        ("model-%", []),
        ("", []),
        ("1", [2]),  # not every checkpoint of that id
    ],
)
def test_a_model_is_found_by_what_services_call_it(
    registry: Registry, asked: str, jobs: list[int]
) -> None:
    assert [row["id"] for row in registry.made(asked)] == jobs


def test_the_documented_views_answer_sqlite_utils(path: Path) -> None:
    database = sqlite_utils.Database(str(path))
    assert set(database.view_names()) == {"job_history", "current_jobs", "scores", "curves"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in database.view_names():
        assert f"`{name}`" in readme, name
        columns = [column.name for column in database.view(name).columns]
        assert len(columns) == len(set(columns)), name
        assert list(database.view(name).rows_where(limit=1)), name
    best = database.query(
        "SELECT job, value FROM scores WHERE metric = 'exact_match' ORDER BY value DESC LIMIT 1"
    )
    assert next(iter(best))["job"]
    assert database.execute("SELECT count(*) FROM curves WHERE job = 'e00001@1'").fetchone() == (
        10,
    )


def test_a_cost_is_counted_where_the_service_counted_and_guessed_elsewhere() -> None:
    from tunekit.registry.listings import _cost

    price = {"usd_per_million_tokens": 5.0}
    estimate = json.dumps({"epochs": 3, "price": price, "usd": 1.5})
    assert _cost(None, None) == (None, False)
    assert _cost(estimate, None) == (1.5, False)
    assert _cost(estimate, json.dumps({"billable_tokens": 200_000, "epochs": 2})) == (2.0, True)
    assert _cost(estimate, json.dumps({"billable_tokens": 200_000, "epochs": None})) == (3.0, True)
    assert _cost(json.dumps({"epochs": 3, "price": None, "usd": None}), None) == (None, False)
