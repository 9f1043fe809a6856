"""What a report takes from the registry, and what it reads again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_plan import trial
from tunekit.model import (
    EVAL_LOSS,
    MEAN_LOSS,
    TRAIN_LOSS,
    Actor,
    Checkpoint,
    Cost,
    DataStats,
    Job,
    JobState,
    MetricPoint,
    Observation,
    Price,
    Trial,
    TunedBase,
)
from tunekit.registry import Registry
from tunekit.registry.evaluations import AnsweredRow
from tunekit.report import Gatherer, Report

ACTOR = Actor(who="ana@ci", command="tunekit apply", commit="c0ffee", is_dirty=True)


# The columns of an evaluation of two rows.
EVALUATION = {
    "model": "m",
    "split": "test",
    "split_digest": "d",
    "generation": {},
    "intervals": {},
    "baselines": {},
    "confusion": None,
    "entities": None,
    "differences": [],
    "verdict": None,
    "promote_if": None,
}


def evaluated(registry: Registry, job: Job, *, keep: bool = False, **changes: Any) -> None:
    """Record an evaluation whose second answer is wrong."""
    target = changes["target"]
    asking = registry.asking(provider="local", model=target, generation={"n": len(changes)})
    rows = [
        AnsweredRow(row="a" * 32, line=1, record={"exact_match": 1.0}, expected="a", answered="a"),
        AnsweredRow(row="b" * 32, line=2, record={"exact_match": 0.0}, expected="b", answered="c"),
    ]
    registry.record_answers(asking, rows, keep=keep, at_s=8.0)
    registry.record_evaluation(
        job,
        values={**EVALUATION, **changes, "asking": asking},
        rows=[(row.line, row.row) for row in rows],
        at_s=9.0,
        actor=ACTOR,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / ".tunekit/registry.db") as opened:
        yield opened


def ended(registry: Registry, wanted: Trial, *, model: str = "models/1", at_s: float = 1.0) -> Job:
    job = registry.write_intent(wanted, attempt=1, reason="new", at_s=at_s, actor=ACTOR)
    seen = Observation(
        name=f"jobs/{job.token}",
        token=job.token,
        state=JobState.SUCCEEDED,
        model=model,
        checkpoints=(Checkpoint("1", f"{model}@1", 1, 10),),
    )
    return registry.record_observation(job, seen, at_s=at_s + 1, actor=ACTOR)


def report_of(registry: Registry, gatherer: Gatherer | None = None) -> Report:
    gatherer = gatherer or Gatherer(registry)
    jobs = registry.jobs()
    return gatherer.report(jobs, among=jobs, title="x", made_s=9.0)


@pytest.mark.parametrize("model", ["models/1", "models/1@1"])
def test_a_model_tuned_further_names_the_job_it_came_from(registry: Registry, model: str) -> None:
    ended(registry, trial(name="parent"))
    child = replace(trial(name="child"), base=TunedBase(model))
    ended(registry, child, model="models/2", at_s=5.0)
    first, second = report_of(registry).jobs
    assert (first.title, first.parent, first.base_model) == ("child@1", "parent@1", model)
    assert (second.title, second.parent) == ("parent@1", None)


def test_a_job_says_who_asked_for_it_and_on_which_commit(registry: Registry) -> None:
    ended(registry, trial())
    page = report_of(registry).jobs[0]
    assert (page.who, page.command, page.commit, page.is_dirty, page.why) == (
        *("ana@ci", "tunekit apply", "c0ffee", True, "new"),
    )
    assert page.spec == {"name": "x", "tuning.epochs": ord("A")}


@pytest.mark.parametrize(
    ("stats", "shown"),
    [
        (None, (6.0, False)),
        (DataStats(rows=10, billable_tokens=250_000, epochs=3), (7.5, True)),
        (DataStats(rows=10, billable_tokens=250_000), (7.5, True)),
        (DataStats(rows=10), (6.0, False)),
    ],
)
def test_a_cost_is_of_counted_tokens_where_the_service_counted(
    registry: Registry, stats: DataStats | None, shown: tuple[float, bool]
) -> None:
    price = Price(usd_per_million_tokens=10.0, source="the price list")
    estimate = Cost(200_000, 150_000, 250_000, epochs=3, price=price)
    job = registry.write_intent(
        trial(), attempt=1, reason="new", at_s=1.0, actor=ACTOR, estimate=estimate
    )
    seen = Observation(name="jobs/1", token=job.token, state=JobState.SUCCEEDED, data_stats=stats)
    registry.record_observation(job, seen, at_s=2.0, actor=ACTOR)
    page = report_of(registry).jobs[0]
    assert (page.cost_usd, page.is_cost_counted) == shown


def test_evaluations_come_with_all_that_judges_them(registry: Registry) -> None:
    job = ended(registry, trial())
    evaluated(registry, job, target="base", scores={"exact_match": 0.1})
    evaluated(registry, job, target="tuned", scores={"exact_match": 0.2})
    evaluated(
        registry,
        job,
        keep=True,
        target="tuned",
        scores={"exact_match": 0.5},
        intervals={"exact_match": [0.1, 0.9]},
        baselines={"copy": {"exact_match": 0.0}},
        differences=[{"metric": "exact_match", "than": "base", "difference": 0.4, "p_value": 0.5}],
        entities={"NAME": {"f1": 0.5}},
        verdict="refused",
        promote_if="exact_match > 0.9",
    )
    tuned, base = report_of(registry).jobs[0].scorecards
    assert (tuned.target, base.target) == ("tuned", "base")
    # The latest of a target counts.
    assert tuned.scores == {"exact_match": 0.5}
    assert tuned.intervals == {"exact_match": (0.1, 0.9)}
    assert tuned.baselines == {"copy": {"exact_match": 0.0}}
    assert (tuned.verdict, tuned.promote_if) == ("refused", "exact_match > 0.9")
    assert tuned.differences[0].p_value == 0.5
    assert [(a.expected, a.answered, a.is_right) for a in tuned.answers] == [
        *(("b", "c", False), ("a", "a", True))  # the wrong ones first
    ]
    assert tuned.entities == {"NAME": {"f1": 0.5}}
    assert base.answers == ()


def test_curves_are_read_again_only_where_there_are_more_points(registry: Registry) -> None:
    job = ended(registry, trial())
    gatherer = Gatherer(registry)
    points = [MetricPoint(TRAIN_LOSS, step, 1 / step) for step in (1, 2)]
    registry.record_points(job.id, points)
    first = report_of(registry, gatherer).jobs[0]
    assert list(first.series[0].values) == [1.0, 0.5]
    assert report_of(registry, gatherer).jobs[0].series is first.series
    registry.record_points(job.id, [MetricPoint(EVAL_LOSS, 2, 0.4)])
    second = report_of(registry, gatherer).jobs[0]
    assert [(s.split, list(s.values)) for s in second.series] == [
        *(("train", [1.0, 0.5]), ("validation", [0.4]))
    ]


def test_epoch_means_stand_in_only_where_steps_are_not_told(registry: Registry) -> None:
    job = ended(registry, trial())
    registry.record_points(job.id, [MetricPoint(MEAN_LOSS, 10, 0.7)])
    assert [s.split for s in report_of(registry).jobs[0].series] == ["train, epoch means"]
    registry.record_points(job.id, [MetricPoint(TRAIN_LOSS, 10, 0.6)])
    assert [s.split for s in report_of(registry).jobs[0].series] == ["train"]
