"""Tuning that continues from another experiment's tuned model: when it may start, and from what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.test_plan import NOW_S, job, trial
from tunekit.model import (
    EVAL_LOSS,
    TRAIN_LOSS,
    Checkpoint,
    Job,
    JobState,
    Limits,
    MetricPoint,
    Parent,
    RecordedTrial,
    Trial,
)
from tunekit.plan import Action, Step, measured_parents, plan
from tunekit.plan.bases import best_checkpoint

CHECKPOINTS = tuple(Checkpoint(str(n), f"endpoints/{n}", epoch=n, step=n * 10) for n in (1, 2, 3))


def child(checkpoint: str = "last", *, name: str = "child", of: str = "x") -> Trial:
    made = trial(name=name)
    experiment = replace(made.experiment, parent=Parent(of, checkpoint))
    return Trial.of(experiment, made.dataset)


def tuned(revision: str = "A", state: JobState = JobState.SUCCEEDED) -> Job:
    ended = replace(job(1, revision, state), model="models/1", checkpoints=CHECKPOINTS)
    return replace(ended, has_all_points=state.is_terminal)


def recorded(*jobs: Job, name: str = "x", revision: str = "A") -> RecordedTrial:
    return RecordedTrial(name, "main", revision, {}, jobs)


def losses(*values: float, metric: str = EVAL_LOSS) -> list[MetricPoint]:
    return [MetricPoint(metric, 10 * n, value) for n, value in enumerate(values, 1)]


def step_of(
    wanted: list[Trial],
    known: list[RecordedTrial],
    points: dict[int, list[MetricPoint]] | None = None,
    *,
    name: str = "child",
) -> Step:
    steps = plan(wanted, known, now_s=NOW_S, points=points).steps
    return next(step for step in steps if step.name == name)


def base_of(step: Step) -> tuple[str, str | None]:
    assert step.trial is not None
    assert step.trial.base is not None
    return step.trial.base.model, step.trial.base.checkpoint


@pytest.mark.parametrize(
    ("wanted", "known", "why"),
    [
        ([trial("A"), child()], [], "x has no job yet"),
        ([child()], [], "x has no job yet"),
        ([child()], [recorded(tuned(state=JobState.RUNNING))], "x@1 is RUNNING"),
        ([child()], [recorded(tuned(state=JobState.FAILED))], "x@1 is FAILED"),
        ([trial("B"), child()], [recorded(tuned())], "x is to be tuned anew"),
        ([child("9")], [recorded(tuned())], "x@1 has no checkpoint 9; it has: 1, 2, 3"),
        ([child("best")], [recorded(tuned())], "no loss on validation rows"),
        ([child(of="child")], [], "child is based on it in turn"),
        ([child(name="x", of="child"), child()], [], "x is based on it in turn"),
        ([child(name="x", of="top"), child()], [], "x waits for its own base model"),
    ],
)
def test_it_waits_and_says_for_what(
    wanted: list[Trial], known: list[RecordedTrial], why: str
) -> None:
    step = step_of(wanted, known)
    assert step.action is Action.WAIT
    assert why in step.reason


def test_it_starts_from_the_last_state_of_the_parent() -> None:
    step = step_of([trial("A"), child()], [recorded(tuned())])
    assert step.action is Action.SUBMIT
    assert base_of(step) == ("models/1", None)


def test_it_starts_from_a_checkpoint_by_its_id() -> None:
    assert base_of(step_of([child("2")], [recorded(tuned())])) == ("models/1", "2")


def test_the_best_checkpoint_is_the_one_of_the_lowest_validation_loss() -> None:
    known = [recorded(tuned())]
    wanted = [child("best")]
    assert [j.id for j in measured_parents(wanted, known)] == [1]
    step = step_of(wanted, known, {1: losses(0.5, 0.2, 0.4)})
    assert base_of(step) == ("models/1", "2")


def test_the_best_checkpoint_is_not_chosen_from_a_part_of_the_points() -> None:
    known = [recorded(replace(tuned(), has_all_points=False))]
    step = step_of([child("best")], known, {1: losses(0.5)})
    assert step.action is Action.WAIT
    assert "not every metric point of x@1" in step.reason


def test_a_limit_holds_while_the_parent_is_tuned_anew() -> None:
    made = child()
    limited = replace(made, experiment=replace(made.experiment, limits=Limits(max_duration_s=60)))
    running = replace(job(2, "old", JobState.RUNNING), experiment="child")
    known = recorded(running, name="child", revision="old")
    step = step_of([trial("B"), limited], [recorded(tuned()), known])
    assert step.action is Action.CANCEL
    assert "limits.max_duration" in step.reason


def test_training_loss_does_not_make_a_checkpoint_the_best() -> None:
    assert best_checkpoint(CHECKPOINTS, losses(3, 2, 1, metric=TRAIN_LOSS)) is None
    assert best_checkpoint(CHECKPOINTS, losses(0.3, 0.3, 0.3)) == CHECKPOINTS[0]


def test_a_parent_tuned_anew_tunes_the_child_anew() -> None:
    before = step_of([child()], [recorded(tuned())]).trial
    assert before is not None
    of_child = replace(job(2, before.digest, JobState.SUCCEEDED), experiment="child")
    child_known = replace(
        recorded(of_child, name="child", revision=before.digest),
        document=before.experiment.document,
        base_model="models/1",
    )
    same = step_of([child()], [recorded(tuned()), child_known])
    assert same.action is Action.NOOP
    newer = replace(tuned(), model="models/2")
    step = step_of([child()], [recorded(newer), child_known])
    assert step.action is Action.RETUNE
    assert "base model's tuning changed" in step.reason


def test_a_cancelled_child_waits_for_nothing() -> None:
    made = trial(name="child", state="cancelled")
    experiment = replace(made.experiment, parent=Parent("x"))
    assert step_of([Trial.of(experiment, made.dataset)], []).action is Action.NOOP
