"""The checks of every answer can fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("googleapiclient", reason="needs google-api-python-client (extra dev)")

from tests.emulator.schemas import find_faults

if TYPE_CHECKING:
    from tests.emulator.service import Service

JOB = "/v1/projects/p/locations/l/tuningJobs/1"


def faults(answer: Any, *, path: str = JOB, query: str = "", status: int = 200) -> list[str]:
    body = json.dumps(answer).encode()
    return find_faults(method="GET", path=path, query=query, status=status, body=body)


@pytest.mark.parametrize(
    "answer",
    [
        {"nonsense": 1},
        {"state": "JOB_STATE_ODD"},
        {"state": 2},
        {"tuningJobState": "TUNING_JOB_STATE_TUNING"},
        {"createTime": "yesterday"},
        {"labels": {"a": 1}},
        {"supervisedTuningSpec": {"hyperParameters": {"epochCount": 3}}},
        {"tunedModel": {"checkpoints": [{"rank": 1}]}},
    ],
)
def test_a_vertex_answer_that_is_not_as_documented_is_found(answer: Any) -> None:
    assert faults({"name": "x"}) == []
    assert len(faults(answer)) == 1


def test_enum_numbers_are_right_only_where_they_were_asked_for() -> None:
    query = "$alt=json;enum-encoding=int"
    assert faults({"state": 2}, query=query) == []
    assert faults({"state": "JOB_STATE_PENDING"}, query=query)


@pytest.mark.parametrize(
    "answer",
    [
        {"nonsense": 1},
        {"state": "ODD"},
        {"tuningTask": {"snapshots": [{"loss": 1}]}},
    ],
)
def test_a_gemini_answer_that_is_not_as_documented_is_found(answer: Any) -> None:
    path = "/v1beta/tunedModels/m"
    assert faults({"name": "tunedModels/m", "state": "ACTIVE"}, path=path) == []
    assert len(faults(answer, path=path)) == 1
    operation = {
        "name": "o",
        "metadata": {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta"
            ".CreateTunedModelMetadata",
            **answer,
        },
    }
    assert len(faults(operation, path=f"{path}/operations/o")) == 1


def test_an_error_must_be_a_status() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []}
    assert faults({"error": {"code": 400, "details": [detail]}}, status=400) == []
    assert faults({"error": {"code": 400, "why": ""}}, status=400)
    assert faults({"message": "no"}, status=400)
    assert faults({"error": {"code": 400, "details": [{**detail, "odd": 1}]}}, status=400)


def test_an_undocumented_path_is_found() -> None:
    assert faults({}, path="/v1/projects/p/nonsense")
    assert faults({}, path="/v1beta/nonsense")


def test_every_answer_of_a_test_is_checked(service: Service) -> None:
    for expected in (1, 2):
        service.call("GET", "/v1/projects/p/locations/l/tuningJobs")
        assert service.watched.answers == expected
    assert service.watched.faults == []
