"""The planner's table, by enumeration: every combination has one answer, and these hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tunekit.model import (
    DatasetSpec,
    EvaluationSpec,
    Experiment,
    Job,
    JobState,
    Lifecycle,
    Limits,
    Phase,
    PreparedDataset,
    RecordedTrial,
    Source,
    SplitInfo,
    Trial,
    Tuning,
)
from tunekit.plan import Action, Options, Step, decide, plan

NOW_S = 1_000_000.0
STARTING = {Action.SUBMIT, Action.RETRY, Action.RETUNE}


def dataset(train: str = "t1") -> PreparedDataset:
    return PreparedDataset(
        fingerprint=train, splits={"train": SplitInfo(10, 100, train)}, read=lambda _: iter(())
    )


def trial(revision: str = "A", *, name: str = "x", data: str = "t1", **changes: object) -> Trial:
    lifecycle = Lifecycle(**changes)  # type: ignore[arg-type]
    experiment = Experiment(
        name=name,
        provider="local",
        base_model="text-editor",
        dataset=DatasetSpec(
            source=Source(path="d.jsonl"), columns={}, prompt="{input}", split={"train": 10}
        ),
        tuning=Tuning(),
        evaluate=EvaluationSpec(),
        limits=Limits(),
        lifecycle=lifecycle,
        document={"name": name, "tuning": {"epochs": ord(revision)}},
    )
    return Trial(experiment, dataset(data), revision)


def job(number: int, revision: str, state: JobState, phase: Phase = Phase.BOUND) -> Job:
    return Job(
        id=number,
        experiment="x",
        trial="main",
        revision=revision,
        number=number,
        attempt=number,
        token=f"tk-{number}",
        provider="local",
        base_model="text-editor",
        phase=phase,
        state=state,
        reason="new",
        submitted_s=NOW_S - 100,
        started_s=NOW_S - 90,
        name=f"jobs/{number}" if phase is Phase.BOUND else None,
    )


def recorded(*jobs: Job, revision: str | None = None, **more: object) -> RecordedTrial:
    current = revision or (jobs[-1].revision if jobs else None)
    return RecordedTrial(
        experiment="x",
        key="main",
        revision=current,
        document={"name": "x", "tuning": {"epochs": ord(current)}} if current else {},
        jobs=jobs,
        training_identity=dataset().training_identity(),
        **more,  # type: ignore[arg-type]
    )


def step_for(
    wanted: Trial | None, known: RecordedTrial | None, options: Options | None = None
) -> Step | None:
    return decide("x", wanted, known, now_s=NOW_S, options=options or Options())


def action_for(
    wanted: Trial | None, known: RecordedTrial | None, options: Options | None = None
) -> Action | None:
    step = step_for(wanted, known, options)
    return step.action if step else None


OPEN = (JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN)
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

TABLE = [
    # wanted, recorded, what is decided
    (trial(), None, Action.SUBMIT),
    (trial(), recorded(), Action.SUBMIT),
    *((trial("A"), recorded(job(1, "A", state)), Action.NOOP) for state in OPEN),
    (trial("A"), recorded(job(1, "A", JobState.CANCELLING)), Action.WAIT),
    (trial("A"), recorded(job(1, "A", JobState.SUCCEEDED)), Action.NOOP),
    (trial("A"), recorded(job(1, "A", JobState.FAILED)), Action.HOLD),
    (trial("A", retries=1), recorded(job(1, "A", JobState.FAILED)), Action.RETRY),
    (
        trial("A", retries=1),
        recorded(job(1, "A", JobState.FAILED), job(2, "A", JobState.FAILED)),
        Action.HOLD,
    ),
    (trial("A"), recorded(job(1, "A", JobState.CANCELLED)), Action.HOLD),
    (
        trial("A"),
        recorded(job(1, "A", JobState.CANCELLED), desired_state="cancelled"),
        Action.RETRY,
    ),
    (trial("A"), recorded(job(1, "A", JobState.PENDING, Phase.INTENT)), Action.RESOLVE),
    (trial("B"), recorded(job(1, "A", JobState.PENDING, Phase.INTENT)), Action.RESOLVE),
    (trial("A"), recorded(job(1, "A", JobState.FAILED, Phase.ABSENT)), Action.SUBMIT),
    *((trial("B"), recorded(job(1, "A", state)), Action.RETUNE) for state in OPEN),
    *((trial("B"), recorded(job(1, "A", state)), Action.RETUNE) for state in ENDED),
    (trial("B"), recorded(job(1, "A", JobState.CANCELLING)), Action.RETUNE),
    *(
        (trial("B", on_change="finish"), recorded(job(1, "A", state)), Action.WAIT)
        for state in OPEN
    ),
    *(
        (trial("B"), recorded(job(1, "A", state), is_protected=True), Action.REFUSE)
        for state in OPEN
    ),
    (
        trial("A"),
        recorded(job(1, "A", JobState.SUCCEEDED), job(2, "B", JobState.SUCCEEDED)),
        Action.REUSE,
    ),
    (
        trial("A"),
        recorded(job(1, "A", JobState.SUCCEEDED), job(2, "B", JobState.RUNNING)),
        Action.REUSE,
    ),
    (
        trial("A"),
        recorded(job(1, "A", JobState.FAILED), job(2, "B", JobState.SUCCEEDED)),
        Action.RETUNE,
    ),
    (trial(state="cancelled"), None, Action.NOOP),
    *((trial(state="cancelled"), recorded(job(1, "A", s)), Action.CANCEL) for s in OPEN),
    *((trial("B", state="cancelled"), recorded(job(1, "A", s)), Action.CANCEL) for s in OPEN),
    *((trial(state="cancelled"), recorded(job(1, "A", s)), Action.NOOP) for s in ENDED),
    (trial(state="cancelled"), recorded(job(1, "A", JobState.CANCELLING)), Action.WAIT),
    (
        trial(state="cancelled"),
        recorded(job(1, "A", JobState.RUNNING), is_protected=True),
        Action.REFUSE,
    ),
    *((None, recorded(job(1, "A", state)), Action.UNMANAGED) for state in OPEN),
    *((None, recorded(job(1, "A", state)), None) for state in ENDED),
    (None, None, None),
]


@pytest.mark.parametrize(("wanted", "known", "expected"), TABLE)
def test_the_table_decides(
    wanted: Trial | None, known: RecordedTrial | None, expected: Action | None
) -> None:
    assert action_for(wanted, known) == expected


def lost(number: int, revision: str) -> Job:
    return replace(job(number, revision, JobState.FAILED), missing_since_s=NOW_S - 900)


def told_to_end(number: int, revision: str) -> Job:
    return replace(job(number, revision, JobState.FAILED), cancel_asked_s=NOW_S - 50)


def every_situation() -> Iterator[tuple[Trial | None, RecordedTrial | None, Options]]:
    """Every wanted revision, lifecycle and option, with every history of up to two jobs."""
    states = [(state, Phase.BOUND) for state in JobState]
    states += [(JobState.PENDING, Phase.INTENT), (JobState.FAILED, Phase.ABSENT)]
    pasts: list[tuple[Job, ...]] = [()]
    for revision, (state, phase) in itertools.product("AB", states):
        pasts.append((job(2, revision, state, phase),))
        pasts += [
            (job(1, first, earlier), job(2, revision, state, phase))
            for first, earlier in itertools.product("AB", ENDED)
        ]
    pasts += [(lost(1, "A"),), (lost(1, "B"),), (told_to_end(1, "A"),), (told_to_end(1, "B"),)]
    wishes: list[Trial | None] = [None]
    for state, change, retries in itertools.product(
        ("tuned", "cancelled"), ("replace", "finish"), (0, 2)
    ):
        wish = trial("A", state=state, on_change=change, retries=retries)
        limited = replace(wish.experiment, limits=Limits(max_duration_s=60))
        wishes += [wish, replace(wish, experiment=limited)]
    for wish, past, protected, before, prune, retry in itertools.product(
        wishes, pasts, (False, True), ("tuned", "cancelled"), (False, True), (False, True)
    ):
        names = frozenset({"x"}) if retry else frozenset()
        # A submit that never arrived gives the trial its former revision back.
        real = [j for j in past if j.phase is not Phase.ABSENT]
        revision = real[-1].revision if real else None
        known = recorded(*past, revision=revision, is_protected=protected, desired_state=before)
        yield wish, known, Options(prune=prune, retry=names)


def is_real(job: Job) -> bool:
    return job.phase is not Phase.ABSENT


def test_every_situation_has_an_answer_that_keeps_the_promises() -> None:
    seen = 0
    for wish, known, options in every_situation():
        step = step_for(wish, known, options)  # AssertionError where the table has a hole
        seen += 1
        if step is None:
            continue
        current = known.current() if known else None
        is_open = current is not None and current.is_open
        if step.action in STARTING:
            # Never two jobs of one trial: what runs is named as what must end first.
            assert not is_open or step.cancels == current, step
            assert wish is not None
            assert wish.experiment.lifecycle.state == "tuned"
            # An attempt that reached a provider is never made again under its token.
            jobs = known.jobs if known else ()
            used = {j.attempt for j in jobs if j.revision == wish.digest and is_real(j)}
            assert step.attempt not in used, step
        if step.cancels is not None and known is not None:
            assert not known.is_protected or step.cancels.state is JobState.CANCELLING, step
        if wish is None and not options.prune:
            assert step.action in (Action.UNMANAGED, Action.WAIT), step
        assert step.reason
    assert seen > 5000


def test_where_no_job_can_be_cancelled_none_is_and_each_ends_by_itself() -> None:
    stuck, seen = frozenset({"local"}), 0
    for wish, known, options in every_situation():
        step = step_for(wish, known, replace(options, cannot_cancel=stuck))
        could = step_for(wish, known, options)
        if step is None or could is None:
            continue
        is_leaving = step.cancels is not None and step.cancels.state is JobState.CANCELLING
        assert step.cancels is None or is_leaving, step
        if could.cancels is not None and could.cancels.state is not JobState.CANCELLING:
            assert step.action in (Action.HOLD, Action.WAIT), step
            assert "can't cancel jobs" in step.reason
            seen += 1
    assert seen > 100


def test_a_revision_that_succeeded_is_never_paid_for_again() -> None:
    for wish, known, options in every_situation():
        step = step_for(wish, known, options)
        if step is None or wish is None or known is None or options.retry:
            continue
        mine = [j for j in known.jobs if j.revision == wish.digest]
        done = [j for j in mine if j.phase is not Phase.ABSENT]
        if done and done[-1].state is JobState.SUCCEEDED:
            assert step.action not in STARTING, step


def test_a_plan_after_its_own_outcome_is_empty() -> None:
    wanted = trial("A")
    after = recorded(job(1, "A", JobState.RUNNING))
    assert not plan([wanted], [after], now_s=NOW_S).has_changes


def test_reasons_name_what_changed() -> None:
    step = step_for(trial("B"), recorded(job(1, "A", JobState.SUCCEEDED)))
    assert step is not None
    assert step.reason == "re-tunes: tuning.epochs changed"
    assert step.changes == ("tuning.epochs",)


def test_rows_that_changed_behind_an_unchanged_spec_are_named() -> None:
    wanted = replace(trial("A", data="t2"), digest="B")
    known = recorded(job(1, "A", JobState.SUCCEEDED))
    assert step_for(wanted, known).reason == "re-tunes: dataset rows changed"  # type: ignore[union-attr]


def test_tags_never_retune() -> None:
    wanted = trial("A")
    document = {**wanted.experiment.document, "tags": {"team": "privacy"}}
    wanted = replace(wanted, experiment=replace(wanted.experiment, document=document))
    step = step_for(wanted, recorded(job(1, "A", JobState.SUCCEEDED)))
    assert step is not None
    assert (step.action, step.reason) == (Action.UPDATE, "tags only, nothing re-tunes")


def test_a_job_past_its_duration_is_cancelled() -> None:
    wanted = trial("A")
    limited = replace(wanted.experiment, limits=Limits(max_duration_s=60))
    step = step_for(replace(wanted, experiment=limited), recorded(job(1, "A", JobState.RUNNING)))
    assert step is not None
    assert step.action is Action.CANCEL
    assert step.cancels is not None


def test_retry_starts_another_attempt_of_a_cancelled_job() -> None:
    known = recorded(job(1, "A", JobState.CANCELLED))
    step = step_for(trial("A"), known, Options(retry=frozenset({"x"})))
    assert step is not None
    assert (step.action, step.attempt) == (Action.RETRY, 2)


def test_a_lost_job_is_never_retried_by_itself() -> None:
    known = recorded(lost(1, "A"))
    assert action_for(trial("A", retries=5), known) is Action.HOLD
    assert action_for(trial("A"), known, Options(retry=frozenset({"x"}))) is Action.RETRY


def test_a_job_that_failed_because_it_was_told_to_end_is_not_retried() -> None:
    assert action_for(trial("A", retries=5), recorded(told_to_end(1, "A"))) is Action.HOLD


def test_a_submit_that_never_arrived_is_made_again_under_its_attempt() -> None:
    known = recorded(
        job(1, "A", JobState.SUCCEEDED),
        job(2, "B", JobState.FAILED, Phase.ABSENT),
        revision="A",
    )
    step = step_for(trial("B"), known)
    assert step is not None
    assert (step.action, step.attempt) == (Action.RETUNE, 2)
    assert "was never accepted" in step.reason
    assert action_for(trial("A"), known) is Action.NOOP


def test_prune_cancels_what_no_file_names() -> None:
    known = recorded(job(1, "A", JobState.RUNNING))
    assert action_for(None, known, Options(prune=True)) is Action.CANCEL
    protected = recorded(job(1, "A", JobState.RUNNING), is_protected=True)
    assert action_for(None, protected, Options(prune=True)) is Action.REFUSE


def test_the_checksum_follows_the_decisions() -> None:
    first = plan([trial("A")], [], now_s=NOW_S)
    assert first.checksum() == plan([trial("A")], [], now_s=NOW_S + 5).checksum()
    assert first.checksum() != plan([trial("B")], [], now_s=NOW_S).checksum()
    # What only looks different is the same plan; what would be recorded otherwise is not.
    known = recorded(job(1, "B", JobState.PENDING))
    moved = recorded(job(1, "B", JobState.RUNNING))
    other = replace(trial("A", name="y"), key="main")
    plans = [plan([trial("B"), other], [k], now_s=NOW_S).checksum() for k in (known, moved)]
    assert plans[0] == plans[1]
    dear = replace(trial("A"), experiment=replace(trial("A").experiment, document={"limits": 1}))
    assert plan([dear], [], now_s=NOW_S).checksum() != first.checksum()
