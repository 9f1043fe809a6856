"""The provider gemini-api in trouble: one request a call, no duplicate, no secret, a clear word."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import Service
from tests.providers.gemini import BASE, GREEDY, TOKEN, Told, job, opened, until_ended
from tunekit.errors import AmbiguousSubmit, MissingExtra, NotFound, ProviderError, Unavailable
from tunekit.model import JobState
from tunekit.providers.gemini_api.provider import GeminiApiProvider

MODEL = f"tunedModels/{TOKEN}"
CANARY = "AIza-canary-key-0123456789"

READS: dict[str, Callable[[GeminiApiProvider], Any]] = {
    "get": lambda provider: provider.get(MODEL),
    "find": lambda provider: provider.find(TOKEN),
    "list": lambda provider: next(provider.list()),
    "metrics": lambda provider: next(provider.metrics(MODEL, 0)),
    "describe": lambda provider: provider.describe(MODEL),
    "generate": lambda provider: next(provider.generate(MODEL, ["x"], GREEDY)),
    "delete": lambda provider: provider.delete_model(MODEL),
}
# What the SDK says by itself is no news to a test.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def tuned(service: Service) -> Service:
    """An emulator with one finished job."""
    provider = opened(service.url)
    until_ended(provider, provider.submit(job(), TOKEN).name)
    return service


@pytest.fixture
def tell() -> Iterator[Callable[..., Told]]:
    """Start servers that give one answer, or a path's own."""
    running: list[Told] = []

    def start(status: int, body: Any, paths: dict[str, tuple[int, Any]] | None = None) -> Told:
        given = paths or {}
        server = Told(lambda method, path, _: given.get(f"{method} {path}", (status, body)))
        running.append(server)
        return server

    yield start
    for server in running:
        server.close()


def refusal(code: int, message: str = "No.", reason: str = "") -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": reason}] if reason else []
    return {"error": {"code": code, "message": message, "details": details}}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("fault", ["error_503", "error_429"])
def test_a_refused_read_is_unavailable_after_one_request(
    tuned: Service, read: str, fault: str
) -> None:
    tuned.set_faults(**{fault: 1.0}, retry_after_s=7)
    before = tuned.watched.answers
    with pytest.raises(Unavailable) as caught:
        READS[read](opened(tuned.url))
    tuned.set_faults(**{fault: 0.0})
    assert caught.value.retry_after_s == (7 if fault == "error_429" else None)
    assert tuned.watched.answers == before + 2  # the read, and the switch put back
    assert list(tuned.state()["tuned_models"]) == [MODEL]


@pytest.mark.parametrize("read", [read for read in READS if read != "delete"])
def test_a_read_whose_answer_is_cut_is_unavailable(tuned: Service, read: str) -> None:
    tuned.set_faults(truncate=1.0)
    with pytest.raises(Unavailable, match="broke off the connection"):
        READS[read](opened(tuned.url))


def test_a_delete_whose_answer_is_cut_is_fine_the_second_time(tuned: Service) -> None:
    tuned.set_faults(truncate=1.0)
    with pytest.raises(Unavailable):
        opened(tuned.url).delete_model(MODEL)
    tuned.set_faults(truncate=0.0)
    opened(tuned.url).delete_model(MODEL)
    assert tuned.state()["tuned_models"] == {}


@pytest.mark.parametrize(
    ("fault", "exists"), [("error_503", 0), ("truncate", 1), ("drop_after_accept", 1)]
)
def test_a_submit_of_unknown_outcome_leaves_at_most_one_job(
    service: Service, fault: str, exists: int
) -> None:
    provider = opened(service.url)
    service.set_faults(**{fault: 1.0})
    with pytest.raises(AmbiguousSubmit):
        provider.submit(job(), TOKEN)
    assert len(service.state()["tuned_models"]) == exists
    service.set_faults(**{fault: 0.0})
    assert (provider.find(TOKEN) is not None) is bool(exists)
    provider.submit(job(), TOKEN)
    assert list(service.state()["tuned_models"]) == [MODEL]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_token_that_is_taken_by_what_can_t_be_read_is_ambiguous(
    tell: Callable[..., Told], status: int
) -> None:
    taken = {"POST /v1beta/tunedModels": (409, refusal(409))}
    with pytest.raises(AmbiguousSubmit, match="exists, but"):
        opened(tell(status, refusal(status), taken).url).submit(job(), TOKEN)


