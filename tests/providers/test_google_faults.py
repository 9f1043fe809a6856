"""What Google's refusals become: the right error, one actionable sentence, no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError, Unavailable
from tunekit.providers.google.faults import Advice, Refused, fault, read_refusal

ADVICE = Advice(
    login="gcloud auth application-default login",
    scope="https://www.googleapis.com/auth/cloud-platform",
    role="roles/aiplatform.user",
    service="aiplatform.googleapis.com",
    project="p",
)


def error(code: int, message: str = "No.", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


def info(reason: str, **metadata: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "metadata": metadata}


@pytest.mark.parametrize(
    ("status", "is_submit", "kind"),
    [
        (400, True, Refused),
        (404, False, NotFound),
        (408, False, Unavailable),
        (408, True, AmbiguousSubmit),
        (409, True, Refused),
        (429, False, Unavailable),
        (429, True, Unavailable),
        (500, False, Unavailable),
        (500, True, AmbiguousSubmit),
        (503, True, AmbiguousSubmit),
        (504, False, Unavailable),
        (302, True, Refused),
    ],
)
def test_each_status_becomes_its_error(
    status: int, is_submit: bool, kind: type[ProviderError]
) -> None:
    found = fault(status, error(status), doing="list", is_submit=is_submit)
    assert type(found) is kind
    assert str(found).startswith("list: ")


def test_the_wait_comes_from_the_header_or_from_retry_info() -> None:
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}
    told = fault(429, error(429, details=[delay]), doing="get")
    asked = fault(429, error(429, details=[delay]), doing="get", retry_after_s=3)
    assert isinstance(told, Unavailable)
    assert isinstance(asked, Unavailable)
    assert (told.retry_after_s, asked.retry_after_s) == (7.5, 3)


def test_a_401_names_the_command_and_the_scope() -> None:
    text = str(fault(401, error(401), doing="get", advice=ADVICE))
    assert "gcloud auth application-default login" in text
    assert "auth/cloud-platform" in text


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("SERVICE_DISABLED", "gcloud services enable aiplatform.googleapis.com --project=77"),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "lack the scope"),
        ("USER_PROJECT_DENIED", "quota_project"),
        ("BILLING_DISABLED", "billing for project 77"),
        ("IAM_PERMISSION_DENIED", "roles/aiplatform.user in project p"),
    ],
)
def test_a_403_says_what_to_do_by_its_reason(reason: str, says: str) -> None:
    body = error(403, details=[info(reason, consumer="projects/77")])
    assert says in str(fault(403, body, doing="get", advice=ADVICE))


def test_field_violations_are_told() -> None:
    kind = "type.googleapis.com/google.rpc.BadRequest"
    violation = {"field": "tuning_job.labels", "description": "too long"}
    body = error(400, details=[{"@type": kind, "fieldViolations": [violation]}])
    assert "tuning_job.labels: too long" in str(fault(400, body, doing="create"))


@pytest.mark.parametrize(
    "body",
    [
        *("", "<html>502 Bad Gateway</html>", "upstream timed out", "[]", "null", "7", '"x"'),
        *('{"error": null}', '{"error": 5}', '{"error": {"details": 5, "message": null}}'),
        *('{"error": {"details": [5, {"fieldViolations": 3}], "errors": [1]}}', '{"error": "no"}'),
        '[{"error": {"code": 400, "message": "in a stream"}}]',
    ],
)
def test_no_body_is_too_odd_to_be_told(body: str) -> None:
    text = str(fault(502, body, doing="get"))
    assert text.startswith("get: ")
    assert "<" not in text
    assert "502" in text


def test_secrets_and_long_texts_do_not_pass() -> None:
    tokens = ("ya29.A0canary-token", "AIza" + "x" * 35, "Bearer canary")
    message = "bad header Authorization: " + " ".join(tokens) + " /x?key=canary&a=b " + "y" * 10_000
    text = str(fault(400, json.dumps(error(400, message)), doing="get"))
    assert "canary" not in text
    assert "AIza" not in text
    assert len(text) < 800
    assert "\n" not in read_refusal(error(400, "a\nb")).message
