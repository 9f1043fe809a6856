"""The registry: one file that keeps its promises whoever writes to it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_plan import trial
from tunekit.errors import RegistryError
from tunekit.model import (
    PREFERENCE_LOSS,
    TRAIN_LOSS,
    Actor,
    Cost,
    DataStats,
    DroppedRow,
    JobState,
    MetricPoint,
    Observation,
    Phase,
    Price,
    RowIndex,
)
from tunekit.registry import Registry, schema

ACTOR = Actor(who="ana@ci", command="tunekit apply", commit="c0ffee", is_dirty=False)


def intend(registry: Registry, *, attempt: int = 1, revision: str = "A"):  # type: ignore[no-untyped-def]
    return registry.write_intent(
        trial(revision), attempt=attempt, reason="new", at_s=1.0, actor=ACTOR
    )


def seen(token: str, state: JobState, **more: object) -> Observation:
    return Observation(name=f"jobs/{token}", token=token, state=state, **more)  # type: ignore[arg-type]


@pytest.fixture
def registry(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Registry.open(tmp_path / ".tunekit/registry.db") as opened:
        yield opened


def test_an_intent_becomes_bound_and_then_ends(registry: Registry) -> None:
    job = intend(registry)
    assert (job.phase, job.state, job.number) == (Phase.INTENT, JobState.PENDING, 1)
    running = registry.record_observation(
        job, seen(job.token, JobState.RUNNING, loss=0.5), at_s=2.0, actor=ACTOR
    )
    assert (running.phase, running.state, running.loss) == (Phase.BOUND, JobState.RUNNING, 0.5)
    kinds = [(event["kind"], event["detail"]) for event in registry.events()]
    assert kinds == [
        ("intent", "new"),
        ("bound", f"jobs/{job.token}"),
        ("state", "PENDING -> RUNNING"),
    ]
    assert registry.events()[0]["commit"] == "c0ffee"
    assert registry.trials()[0].current() == running


def test_a_trial_never_has_two_open_jobs(registry: Registry) -> None:
    intend(registry)
    with pytest.raises(RegistryError):
        intend(registry, attempt=2)
    with pytest.raises(RegistryError):
        intend(registry, revision="B")
    assert len(registry.jobs()) == 1
    assert len(registry.events()) == 1


def test_a_job_that_ended_stays_as_it_ended(registry: Registry) -> None:
    job = intend(registry)
    registry.record_observation(job, seen(job.token, JobState.FAILED), at_s=2.0, actor=ACTOR)
    late = registry.record_observation(
        job, seen(job.token, JobState.RUNNING), at_s=3.0, actor=ACTOR
    )
    assert late.state is JobState.FAILED


def test_tokens_are_equal_for_equal_attempts_and_legal_everywhere(registry: Registry) -> None:
    import re

    job = intend(registry)
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", job.token)
    registry.give_up_intent(job, error="refused", at_s=2.0, actor=ACTOR)
    second = intend(registry, attempt=2)
    assert second.token != job.token
    assert second.number == 2


def test_events_are_append_only(registry: Registry) -> None:
    intend(registry)
    connection = sqlite3.connect(registry.path)
    for statement in ("DELETE FROM events", "UPDATE events SET who = 'nobody'"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
    connection.close()


def test_metric_points_are_kept_once(registry: Registry) -> None:
    job = intend(registry)
    points = [MetricPoint("loss", step, 1.0 / step, 0.0) for step in (1, 2, 3)]
    registry.record_points(job.id, points)
    registry.record_points(job.id, [*points, MetricPoint("loss", 4, 0.2, 0.0)])
    assert [p.step for p in registry.points(job.id)] == [1, 2, 3, 4]
    assert registry.last_step(job.id) == 4


def test_a_newer_registry_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    Registry.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(RegistryError, match="newer tunekit"):
        Registry.open(path)
    assert path.read_bytes() == before


def test_the_version_counts_the_migrations(registry: Registry) -> None:
    connection = sqlite3.connect(registry.path)
    (count,) = connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    assert count == version == schema.VERSION


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" * 300])
def test_a_damaged_file_is_named_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match=r"registry\.db"):
        Registry.open(path)
    assert path.read_bytes() == content


def test_a_sqlite_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    connection.close()
    with pytest.raises(RegistryError, match="something else"):
        Registry.open(path)
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("notes",)]


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="is a folder"):
        Registry.open(tmp_path)


def test_the_file_is_private_with_its_log(registry: Registry) -> None:
    intend(registry)
    files = list(registry.path.parent.glob("registry.db*"))
    assert {"registry.db", "registry.db-wal"} <= {path.name for path in files}
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert registry.path.parent.stat().st_mode & 0o077 == 0


def test_a_readonly_registry_can_be_read_and_not_written(registry: Registry) -> None:
    intend(registry)
    opened = Registry.open(registry.path)
    opened.is_readonly = True  # as os.access tells a user without the right; root has every right
    assert len(opened.jobs()) == 1
    with pytest.raises(RegistryError, match="read-only"):
        opened.record_points(1, [MetricPoint("loss", 1, 1.0, None)])
    opened.close()


@pytest.mark.parametrize("is_pending", [True, False], ids=["log pending", "no log"])
def test_a_file_that_may_not_be_written_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_pending: bool
) -> None:
    path = tmp_path / "registry.db"
    writer = Registry.open(path)
    intend(writer)
    if not is_pending:
        writer.close()
    assert path.with_name("registry.db-wal").exists() is is_pending
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Registry.open(path) as reader:
        assert reader.is_readonly
        assert len(reader.jobs()) == 1
    writer.close()


def test_many_processes_may_make_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    code = (
        "import sys; from pathlib import Path; from tunekit.registry import Registry\n"
        "print(Registry.open(Path(sys.argv[1])).id)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    ids = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 6
    assert len(ids) == 1
    assert len(ids.pop()) == 32


def test_an_adopted_revision_is_current_again(registry: Registry) -> None:
    first = intend(registry)
    registry.record_observation(first, seen(first.token, JobState.SUCCEEDED), at_s=2, actor=ACTOR)
    second = intend(registry, revision="B")
    registry.record_observation(second, seen(second.token, JobState.SUCCEEDED), at_s=3, actor=ACTOR)
    registry.adopt_revision(trial("A"), first, at_s=4.0, actor=ACTOR, why="back")
    current = registry.trials()[0].current()
    assert current is not None
    assert current.id == first.id


def test_the_record_of_an_experiment_follows_its_spec(registry: Registry) -> None:
    intend(registry)
    wanted = trial("A", protect=True)
    wanted = replace(wanted, experiment=replace(wanted.experiment, tags={"team": "x"}))
    registry.record_experiment(wanted, at_s=5.0, actor=ACTOR, why="tags")
    assert registry.experiments()["x"]["tags"] == {"team": "x"}
    assert registry.trials()[0].is_protected
    assert registry.trials()[0].revision == "A"


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A write that does not fit fails whole; the intent before it stays."""
    path = tmp_path / "registry.db"
    with Registry.open(path) as registry:
        job = intend(registry)
        pages = registry._one("PRAGMA page_count")[0]
        registry._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        many = [MetricPoint(f"series-{n}", n, 1.0, 0.0) for n in range(20_000)]
        with pytest.raises(RegistryError, match="disk is full"):
            registry.record_points(job.id, many)
        assert registry.points(job.id) == []
        assert registry.jobs()[0].phase is Phase.INTENT
    assert os.path.exists(path)


