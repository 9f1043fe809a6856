"""What a TuningJob's JSON means: every state, odd answers, and what a published job looked like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.emulator import documents
from tests.providers.support import JOB, TOKEN
from tunekit.model import JobState
from tunekit.providers.vertex import answers

DONE = {"tunedModel": {"model": "projects/7/locations/l/models/5@1", "endpoint": "e"}}


def test_all_twelve_states_of_the_document_have_a_meaning() -> None:
    schema = documents.document("aiplatform.v1beta1")["schemas"]
    job = schema["GoogleCloudAiplatformV1beta1TuningJob"]["properties"]
    assert set(answers.STATES) == set(job["state"]["enum"])
    assert len(answers.STATES) == 12
    assert set(answers.DETAILS) == set(job["tuningJobState"]["enum"])


@pytest.mark.parametrize(
    ("written", "state", "is_terminal"),
    [
        ("UNSPECIFIED", JobState.UNKNOWN, False),
        ("QUEUED", JobState.PENDING, False),
        ("PENDING", JobState.PENDING, False),
        ("RUNNING", JobState.RUNNING, False),
        ("SUCCEEDED", JobState.SUCCEEDED, True),
        ("FAILED", JobState.FAILED, True),
        ("CANCELLING", JobState.CANCELLING, False),
        ("CANCELLED", JobState.CANCELLED, True),
        ("PAUSED", JobState.PENDING, False),
        ("EXPIRED", JobState.FAILED, True),
        ("UPDATING", JobState.RUNNING, False),
        ("PARTIALLY_SUCCEEDED", JobState.SUCCEEDED, True),
        ("OF_THE_FUTURE", JobState.UNKNOWN, False),
    ],
)
def test_each_state_is_mapped(written: str, state: JobState, is_terminal: bool) -> None:
    seen = answers.observation({"name": JOB, "state": f"JOB_STATE_{written}", **DONE})
    assert seen.state is state
    assert seen.state.is_terminal is is_terminal


@pytest.mark.parametrize("state", [None, 7, [], "", "RUNNING", {"a": 1}])
def test_what_is_no_state_is_unknown(state: Any) -> None:
    seen = answers.observation({"name": JOB, "state": state})
    assert seen.state is JobState.UNKNOWN
    assert seen.detail.startswith("the service says")


def test_a_partial_success_without_an_endpoint_failed() -> None:
    error = {"code": 13, "message": "No checkpoint."}
    job = {"name": JOB, "state": "JOB_STATE_PARTIALLY_SUCCEEDED", "error": error}
    assert answers.observation(job).state is JobState.FAILED
    kept = answers.observation({**job, **DONE})
    assert kept.state is JobState.SUCCEEDED
    assert kept.error == "No checkpoint."
    assert kept.detail == "partially succeeded"


def test_an_expired_job_says_so() -> None:
    seen = answers.observation({"name": JOB, "state": "JOB_STATE_EXPIRED"})
    assert seen.error == "the service says expired, without a reason"


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("TUNING_JOB_STATE_WAITING_FOR_QUOTA", "quota for one more tuning job"),
        ("TUNING_JOB_STATE_TUNING", "tuning"),
        ("TUNING_JOB_STATE_UNSPECIFIED", ""),
        ("TUNING_JOB_STATE_DREAMING_OF_SHEEP", "dreaming of sheep"),
        (None, ""),
    ],
)
def test_the_detail_of_a_running_job_is_told(detail: str | None, words: str) -> None:
    job = {"name": JOB, "state": "JOB_STATE_RUNNING", "tuningJobState": detail}
    assert answers.observation(job).detail == words
    assert answers.observation({**job, "state": "JOB_STATE_SUCCEEDED"}).detail == ""


def test_a_published_job_is_read_whole() -> None:
    """The fields and forms of a real job: numbers as text, nine digits of a second."""
    job = {
        "name": "projects/4711/locations/us-central1/tuningJobs/1234567890123456789",
        "tunedModelDisplayName": "pii",
        "baseModel": "gemini-2.5-flash",
        "supervisedTuningSpec": {
            "trainingDatasetUri": "gs://b/t.jsonl",
            "hyperParameters": {
                "epochCount": "10",
                "learningRateMultiplier": 5,
                "adapterSize": "ADAPTER_SIZE_FOUR",
            },
        },
        "state": "JOB_STATE_FAILED",
        "createTime": "2025-07-11T10:00:00.123456789Z",
        "startTime": "2025-07-11T10:00:23.5Z",
        "endTime": "2025-07-11T10:20:00Z",
        "error": {"code": 13, "message": "Endpoint creation failed."},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": "120"}},
        "tuningJobMetadata": {"completedEpochCount": "4"},
        "tunedModel": {"model": "projects/4711/locations/us-central1/models/5@1"},
        "labels": {"tunekit_token": TOKEN, "team": "x"},
    }
    seen = answers.observation(job)
    assert (seen.state, seen.error) == (JobState.FAILED, "Endpoint creation failed. (code 13)")
    assert (seen.model, seen.endpoint) == ("projects/4711/locations/us-central1/models/5@1", None)
    assert (seen.epoch, seen.completed_steps, seen.total_steps) == (4, 48, 120)
    assert seen.created_s == pytest.approx(1752228000.123456)
    assert seen.started_s == 1752228023.5
    assert seen.ended_s == 1752229200
    assert seen.token == TOKEN
    told = answers.description(job)
    assert told.hyperparameters == {
        "epochs": 10,
        "learning_rate_multiplier": 5.0,
        "adapter_size": 4,
    }
    assert told.source == {"gcs": "gs://b/t.jsonl"}
    assert told.tags == {"team": "x"}


def test_a_cancelled_job_needs_no_reason() -> None:
    error = {"code": 1, "message": "CANCELED"}
    job = {"name": JOB, "state": "JOB_STATE_CANCELLED", "error": error}
    assert answers.observation(job).error == ""


def test_another_kind_of_tuning_is_named() -> None:
    assert answers.other_kind({"distillationSpec": {}, "encryptionSpec": {}}) == "distillationSpec"
    assert answers.other_kind({}) == "an unknown kind"
    assert answers.other_kind({"supervisedTuningSpec": {}}) == ""


_JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=9)
    | some.sampled_from(["1", "-1", "NaN", "1e999", "2026-01-01T00:00:00Z", "9" * 30]),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(
                [
                    *(
                        "epochCount",
                        "checkpoints",
                        "message",
                        "code",
                        "tuningStepCount",
                        "endpoint",
                    ),
                    *(
                        "completedEpochCount",
                        "completedStepCount",
                        "hyperParameters",
                        "adapterSize",
                    ),
                    *("tunekit_token", "epoch", "step", "model", "tunedModelName", "x"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_FIELDS = [
    *("name", "state", "labels", "tunedModel", "tuningJobMetadata", "tuningDataStats", "error"),
    *("supervisedTuningSpec", "preferenceOptimizationSpec", "preTunedModel", "baseModel"),
    *("createTime", "startTime", "endTime", "tuningJobState", "tunedModelDisplayName"),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some.dictionaries(some.sampled_from(_FIELDS), _JSON, max_size=8),
    some.sampled_from([*answers.STATES, "JOB_STATE_NEW", None]),
)
def test_no_answer_is_too_odd_to_be_read(job: dict[str, Any], state: str | None) -> None:
    if state is not None:
        job["state"] = state
    seen = answers.observation(job)
    assert isinstance(seen.state, JobState)
    assert isinstance(seen.name, str)
    assert seen.token is None or isinstance(seen.token, str)
    assert all(isinstance(v, int | None) for v in (seen.epoch, seen.completed_steps))
    assert all(isinstance(t, float | None) for t in (seen.created_s, seen.ended_s))
    answers.description(job)


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("supervisedTuningDataStats", "truncatedExampleIndices"),
        ("preferenceOptimizationDataStats", "droppedExampleIndices"),
    ],
)
def test_dropped_rows_and_billable_tokens_are_read_by_the_documents_words(
    kind: str, numbers: str
) -> None:
    schema = f"GoogleCloudAiplatformV1beta1{kind[0].upper()}{kind[1:]}"
    documented = documents.document("aiplatform.v1beta1")["schemas"][schema]["properties"]
    assert "starting from 1" in documented[numbers]["description"]
    stats = {
        "tuningDatasetExampleCount": "60",
        "totalBillableTokenCount": "751",
        numbers: ["3", 17, "x", 0, -1],
        "droppedExampleReasons": ["too many\ntokens", "é" * 900],
    }
    assert set(stats) <= set(documented)
    spec = {"hyperParameters": {"epochCount": "2"}}
    kind_of_spec = "supervisedTuningSpec" if "super" in kind else "preferenceOptimizationSpec"
    job = {"name": JOB, "state": "JOB_STATE_RUNNING", kind_of_spec: spec}
    seen = answers.observation({**job, "tuningDataStats": {kind: stats}}).data_stats
    assert seen is not None
    assert (seen.rows, seen.billable_tokens, seen.epochs, seen.dropped) == (60, 751, 2, 2)
    assert [row.number for row in seen.dropped_rows] == [3, 17]
    assert seen.dropped_rows[0].reason == "too many tokens"
    assert len(seen.dropped_rows[1].reason) <= 200
    assert answers.observation(job).data_stats is None
