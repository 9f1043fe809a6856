"""Tokens counted by each Google service, as training bills them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import Service
from tests.providers import gemini
from tests.providers.conftest import Requests
from tests.providers.support import answering, examples, job_spec, open_vertex, prepared
from tunekit.emulator.rows import count_tokens
from tunekit.errors import NotFound, ProviderError, Unavailable, Unsupported
from tunekit.model import Example, JobSpec, Turn
from tunekit.providers.base import CountsTokens
from tunekit.providers.vertex.provider import VertexProvider

SYSTEM = "You mask names."


def count(provider: CountsTokens, job: JobSpec, rows: Sequence[Example]) -> list[int]:
    return list(provider.count_tokens(job, rows, on_machine=False))


def test_vertex_counts_each_row_with_its_system_instruction(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    rows = examples(30)
    job = job_spec(prepared(rows, system=SYSTEM))
    system = count_tokens(SYSTEM)
    assert count(vertex, job, rows) == [
        system + count_tokens(row.prompt) + count_tokens(row.response) for row in rows
    ]
    asked = requests_seen.of("POST", ":countTokens")
    assert len(asked) == 30
    # A 3.x model is served in a multi-region only.
    paths = {path for _, path, _ in requests_seen.seen if path.endswith(":countTokens")}
    assert {path.partition("/projects/")[2] for path in paths} == {
        "p/locations/us/publishers/google/models/gemini-3.5-flash:countTokens"
    }


def test_preference_tuning_bills_the_prompt_once_with_each_answer(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    (row,) = examples(1, rejected="no idea at all")
    job = job_spec(prepared([row], system=SYSTEM), method="preference")
    asked = count_tokens(SYSTEM) + count_tokens(row.prompt)
    answers = count_tokens(row.response) + count_tokens("no idea at all")
    assert count(vertex, job, [row]) == [2 * asked + answers]
    assert len(requests_seen.of("POST", ":countTokens")) == 2


def test_conversations_and_ready_made_lines_are_counted_as_they_are_sent(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    turns = (
        Turn("system", "Own words."),
        Turn("user", "a b"),
        Turn("model", "c"),
        Turn("user", "d"),
    )
    talk = Example("Own words.\na b\nc\nd", "e f", "d", 1, turns=turns)
    line = {
        "system_instruction": {"parts": [{"text": "one two"}]},
        "contents": [
            {"role": "system", "parts": [{"text": "counts for nothing"}]},
            {"role": "user", "parts": [{"text": "three"}, {"text": " four"}]},
            {"role": "model", "parts": [{"text": "five"}]},
        ],
    }
    made = Example("one two\nthree four", "five", "three four", 2, raw=json.dumps(line).encode())
    job = job_spec(prepared([talk, made], system=SYSTEM))
    assert count(vertex, job, [talk, made]) == [3 + 2 + 1 + 1 + 2, 5]
    for body in requests_seen.of("POST", ":countTokens"):
        assert set(body) == {"contents", "systemInstruction"}


def test_what_is_no_base_model_is_refused(vertex: VertexProvider) -> None:
    tuned = "projects/p/locations/us-central1/models/7@1"
    with pytest.raises(Unsupported, match="no base model"):
        count(vertex, job_spec(base_model=tuned), examples(1))
    with pytest.raises(NotFound, match="gemini-0"):
        count(vertex, job_spec(base_model="gemini-0"), examples(1))


def test_gemini_api_counts_each_row(service: Service) -> None:
    pairs = [("Mask: Ana", "[NAME]"), ("Mask: Bo is here", "[NAME] is here")]
    job = gemini.job(pairs)
    rows = list(job.dataset.read("train"))
    provider = gemini.opened(service.url)
    assert isinstance(provider, CountsTokens)
    assert count(provider, job, rows) == [count_tokens(a) + count_tokens(b) for a, b in pairs]


REFUSED = {"error": {"code": 400, "message": "Ana Maria Sanchez Gomez lives here", "status": "X"}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {}, ProviderError),
        (200, {"totalTokens": -1}, ProviderError),
        (200, b"{", Unavailable),
        (429, {"error": {"code": 429, "message": "Slow.", "status": "X"}}, Unavailable),
        (503, {"error": {"code": 503, "message": "Busy.", "status": "X"}}, Unavailable),
        (400, REFUSED, ProviderError),
    ],
)
@pytest.mark.parametrize("kind", ["vertex", "gemini-api"])
def test_trouble_is_told_by_its_meaning_and_without_a_row(
    tmp_path: Path, kind: str, status: int, body: Any, error: type[ProviderError]
) -> None:
    row = Example("Mask: Ana Maria Sanchez Gomez lives here", "[NAME] lives here", "x", 1)
    with answering(lambda _: (status, body)) as server:
        is_vertex = kind == "vertex"
        provider = open_vertex(server.url, tmp_path) if is_vertex else gemini.opened(server.url)
        job = job_spec() if is_vertex else gemini.job([("a", "b")])
        with pytest.raises(error, match="count") as caught:
            count(provider, job, [row])
    assert isinstance(caught.value, Unavailable) == (error is Unavailable)
    assert "Ana" not in str(caught.value)
    assert len(server.asked) == 1
