"""Reports as the tests need them: a team's, a hostile one, a large one."""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import replace
from typing import Any

from tunekit.evaluate.advice import Advice
from tunekit.report.model import Answer, Difference, JobPage, Report, Scorecard, Series

MADE_S = 1_795_000_000.0
# What a server, a model or a row may hold; all of it must stay text.
HOSTILE = (
    '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">'
    "<!--<script>\u202eevil\u2028{{7*7}}${7*7}'\""
)


def curve(
    chart: str, split: str, *, steps: int, every: int = 1, start: float, end: float, seed: int = 1
) -> Series:
    """Return a series that goes from `start` towards `end`, training with noise."""
    chance = random.Random(seed)
    noise = 0.18 if split == "train" and chart == "loss" else 0.02
    at = range(every, steps + 1, every)
    values = [
        end + (start - end) * math.exp(-4 * step / steps) * (1 + noise * chance.gauss(0, 1))
        for step in at
    ]
    return Series(chart, split, array("q", at), array("d", values))


def job(number: int = 1, name: str = "pii-masking", **changes: Any) -> JobPage:
    """Return a job that was tuned, with curves, scores and lineage."""
    steps = changes.pop("steps", 1425)
    end = changes.pop("end", 0.03)
    began_s = MADE_S - 86_400 * (9 - number)
    made = JobPage(
        title=f"{name}@{number}",
        experiment=name,
        state="SUCCEEDED",
        provider="vertex",
        base_model="gemini-3.5-flash",
        submitted_s=began_s,
        description="Mask personal data in support messages",
        tags={"team": "privacy", "stage": "pilot"},
        started_s=began_s + 120,
        ended_s=began_s + 2520 + 60 * number,
        completed_steps=steps,
        total_steps=steps,
        loss=end + 0.002,
        cost_usd=8.4 + number / 10,
        who="ana@laptop",
        command="tunekit apply -y",
        commit="4be1c0ffee5ca1ab1e00d1ed0ddba11acce55ed0",
        is_dirty=number == 1,
        why="tuning.epochs changed" if number > 1 else "new",
        path="experiments/pii.yaml:1:1",
        revision="9f2c1b7a" * 8,
        remote="projects/p/locations/us-central1/tuningJobs/4611686018427387904",
        model="projects/p/locations/us-central1/models/8113@1",
        endpoint="projects/p/locations/us-central1/endpoints/5512",
        checkpoints=(("1", 1, steps // 3), ("2", 2, 2 * steps // 3), ("3", 3, steps)),
        source="data/pii.jsonl",
        fingerprint="5d41402abc4b2a76b9719d911017c592",
        splits={"train": 1900, "validation": 100, "test": 200},
        spec={
            "name": name,
            "provider": "vertex",
            "base_model": "gemini-3.5-flash",
            "dataset.source.path": "data/pii.jsonl",
            "dataset.prompt": "Mask the personal data.\n\nInput:\n{input}\n\nOutput:",
            "dataset.split.train": 1900,
            "tuning.epochs": 2 + number,
            "tuning.adapter_size": 4,
            "evaluate.metrics": "exact_match, token_f1, leak_rate",
        },
        series=(
            curve("loss", "train", steps=steps, start=2.1, end=end, seed=number),
            curve("loss", "validation", steps=steps, every=steps // 5, start=1.7, end=end * 1.6),
            curve("accuracy", "train", steps=steps, start=0.42, end=0.97, seed=number + 7),
            curve("accuracy", "validation", steps=steps, every=steps // 5, start=0.5, end=0.95),
        ),
        scorecards=(scorecard("tuned", 0.95 - end, 0.01), scorecard("base", 0.41, 0.19)),
        advice=(
            Advice(
                rule="plateau",
                severity="info",
                fact="the last epoch took 0.4% off the training loss",
                remedy="epochs: 2 would have done",
                numbers={"epoch": 3.0},
            ),
        ),
    )
    return replace(made, **changes)


def scorecard(target: str, value: float, leak: float, **changes: Any) -> Scorecard:
    """Return scores on 200 rows, beside those that need no model."""
    f1 = (1 + value) / 2
    made = Scorecard(
        target=target,
        split="test",
        rows=200,
        scores={"exact_match": value, "token_f1": f1, "leak_rate": leak},
        intervals={
            "exact_match": (value - 0.04, min(value + 0.03, 1.0)),
            "token_f1": (f1 - 0.02, min(f1 + 0.02, 1.0)),
            "leak_rate": (max(leak - 0.01, 0.0), leak + 0.02),
        },
        baselines={
            "copy": {"exact_match": 0.07, "token_f1": 0.61, "leak_rate": 1.0},
            "majority": {"exact_match": 0.01, "token_f1": 0.12, "leak_rate": 0.0},
        },
    )
    if target == "tuned":
        made = replace(
            made,
            verdict="promoted",
            promote_if="exact_match >= 0.9 and leak_rate <= 0.02",
            differences=(
                Difference("exact_match", "base", value - 0.41, 2e-9),
                Difference("leak_rate", "base", leak - 0.19, 0.013),
            ),
            entities={
                "NAME": {"precision": 0.99, "recall": 0.97, "f1": 0.98, "expected": 120.0},
                "CITY": {"precision": 0.96, "recall": 0.76, "f1": 0.85, "expected": 38.0},
            },
            answers=(
                Answer(12, "Call [NAME] on [PHONE].", "Call [NAME] on [PHONE].", True),
                Answer(31, "[NAME] moved to [CITY].", "[NAME] moved to Leeds.", False),
            ),
        )
    return replace(made, **changes)


def team() -> Report:
    """Return what a team has after a fortnight: every state, a child, classes, one failure."""
    child = job(
        3, end=0.012, parent="pii-masking@2", base_model="projects/p/locations/us/models/8113@1"
    )
    labels = ("card lost", "card stolen", "refund", "top up")
    counts = [[0, 0, 40], [0, 1, 7], [1, 1, 38], [1, 0, 9], [2, 2, 50], [3, 3, 44], [3, None, 2]]
    tickets = job(
        4,
        "tickets",
        provider="local",
        base_model="text-classifier",
        end=0.2,
        tags={"team": "support"},
        description="Route tickets",
        scorecards=(
            Scorecard(
                target="tuned",
                split="test",
                rows=190,
                scores={"accuracy": 0.905, "macro_f1": 0.897},
                intervals={"accuracy": (0.86, 0.94), "macro_f1": (0.85, 0.93)},
                confusion={"labels": labels, "counts": counts},
            ),
        ),
        advice=(),
    )
    running = job(
        5,
        state="RUNNING",
        ended_s=None,
        completed_steps=620,
        scorecards=(),
        advice=(),
        model=None,
        endpoint=None,
        checkpoints=(),
        submitted_s=MADE_S - 1800,
        started_s=MADE_S - 1500,
    )
    failed = job(
        6,
        "summaries",
        state="FAILED",
        notice="the service refused 3 of 4,000 rows: longer than 131,072 tokens; see 7, 19, 23",
        scorecards=(),
        series=(),
        advice=(),
        loss=None,
        started_s=None,
        ended_s=None,
        tags={},
    )
    pending = replace(
        failed,
        title="summaries@7",
        state="PENDING",
        notice="waiting for quota",
        submitted_s=MADE_S - 60,
    )
    cancelled = job(8, "summaries", state="CANCELLED", notice="tunekit cancel", scorecards=())
    jobs = (pending, running, cancelled, failed, tickets, child, job(2, end=0.02), job(1))
    return Report(title="support-models", made_s=MADE_S, jobs=jobs)


def hostile() -> Report:
    """Return a report in which every foreign string tries to be more than text."""
    one = job(
        1,
        HOSTILE,
        state="FAILED",
        notice=HOSTILE,
        description=HOSTILE,
        tags={HOSTILE: HOSTILE},
        provider=HOSTILE,
        base_model=HOSTILE,
        who=HOSTILE,
        command=HOSTILE,
        commit=HOSTILE,
        why=HOSTILE,
        path=HOSTILE,
        remote=HOSTILE,
        model=HOSTILE,
        endpoint=HOSTILE,
        source=HOSTILE,
        spec={HOSTILE: HOSTILE},
        splits={HOSTILE: 3, "train": 5},
        checkpoints=((HOSTILE, 1, 2),),
        advice=(Advice(HOSTILE, "warning", HOSTILE, HOSTILE, {}),),
        scorecards=(
            scorecard(
                HOSTILE,
                0.5,
                0.1,
                split=HOSTILE,
                scores={HOSTILE: 0.5},
                intervals={HOSTILE: (0.4, 0.6)},
                baselines={HOSTILE: {HOSTILE: 0.1}},
                verdict=HOSTILE,
                promote_if=HOSTILE,
                entities={HOSTILE: {"f1": 0.5}},
                confusion={"labels": [HOSTILE, "b"], "counts": [[0, 1, 3]]},
                answers=(Answer(1, HOSTILE, HOSTILE[::-1], False),),
            ),
        ),
    )
    return Report(title=HOSTILE, made_s=MADE_S, jobs=(one, job(2)))


def large(count: int, *, steps: int = 1500) -> Report:
    """Return a report of so many jobs, each different from all others."""
    jobs = []
    for number in range(count):
        made = job(
            1,
            f"sweep-{number:03d}-of-the-learning-rate",
            steps=steps,
            end=0.02 + number / 9000,
            submitted_s=MADE_S - 400 * number,
            revision=f"{number:064x}",
            fingerprint=f"{number:032x}",
            remote=f"projects/p/locations/us-central1/tuningJobs/{number:019d}",
            model=f"projects/p/locations/us-central1/models/{number:019d}@1",
            endpoint=f"projects/p/locations/us-central1/endpoints/{number:019d}",
        )
        jobs.append(replace(made, spec={**made.spec, "tuning.learning_rate": 0.001 * (number + 1)}))
    return Report(title="sweep", made_s=MADE_S, jobs=tuple(jobs))