def test_a_rate_limited_submit_did_not_take_effect(service: Service) -> None:
    service.set_faults(error_429=1.0, retry_after_s=3)
    with pytest.raises(Unavailable) as caught:
        opened(service.url).submit(job(), TOKEN)
    assert caught.value.retry_after_s == 3
    service.set_faults(error_429=0.0)
    assert service.state()["tuned_models"] == {}


def test_slow_answers_are_given_up_at_the_timeout(tuned: Service) -> None:
    tuned.set_faults(delay_s=2)
    provider = opened(tuned.url, request_timeout_s=0.2)
    with pytest.raises(Unavailable, match="request_timeout_s"):
        provider.get(MODEL)
    with pytest.raises(AmbiguousSubmit):
        provider.submit(job(), "tk-" + "b" * 26)


def test_a_list_that_lags_does_not_hide_a_job_from_find(serve: Callable[..., Service]) -> None:
    service = serve(list_lag_s=60)
    provider = opened(service.url)
    provider.submit(job(), TOKEN)
    assert list(provider.list()) == []
    found = provider.find(TOKEN)
    assert found is not None
    assert found.token == TOKEN


def test_nobody_at_the_address_is_unavailable_for_a_submit_too() -> None:
    server = Told(lambda method, path, _: (200, {}))
    server.close()
    provider = opened(server.url)
    with pytest.raises(Unavailable, match="can't connect"):
        provider.submit(job(), TOKEN)
    with pytest.raises(Unavailable, match="can't connect"):
        provider.get(MODEL)


def test_this_machine_is_reached_past_a_proxy(
    tuned: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert opened(tuned.url).get(MODEL).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "is_ambiguous"), [(500, True), (502, True), (503, True), (504, True), (429, False)]
)
def test_every_call_is_one_request(
    tell: Callable[..., Told], status: int, is_ambiguous: bool
) -> None:
    server = tell(status, refusal(status))
    provider = opened(server.url)
    for number, read in enumerate(READS.values(), 1):
        with pytest.raises(Unavailable):
            read(provider)
        assert len(server.requests) == number
    with pytest.raises(AmbiguousSubmit if is_ambiguous else Unavailable):
        provider.submit(job(), TOKEN)
    assert len(server.requests) == len(READS) + 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"name": 5}', b"\xff\xfe"])
def test_a_create_answered_by_garbage_may_have_made_a_job(
    tell: Callable[..., Told], body: bytes
) -> None:
    server = tell(200, body)
    with pytest.raises(AmbiguousSubmit):
        opened(server.url).submit(job(), TOKEN)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        (401, "", "gcloud auth application-default login --client-id-file="),
        (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "generative-language.tuning"),
        (403, "SERVICE_DISABLED", "gcloud services enable generativelanguage.googleapis.com"),
        (403, "", "an owner or reader"),
    ],
)
def test_a_refused_account_is_told_what_it_lacks(
    tell: Callable[..., Told], status: int, reason: str, says: str
) -> None:
    server = tell(status, refusal(status, reason=reason))
    provider = opened(server.url)
    with pytest.raises(ProviderError) as caught:
        provider.get(MODEL)
    assert says in str(caught.value)
    assert "--scopes=" in str(caught.value)
    assert len(server.requests) == 1
    with pytest.raises(ProviderError) as caught:
        provider.submit(job(), TOKEN)
    assert not isinstance(caught.value, AmbiguousSubmit | Unavailable)


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "API_KEY_INVALID"), (401, ""), (403, ""), (404, ""), (500, "")]
)
def test_a_key_is_in_no_error(tell: Callable[..., Told], status: int, reason: str) -> None:
    echoed = refusal(status, f"Refused: x-goog-api-key={CANARY} ?key={CANARY}", reason)
    server = tell(status, echoed)
    provider = opened(server.url, {"MY_KEY": CANARY}, api_key_env="MY_KEY")
    with pytest.raises(ProviderError) as caught:
        provider.get(MODEL)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    if status in (400, 401, 403):
        assert "MY_KEY" in str(caught.value)
    assert len(server.requests) == 1
    assert server.requests[0][2]["x-goog-api-key"] == CANARY


