"""Evaluations: what was asked of a model, the scores, and where a spec says so the answers.

Of an answered row the registry keeps a hash and numbers. Answers may hold personal data: those that
a spec says to keep are in a file of their own, `<registry>.answers`, which only its owner may read.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit.errors import RegistryError
from tunekit.model import Actor, Job
from tunekit.registry.seen import Seen

_JSON = ("generation", "scores", "intervals", "baselines", "confusion", "entities", "differences")
_ANSWERS = """
CREATE TABLE IF NOT EXISTS answers (
    asking INTEGER NOT NULL, row TEXT NOT NULL, line INTEGER NOT NULL,
    expected TEXT NOT NULL, answered TEXT NOT NULL, PRIMARY KEY (asking, row)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One row's answer. `record`: what is kept of it in any case; texts only where they may be."""

    row: str
    line: int
    record: Mapping[str, Any]
    finish: str = ""
    expected: str = ""
    answered: str = ""


class Evaluations(Seen):
    """Records answers as they come, and evaluations once all are there."""

    # --- what was asked --------------------------------------------------------------------

    def asking(self, *, provider: str, model: str, generation: Mapping[str, Any]) -> int:
        """Return the number under which a model's answers with such settings are recorded."""
        key = [provider, model, json.dumps(generation, sort_keys=True)]
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO askings (provider, model, generation) VALUES (?, ?, ?)", key
            )
        sql = "SELECT id FROM askings WHERE provider = ? AND model = ? AND generation = ?"
        return int(self._one(sql, key)[0])

    @contextmanager
    def asking_alone(self, askings: Iterable[int], wait: Callable[[], None]) -> Iterator[None]:
        """Hold askings while the block runs, so that no other process asks their rows meanwhile.

        `wait` is called once before another process is waited for. The kernel frees them, also on
        kill -9. A byte of `<registry>.askings` stands for each; they are taken in order, so that
        two processes never wait for each other. Not to be nested: closing the file frees all.
        Source: fcntl(2), traditional record locks.
        """
        path = self.path.with_name(self.path.name + ".askings")
        wanted = sorted(set(askings))
        with ExitStack() as stack:
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, file)
                try:
                    for asking in wanted:
                        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, asking)
                except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, says POSIX
                    wait()
                    for asking in wanted:
                        fcntl.lockf(file, fcntl.LOCK_EX, 1, asking)
            except OSError as error:
                raise RegistryError(
                    f"{path}: {error.strerror}; it must be writable, on a disk that has file locks"
                ) from error
            yield

    def answered_rows(self, asking: int) -> dict[str, dict[str, Any]]:
        """Return the records of the rows that were answered, by row key."""
        sql = "SELECT row, record FROM answered_rows WHERE asking = ?"
        return {row: json.loads(record) for row, record in self._all(sql, [asking])}

    def finishes(self, asking: int) -> dict[str, str]:
        """Return why answers ended, by row key, where the provider told."""
        sql = "SELECT row, finish FROM answered_rows WHERE asking = ? AND finish != ''"
        return dict(map(tuple, self._all(sql, [asking])))

    def record_answers(
        self, asking: int, rows: Sequence[AnsweredRow], *, keep: bool, at_s: float
    ) -> None:
        """Write down answered rows; durable once this returns. `keep`: their texts too.

        Without it, texts that were kept of the same rows before are removed.
        """
        if keep:
            values = [(asking, r.row, r.line, r.expected, r.answered) for r in rows]
            # First: a row that counts as answered has its text.
            with self._kept() as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO answers VALUES (?,?,?,?,?)", values)
        elif self.answers_path.exists():
            # An answer that was kept earlier is no longer the row's; nobody may score or show it.
            with self._kept() as connection, connection:
                gone = [(asking, r.row) for r in rows]
                connection.executemany("DELETE FROM answers WHERE asking = ? AND row = ?", gone)
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO answered_rows VALUES (?, ?, ?, ?, ?)",
                [(asking, r.row, json.dumps(r.record), r.finish, at_s) for r in rows],
            )

    def kept_answers(self, asking: int) -> dict[str, str]:
        """Return the answers that were kept, by row key."""
        if not self.answers_path.exists():
            return {}
        with self._kept() as connection:
            sql = "SELECT row, answered FROM answers WHERE asking = ?"
            return dict(connection.execute(sql, [asking]).fetchall())

    @property
    def answers_path(self) -> Path:
        """The file that answers are kept in; there may be none."""
        return self.path.with_name(self.path.name + ".answers")

    @contextmanager
    def _kept(self) -> Iterator[sqlite3.Connection]:
        path = self.answers_path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)  # also where somebody opened it up, or copied it back
            with closing(sqlite3.connect(path, timeout=10.0)) as connection:
                connection.execute(_ANSWERS)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise RegistryError(
                f"{path}: {error}; make it readable and writable, or remove it: it holds only the "
                "answers that evaluate.keep_answers asks for"
            ) from error

    # --- evaluations -----------------------------------------------------------------------

    def record_evaluation(
        self,
        job: Job,
        *,
        values: Mapping[str, Any],
        rows: Sequence[tuple[int, str]],
        at_s: float,
        actor: Actor,
    ) -> int:
        """Write down one evaluation and which rows it is of, as (line, key); return its id.

        `values`: the columns of `evaluations`, those of JSON as plain data.
        """
        plain = {k: json.dumps(v) if k in _JSON and v is not None else v for k, v in values.items()}
        plain |= {"job_id": job.id, "rows": len(rows), "at_s": at_s, "who": actor.who}
        columns, marks = ", ".join(plain), ", ".join("?" * len(plain))
        with self._transaction() as connection:
            found = connection.execute(
                f"INSERT INTO evaluations ({columns}) VALUES ({marks})",  # noqa: S608
                list(plain.values()),
            )
            evaluation = int(found.lastrowid or 0)
            connection.executemany(
                "INSERT INTO evaluation_rows VALUES (?, ?, ?, ?)",
                [(evaluation, place, line, key) for place, (line, key) in enumerate(rows)],
            )
            verdict = f": {values['verdict']}" if values.get("verdict") else ""
            self._event(
                "evaluated",
                job.experiment,
                job_id=job.id,
                at_s=at_s,
                actor=actor,
                detail=f"{values.get('target')} on {len(rows)} rows of {values['split']}{verdict}",
            )
        return evaluation

    def evaluations(self, job_id: int | None = None) -> list[dict[str, Any]]:
        """Return recorded evaluations, oldest first.

        `intervals`: metric -> [low, high], 95%. `baselines`: `copy` and `majority`, each with its
        scores. `confusion`, `entities`: None where no metric is of classes or placeholders.
        """
        where, values = ("WHERE job_id = ?", [job_id]) if job_id is not None else ("", [])
        rows = self._all(f"SELECT * FROM evaluations {where} ORDER BY id", values)  # noqa: S608
        return [
            {k: json.loads(v) if k in _JSON and v is not None else v for k, v in dict(row).items()}
            for row in rows
        ]

    def row_records(self, evaluation_id: int) -> list[dict[str, Any]]:
        """Return the rows of an evaluation in order: `line`, `row` (its key) and `scores`.

        `scores` is what was kept of the row: a number for a metric that is a mean over rows, else
        what its metrics are made of. It is that of the row's latest answer by these settings.
        """
        sql = (
            "SELECT e.line, e.row, a.record FROM evaluation_rows e "
            "JOIN evaluations v ON v.id = e.evaluation "
            "JOIN answered_rows a ON a.asking = v.asking AND a.row = e.row "
            "WHERE e.evaluation = ? ORDER BY e.place"
        )
        return [
            {"line": line, "row": row, "scores": json.loads(record)}
            for line, row, record in self._all(sql, [evaluation_id])
        ]

    def answers(self, evaluation_id: int, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the kept answers of an evaluation in the rows' order.

        Keys: line, expected, answered, scores. [] where the spec did not say to keep them.
        """
        asking = self._one("SELECT asking FROM evaluations WHERE id = ?", [evaluation_id])
        if asking is None or asking[0] is None or not self.answers_path.exists():
            return []
        with self._kept() as connection:
            sql = "SELECT row, expected, answered FROM answers WHERE asking = ?"
            kept = {row: texts for row, *texts in connection.execute(sql, [asking[0]])}
        found = [
            {
                "line": entry["line"],
                "expected": kept[entry["row"]][0],
                "answered": kept[entry["row"]][1],
                "scores": entry["scores"],
            }
            for entry in self.row_records(evaluation_id)
            if entry["row"] in kept
        ]
        return found[:limit]