@pytest.mark.parametrize("series", [TRAIN_LOSS, PREFERENCE_LOSS])
def test_a_loss_that_only_the_points_tell_is_the_latest(registry: Registry, series: str) -> None:
    job = intend(registry)
    registry.record_observation(job, seen(job.token, JobState.RUNNING), at_s=2.0, actor=ACTOR)
    for step, value in ((1, 0.9), (2, 0.4)):
        registry.record_points(job.id, [MetricPoint(series, step, value)])
        assert registry.job(job.id).loss == value
    registry.record_observation(job, seen(job.token, JobState.SUCCEEDED), at_s=3.0, actor=ACTOR)
    assert registry.job(job.id).loss == 0.4


def test_a_registry_of_before_rows_and_cost_keeps_its_jobs(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with Registry.open(path) as registry:
        token = intend(registry).token
    connection = sqlite3.connect(path, isolation_level=None)
    # As version 3 was: see the migrations.
    connection.execute("DROP TABLE dataset_rows")
    connection.execute("ALTER TABLE trials DROP COLUMN data_commit")
    for column in ("data_stats", "estimate"):
        connection.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = '4_rows_and_cost'")
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with Registry.open(path) as registry:
        (found,) = registry.jobs()
        assert (found.token, found.data_stats, found.estimate) == (token, None, None)
        assert registry.rows("nothing") is None


def test_what_a_job_was_to_cost_and_what_it_was_billed_are_kept(registry: Registry) -> None:
    cost = Cost(10, 8, 16, 2, Price(10.0, "https://prices.example"))
    job = registry.write_intent(
        trial("A"), attempt=1, reason="new", at_s=1.0, actor=ACTOR, estimate=cost
    )
    stats = DataStats(60, 12, 2, 1, (DroppedRow(3, "too long"),))
    told = seen(job.token, JobState.RUNNING, data_stats=stats)
    registry.record_observation(job, told, at_s=2.0, actor=ACTOR)
    # A later answer may leave it out.
    ended = seen(job.token, JobState.SUCCEEDED)
    after = registry.record_observation(job, ended, at_s=3.0, actor=ACTOR)
    assert (after.estimate, after.data_stats) == (cost, stats)


def test_rows_that_nothing_was_tuned_on_are_forgotten_in_time(registry: Registry) -> None:
    def record(name: str, at_s: float) -> None:
        info = {"digest": name, "rows": 0}
        registry.record_dataset(
            name,
            source="d.jsonl",
            record={"fingerprint": name, "splits": {"train": info}},
            rows={"train": RowIndex()},
            at_s=at_s,
        )

    for name in ("t1", "only planned"):
        record(name, 0.0)
    intend(registry)  # its training rows are t1
    record("new", 30 * 24 * 3600.0)
    assert registry.has_rows(["t1", "new"])
    assert registry.rows("only planned") is None