def test_a_missing_key_is_said_when_it_is_needed(service: Service) -> None:
    provider = opened(service.url, {}, api_key_env="MY_KEY")
    assert provider.check(job()) == []
    with pytest.raises(ProviderError, match=r"MY_KEY \(api_key_env .* is not set"):
        provider.submit(job(), TOKEN)
    assert service.watched.answers == 0


def test_missing_credentials_say_how_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ProviderError, match="no Google credentials") as caught:
        opened("").get(MODEL)
    assert "--client-id-file=client_secret.json --scopes=" in str(caught.value)
    assert "generative-language.tuning" in str(caught.value)


def test_a_missing_package_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.generativeai", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tunekit\[gemini-api\]'"):
        opened(service.url).submit(job(), TOKEN)
    assert service.state()["tuned_models"] == {}


def test_a_key_written_in_place_of_its_variable_is_not_shown(service: Service) -> None:
    provider = opened(service.url, {}, api_key_env=CANARY)
    with pytest.raises(ProviderError) as caught:
        provider.get(MODEL)
    assert CANARY not in str(caught.value)


def test_a_key_is_taken_where_credentials_are_required(serve: Callable[..., Service]) -> None:
    service = serve(require_auth=True)
    keyed = opened(service.url, {"MY_KEY": "k"}, api_key_env="MY_KEY")
    assert keyed.submit(job(), TOKEN).token == TOKEN
    with pytest.raises(ProviderError, match="not logged in"):
        opened(service.url).find(TOKEN)


def test_a_key_is_not_carried_along_a_redirect(tell: Callable[..., Told]) -> None:
    server = tell(302, b"")
    provider = opened(server.url, {"MY_KEY": CANARY}, api_key_env="MY_KEY")
    with pytest.raises(ProviderError, match="redirect"):
        provider.get(MODEL)
    assert len(server.requests) == 1


def test_rows_are_in_no_error(tell: Callable[..., Told]) -> None:
    server = tell(200, b"garbage")
    rows = [("canary question", "canary answer"), ("half \ud800 a canary", "y")]
    for data in (rows[:1], rows):
        with pytest.raises(ProviderError) as caught:
            opened(server.url).submit(job(data), TOKEN)
        assert "canary" not in str(caught.value)
        assert "canary" not in str(caught.value.__cause__)
    assert "row 2" in str(caught.value)
    assert len(server.requests) == 1


def test_find_takes_a_403_for_absence_only_where_its_own_list_agrees(
    tell: Callable[..., Told],
) -> None:
    mine = {"name": MODEL, "state": "ACTIVE", "baseModel": f"models/{BASE}"}
    for listed, is_found in (([], False), ([mine], True)):
        server = tell(
            403, refusal(403), {"GET /v1beta/tunedModels": (200, {"tunedModels": listed})}
        )
        assert (opened(server.url).find(TOKEN) is not None) is is_found
    with pytest.raises(ProviderError, match="HTTP 403"):
        opened(tell(403, refusal(403)).url).find(TOKEN)


def test_an_operation_that_is_forgotten_leaves_the_model(tell: Callable[..., Told]) -> None:
    model = {"name": MODEL, "state": "ACTIVE", "baseModel": f"models/{BASE}"}
    server = tell(404, refusal(404), {f"GET /v1beta/{MODEL}": (200, model)})
    seen = opened(server.url).get(f"{MODEL}/operations/1")
    assert (seen.name, seen.state) == (MODEL, JobState.SUCCEEDED)


