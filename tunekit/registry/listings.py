"""Many jobs at once, as plain rows: what `status`, `history` and `why` choose from.

A row holds only what rows are sorted and filtered by. What is then shown is read job by job, so a
page of 10,000 jobs costs what a page costs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from tunekit.model import Job, Phase, RecordedTrial
from tunekit.registry.reads import Reads, to_job

_HISTORY_KEYS = (
    *("job", "id", "experiment", "phase", "state", "submitted_s", "ended_s", "took_s", "who"),
    *("command", "commit", "is_dirty", "provider", "base_model", "attempt", "loss", "why", "tags"),
    *("estimate", "data_stats"),
)
_CURRENT_KEYS = (
    *("trial_name", "of_experiment", "of_trial", "desired_state", "is_protected", "tags", "id"),
    *("provider", "base_model", "state", "completed_steps", "total_steps", "loss"),
    *("submitted_s", "started_s", "ended_s", "detail", "error"),
)
# As many as a page may have; SQLite takes 32,766 values in one question.
_MOST_ASKED = 500


class Listings(Reads):
    """Every listing of jobs."""

    def current_jobs(self) -> list[dict[str, Any]]:
        """Return a row a trial, by name: its current job, whose keys are None where it has none."""
        order = "ORDER BY of_experiment, of_trial"
        return [_with_tags(row) for row in self._rows("current_jobs", _CURRENT_KEYS, order)]

    def job_history(
        self, experiments: Collection[str] = (), *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return a row a job, newest first, with who asked for it; of some experiments only."""
        order = f"{_among(experiments)} ORDER BY id DESC LIMIT {-1 if limit is None else limit}"
        rows = self._rows("job_history", _HISTORY_KEYS, order, list(experiments))
        return [_with_cost(_with_tags(row)) for row in rows]

    def count_jobs(self, experiments: Collection[str] = ()) -> int:
        """Return how many rows `job_history` has."""
        sql = f"SELECT count(*) FROM jobs {_among(experiments)}"  # noqa: S608
        return int(self._one(sql, experiments)[0])

    def made(self, model: str) -> list[dict[str, Any]]:
        """Return rows of `job_history` of the jobs that made a model, newest first.

        `model` is a model, an endpoint, a checkpoint's model or a job by its provider's name; or
        how one of these ends: `endpoints/7` is `projects/P/locations/L/endpoints/7`. A model
        without its @VERSION is any version of it.
        """
        literal = model.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        forms = [literal, f"{literal}@%", f"%/{literal}", f"%/{literal}@%"]
        places = ("model", "endpoint", "name", "saved.value ->> '$.model'")
        like = {
            place: " OR ".join([f"{place} LIKE ? ESCAPE '\\'"] * len(forms)) for place in places
        }
        saved = like.pop(places[-1])
        condition = (
            f"WHERE token = ? OR {' OR '.join(like.values())} OR EXISTS (SELECT 1 "  # noqa: S608
            f"FROM json_each(checkpoints) AS saved WHERE {saved}) ORDER BY id DESC"
        )
        values = [model, *forms * len(places)]
        rows = self._rows("job_history", _HISTORY_KEYS, condition, values)
        return [_with_cost(_with_tags(row)) for row in rows]

    def jobs_of(self, ids: Collection[int]) -> dict[int, Job]:
        """Return jobs by their ids."""
        found = {}
        for batch in _batches(list(ids)):
            marks = ", ".join("?" * len(batch))
            rows = self._all(f"SELECT * FROM jobs WHERE id IN ({marks})", batch)  # noqa: S608
            found.update({row["id"]: to_job(row) for row in rows})
        return found

    def trials_of(self, keys: Collection[tuple[str, str]]) -> list[RecordedTrial]:
        """Return trials by experiment and key, in that order; those that are not there left out."""
        if len(keys) > _MOST_ASKED:
            found = {(trial.experiment, trial.key): trial for trial in self.trials()}
        else:
            found = {key: trial for key in keys for trial in self.trials(of=key)}
        return [found[key] for key in keys if key in found]

    def experiments_of(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return the records of some experiments, as `experiments` does of all."""
        marks = ", ".join("?" * len(names))
        rows = self._all(f"SELECT * FROM experiments WHERE name IN ({marks})", names)  # noqa: S608
        return {row["name"]: {**dict(row), "tags": _tags(row["tags"] or "{}")} for row in rows}

    def names(self) -> list[str]:
        """Return what every recorded trial is called."""
        return [row[0] for row in self._all("SELECT trial_name FROM current_jobs ORDER BY 1")]

    def _rows(
        self, view: str, keys: Collection[str], rest: str, values: Collection[Any] = ()
    ) -> Iterator[dict[str, Any]]:
        columns = ", ".join(f'"{key}"' for key in keys)
        for row in self._all(f"SELECT {columns} FROM {view} {rest}", values):  # noqa: S608
            yield dict(zip(keys, row, strict=True))


def _with_tags(row: dict[str, Any]) -> dict[str, Any]:
    row["tags"] = _tags(row["tags"] or "{}")
    return row


def _with_cost(row: dict[str, Any]) -> dict[str, Any]:
    estimate, counted = row.pop("estimate"), row.pop("data_stats")
    is_paid = row["phase"] != Phase.ABSENT  # what never reached the provider cost nothing
    cost = _cost(estimate, counted) if is_paid else (None, False)
    row["cost_usd"], row["is_cost_counted"] = cost
    return row


def _among(experiments: Collection[str]) -> str:
    marks = ", ".join("?" * len(experiments))
    return f"WHERE experiment IN ({marks})" if experiments else ""


def _batches(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _MOST_ASKED):
        yield ids[start : start + _MOST_ASKED]


@cache
def _tags(text: str) -> dict[str, str]:
    """Return an experiment's tags; many jobs share them."""
    found: dict[str, str] = json.loads(text)
    return found


def _cost(estimate: str | None, counted: str | None) -> tuple[float | None, bool]:
    """Return dollars by the price of when a job was submitted, and whether its tokens are counted.

    None where there is no price, or nobody knows for how many epochs.
    """
    if not estimate:
        return None, False
    about = json.loads(estimate)
    stats, price = json.loads(counted or "{}"), about.get("price")
    tokens, epochs = stats.get("billable_tokens"), stats.get("epochs") or about.get("epochs")
    if price and tokens and epochs:
        return tokens * epochs * price["usd_per_million_tokens"] / 1e6, True
    return about.get("usd"), False
