"""countTokens of both services, as HTTP and as Google's clients ask for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.service import PLACE, Service

VERTEX = f"{PLACE}/publishers/google/models/gemini-3.5-flash:countTokens"
GEMINI = "/v1beta/models/gemini-1.5-flash-001-tuning:countTokens"
TURNS = [
    {"role": "user", "parts": [{"text": "Mask: Ana"}]},
    {"role": "model", "parts": [{"text": "[NAME]"}]},
]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_turn_and_the_system_instruction_count(service: Service, version: str) -> None:
    path = f"/{version}/{VERTEX}"
    found = service.call("POST", path, {"contents": TURNS})
    assert found["totalTokens"] == 6  # Mask : Ana [ NAME ]
    assert found["totalBillableCharacters"] == len("Mask:Ana[NAME]")
    asked: dict[str, Any] = {"contents": TURNS, "systemInstruction": {"parts": [{"text": "Hide"}]}}
    more = service.call("POST", path, asked)
    assert more["totalTokens"] == 7
    assert more["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": 7}]
    numbers = service.call("POST", f"{path}?$alt=json;enum-encoding=int", asked)
    assert numbers["promptTokensDetails"] == [{"modality": 1, "tokenCount": 7}]


def test_the_gemini_api_counts_contents_or_a_whole_request(service: Service) -> None:
    assert service.call("POST", GEMINI, {"contents": TURNS}) == {"totalTokens": 6}
    whole = {
        "model": "models/gemini-1.5-flash-001-tuning",
        "contents": TURNS,
        "systemInstruction": {"parts": [{"text": "Hide"}]},
    }
    asked: dict[str, Any] = {"generateContentRequest": whole}
    assert service.call("POST", GEMINI, asked) == {"totalTokens": 7}
    service.call("POST", GEMINI, {**asked, "contents": TURNS}, status=400)


@pytest.mark.parametrize("path", [f"/v1/{VERTEX}", GEMINI])
@pytest.mark.parametrize("body", [{}, {"contents": []}, {"contents": [{"role": "user"}]}])
def test_what_has_no_text_is_refused(service: Service, path: str, body: dict[str, Any]) -> None:
    service.call("POST", path, body, status=400)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/{PLACE}/publishers/google/models/gemini-0:countTokens",
        f"/v1/{PLACE}/endpoints/1:countTokens",
        "/v1beta/models/gemini-0:countTokens",
    ],
)
def test_an_unknown_model_is_not_found(service: Service, path: str) -> None:
    service.call("POST", path, {"contents": TURNS}, status=404)


def test_google_genai_counts_with_both_services(service: Service) -> None:
    genai = pytest.importorskip("google.genai", reason="needs google-genai (extra dev)")
    from google.oauth2.credentials import Credentials

    service.checks_requests = True
    options = genai.types.HttpOptions(base_url=service.url)
    place = {"project": "p", "location": "us-central1", "credentials": Credentials("token")}
    vertex = genai.Client(vertexai=True, http_options=options, **place)
    gemini = genai.Client(api_key="any", http_options=options)
    asked = {"contents": [genai.types.Content(**turn) for turn in TURNS]}
    found = vertex.models.count_tokens(
        model="gemini-3.5-flash",
        config=genai.types.CountTokensConfig(system_instruction="Hide"),
        **asked,
    )
    assert found.total_tokens == 7
    assert (
        gemini.models.count_tokens(model="gemini-1.5-flash-001-tuning", **asked).total_tokens == 6
    )