def test_a_failed_operation_says_why_even_where_its_model_is_gone(
    tell: Callable[..., Told],
) -> None:
    operation = {
        "name": f"{MODEL}/operations/1",
        "done": True,
        "error": {"code": 3, "message": "Example 3 is unsafe."},
    }
    server = tell(404, refusal(404), {f"GET /v1beta/{MODEL}/operations/1": (200, operation)})
    seen = opened(server.url).get(operation["name"])
    assert (seen.state, seen.error, seen.token) == (JobState.FAILED, "Example 3 is unsafe.", TOKEN)
    with pytest.raises(NotFound):
        opened(server.url).get(MODEL)


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_why_a_model_failed_is_looked_up_and_not_insisted_on(
    tell: Callable[..., Told], status: int
) -> None:
    model = {"name": MODEL, "state": "FAILED", "baseModel": f"models/{BASE}"}
    operation = {"name": f"{MODEL}/operations/1", "done": True, "error": {"message": "Unsafe."}}
    listed = {"operations": [operation]} if status == 200 else refusal(status)
    answers = {f"GET /v1beta/{MODEL}/operations": (status, listed)}
    seen = opened(tell(200, model, answers).url).find(TOKEN)
    assert seen is not None
    assert seen.state is JobState.FAILED
    assert seen.error == "Unsafe." if status == 200 else "does not say why" in seen.error


@pytest.mark.parametrize("state", ["HIBERNATING", 77, None])
def test_a_state_that_nobody_knows_is_unknown_and_breaks_no_list(
    tell: Callable[..., Told], state: Any
) -> None:
    odd = {"name": MODEL, "state": state, "shape": "round", "tuningTask": {"colour": 1}}
    fine = {"name": "tunedModels/fine", "state": "ACTIVE"}
    server = tell(200, {"tunedModels": [odd, fine]})
    assert [seen.state for seen in opened(server.url).list()] == [
        JobState.UNKNOWN,
        JobState.SUCCEEDED,
    ]


def test_answers_before_an_error_are_yielded_and_the_rest_is_not_asked_for() -> None:
    """By what is asked, since requests that are under way at once arrive in any order."""

    def echo(method: str, path: str, body: bytes) -> tuple[int, Any]:
        text = json.loads(body)["contents"][0]["parts"][0]["text"]
        candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
        return (503, refusal(503)) if text == "5" else (200, {"candidates": [candidate]})

    server = Told(echo)
    got: list[str] = []
    asked: list[int] = []
    prompts = (asked.append(n) or str(n) for n in range(99))
    with pytest.raises(Unavailable):
        got.extend(answer.text for answer in opened(server.url).generate(MODEL, prompts, GREEDY))
    server.close()
    assert got == ["0", "1", "2", "3", "4"]
    assert len(asked) < 12


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, "RECITATION"),
        ({"candidates": [{"content": {"parts": []}, "finishReason": "MAX_TOKENS"}]}, "MAX_TOKENS"),
        ({}, "NO_CANDIDATES"),
    ],
)
def test_a_held_back_answer_is_empty_and_says_why(
    tell: Callable[..., Told], body: Any, finish: str
) -> None:
    server = tell(200, body)
    (answer,) = opened(server.url).generate(MODEL, ["x"], GREEDY)
    assert (answer.text, answer.finish) == ("", finish)


def test_doctor_looks_at_one_thing_after_the_other(service: Service) -> None:
    found = list(opened(service.url).diagnose([BASE, "gemini-0"]))
    assert [line.is_ok for line in found] == [True, True, True, True, True, False]
    assert re.search("models/|gemini-1.5-flash-001-tuning", found[-1].remedy)


@pytest.mark.parametrize("status", [401, 403, 503])
def test_doctor_stops_at_what_fails(tell: Callable[..., Told], status: int) -> None:
    found = list(opened(tell(status, refusal(status)).url).diagnose([BASE]))
    assert [line.is_ok for line in found] == [True, True, False]
    missing = list(opened(tell(200, {}).url, {}, api_key_env="NO_KEY").diagnose([BASE]))
    assert [line.is_ok for line in missing] == [True, False]
    assert "NO_KEY" in missing[-1].fact


def test_doctor_says_that_nothing_can_be_tuned(tell: Callable[..., Told]) -> None:
    models = [{"name": "models/gemini-9", "supportedGenerationMethods": ["generateContent"]}]
    server = tell(200, {}, {"GET /v1beta/models": (200, {"models": models})})
    last = list(opened(server.url).diagnose([BASE]))[-1]
    assert (last.is_ok, last.fact) == (False, "none can be tuned there")
