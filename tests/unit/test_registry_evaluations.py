"""What the registry keeps of evaluations, and what it keeps of answers only where it may."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_registry import ACTOR, intend
from tunekit.errors import RegistryError
from tunekit.registry import AnsweredRow, Registry, schema

ROWS = [
    AnsweredRow("a" * 32, 7, {"exact_match": 1.0}, "STOP", "wanted Ana", "Ana"),
    AnsweredRow("b" * 32, 9, {"exact_match": 0.0}, "MAX_TOKENS", "wanted Bo", "Bo"),
]
VALUES = {
    "target": "tuned",
    "model": "models/m",
    "split": "test",
    "split_digest": "d",
    "generation": {"temperature": 0.0},
    "scores": {"exact_match": 0.5},
    "intervals": {"exact_match": [0.2, 0.8]},
    "baselines": {"copy": {"exact_match": 0.0}, "majority": {"exact_match": 0.1}},
    "confusion": None,
    "entities": None,
    "differences": [],
    "verdict": "refused",
    "promote_if": "exact_match > 0.9",
}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry.db") as opened:
        yield opened


def asked(registry: Registry, *, keep: bool) -> int:
    asking = registry.asking(provider="local", model="models/m", generation={"temperature": 0.0})
    registry.record_answers(asking, ROWS, keep=keep, at_s=5.0)
    return asking


def evaluation(registry: Registry, asking: int) -> int:
    return registry.record_evaluation(
        intend(registry),
        values={**VALUES, "asking": asking},
        rows=[(9, "b" * 32), (7, "a" * 32)],
        at_s=6.0,
        actor=ACTOR,
    )


def test_an_evaluation_is_read_back_with_all_it_told(registry: Registry) -> None:
    number = evaluation(registry, asked(registry, keep=False))
    (found,) = registry.evaluations()
    assert {key: found[key] for key in VALUES} == VALUES
    about = {key: found[key] for key in ("id", "job_id", "rows", "at_s", "who")}
    assert about == {"id": number, "job_id": 1, "rows": 2, "at_s": 6.0, "who": "ana@ci"}
    assert registry.evaluations(2) == []
    last = registry.events()[-1]
    assert (last["kind"], last["detail"]) == ("evaluated", "tuned on 2 rows of test: refused")
    rows = registry.row_records(number)
    assert [(row["line"], row["scores"]["exact_match"]) for row in rows] == [(9, 0.0), (7, 1.0)]


def test_rows_are_known_by_model_settings_and_content(registry: Registry) -> None:
    asking = asked(registry, keep=False)
    assert registry.answered_rows(asking) == {r.row: r.record for r in ROWS}
    again = {"provider": "local", "model": "models/m", "generation": {"temperature": 0.0}}
    assert registry.asking(**again) == asking  # type: ignore[arg-type]
    for other in ({"model": "models/n"}, {"generation": {"temperature": 1.0}}, {"provider": "x"}):
        number = registry.asking(**{**again, **other})  # type: ignore[arg-type]
        assert number != asking
        assert registry.answered_rows(number) == {}
    assert registry.finishes(asking)["b" * 32] == "MAX_TOKENS"


def test_no_text_is_kept_unless_it_is_asked_for(registry: Registry) -> None:
    number = evaluation(registry, asked(registry, keep=False))
    assert registry.answers(number) == []
    assert registry.kept_answers(1) == {}
    assert not registry.answers_path.exists()
    kept = b"".join(path.read_bytes() for path in registry.path.parent.iterdir())
    assert b"Ana" not in kept


def test_kept_answers_are_in_a_file_for_their_owner_alone(registry: Registry) -> None:
    asking = asked(registry, keep=True)
    number = evaluation(registry, asking)
    first, second = registry.answers(number)
    assert second == {
        "line": 7,
        "expected": "wanted Ana",
        "answered": "Ana",
        "scores": {"exact_match": 1.0},
    }
    assert registry.answers(number, limit=1) == [first]
    assert registry.kept_answers(asking) == {"a" * 32: "Ana", "b" * 32: "Bo"}
    assert stat.S_IMODE(registry.answers_path.stat().st_mode) == 0o600
    registry.answers_path.chmod(0o644)
    registry.kept_answers(asking)
    assert stat.S_IMODE(registry.answers_path.stat().st_mode) == 0o600
    others = [path for path in registry.path.parent.iterdir() if path != registry.answers_path]
    assert b"Ana" not in b"".join(path.read_bytes() for path in others)


def test_a_kept_answer_goes_when_its_row_is_answered_anew(registry: Registry) -> None:
    asking = asked(registry, keep=True)
    registry.record_answers(asking, ROWS[:1], keep=False, at_s=6.0)
    assert registry.kept_answers(asking) == {ROWS[1].row: ROWS[1].answered}
    assert registry.answered_rows(asking) == {r.row: r.record for r in ROWS}


def test_a_damaged_file_of_answers_is_named(registry: Registry) -> None:
    asking = asked(registry, keep=True)
    registry.answers_path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(RegistryError, match=r"registry\.db\.answers: .*or remove it"):
        registry.kept_answers(asking)
    assert registry.answered_rows(asking)


def test_an_older_registrys_evaluations_keep_their_baselines(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with Registry.open(path) as registry:
        intend(registry)
    connection = sqlite3.connect(path)
    saved = [{"id": "1", "model": "m@1", "epoch": None, "step": None}]
    connection.execute("UPDATE jobs SET model = 'm@2', checkpoints = ?", [json.dumps(saved)])
    for name in ("askings", "answered_rows", "evaluation_rows", "evaluations"):
        connection.execute(f"DROP TABLE {name}")
    connection.execute(
        "CREATE TABLE evaluations (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL "
        "REFERENCES jobs(id), model TEXT, split TEXT, split_digest TEXT, rows INTEGER, "
        "generation TEXT, scores TEXT NOT NULL, at_s FLOAT, who TEXT)"
    )
    scores = '{"exact_match": 0.9, "copy.exact_match": 0.1, "majority.exact_match": 0.2}'
    for model in ("m@2", "m@1"):
        connection.execute(
            "INSERT INTO evaluations VALUES (NULL, 1, ?, 'test', 'd', 20, '{}', ?, 5.0, 'ana')",
            [model, scores],
        )
    connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '%_evaluations'")
    connection.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    connection.commit()
    connection.close()
    with Registry.open(path) as registry:
        last, first = reversed(registry.evaluations())
        assert (first["target"], last["target"]) == ("tuned", "checkpoint:1")
        assert first["scores"] == {"exact_match": 0.9}
        assert first["baselines"] == {
            "copy": {"exact_match": 0.1},
            "majority": {"exact_match": 0.2},
        }
        assert (first["verdict"], first["confusion"], first["rows"]) == (None, None, 20)
        assert registry.answers(first["id"]) == []
