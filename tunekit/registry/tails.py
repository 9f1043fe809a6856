"""How losses went, of many jobs at once and at a bounded price: what a sparkline needs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from tunekit.model import MEAN_LOSS, PREFERENCE_LOSS, TRAIN_LOSS
from tunekit.registry.listings import Listings

# A stretch is averaged over its last points, not all: a curve may have a million.
_POINTS_A_STRETCH = 8

# Each line is an index look-up a job; nothing depends on how many points a job has.
_STRETCHES = """
WITH chosen AS (
    SELECT job.value AS job_id, CASE
        WHEN EXISTS (SELECT 1 FROM metric_points p WHERE p.job_id = job.value AND metric = :loss)
            THEN :loss
        WHEN EXISTS (SELECT 1 FROM metric_points p WHERE p.job_id = job.value AND metric = :own)
            THEN :own
        ELSE :mean END AS metric
    FROM json_each(:jobs) job
), ends AS (
    SELECT job_id, metric,
        (SELECT min(step) FROM metric_points p WHERE p.job_id = c.job_id AND p.metric = c.metric)
            AS first,
        (SELECT max(step) + 1 FROM metric_points p
            WHERE p.job_id = c.job_id AND p.metric = c.metric) AS past
    FROM chosen c
)
SELECT job_id, (
    SELECT avg(value) FROM (
        SELECT value FROM metric_points p
        WHERE p.job_id = e.job_id AND p.metric = e.metric
            AND p.step >= first + (past - first) * place.value / :count
            AND p.step < first + (past - first) * (place.value + 1) / :count
        ORDER BY p.step DESC LIMIT :most
    )
) FROM ends e, json_each(:places) place WHERE first IS NOT NULL ORDER BY job_id, place.value
"""


class Tails(Listings):
    """Short forms of curves."""

    def loss_tails(self, job_ids: Sequence[int], *, count: int) -> dict[int, list[float]]:
        """Return at most `count` levels of each job's training loss, evenly over its way so far.

        One query; jobs without points are left out, and stretches without one.
        """
        rows = self._all(
            _STRETCHES,
            {
                "jobs": json.dumps(list(job_ids)),
                "places": json.dumps(list(range(count))),
                "count": count,
                "most": _POINTS_A_STRETCH,
                "loss": TRAIN_LOSS,
                "own": PREFERENCE_LOSS,
                "mean": MEAN_LOSS,
            },
        )
        tails: dict[int, list[float]] = {}
        for job_id, level in rows:
            if level is not None and math.isfinite(level):
                tails.setdefault(job_id, []).append(level)
        return tails
