"""What tuning leaves: endpoints that answer, and their removal."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import Service
from tests.providers.conftest import Requests
from tests.providers.support import (
    TOKEN,
    Asked,
    Reply,
    answering,
    examples,
    job_spec,
    open_vertex,
    until_ended,
)
from tunekit.errors import NotFound, ProviderError, Unavailable
from tunekit.model import Completion, Generation, Observation
from tunekit.providers.vertex.provider import VertexProvider

EMPTY = "type.googleapis.com/google.protobuf.Empty"
ENDPOINT = "projects/p/locations/us/endpoints/1"


@pytest.fixture
def tuned(vertex: VertexProvider) -> Observation:
    job = job_spec(hyperparameters={"epochs": 2})
    return until_ended(vertex, vertex.submit(job, TOKEN).name)


def test_a_tuned_endpoint_answers_in_order(
    vertex: VertexProvider, tuned: Observation, requests_seen: Requests
) -> None:
    rows = examples(20)
    config = Generation(temperature=0, top_p=0.95, top_k=1, max_output_tokens=64)
    assert tuned.endpoint
    answers = list(vertex.generate(tuned.endpoint, (row.prompt for row in rows), config))
    assert [answer.text for answer in answers] == [row.response for row in rows]
    assert {answer.finish for answer in answers} == {"STOP"}
    asked = requests_seen.of("POST", ":generateContent")
    assert asked[0]["generationConfig"] == {
        "temperature": 0,
        "topP": 0.95,
        "topK": 1,
        "maxOutputTokens": 64,
    }


def test_a_checkpoint_and_a_model_without_its_endpoint_answer_too(
    vertex: VertexProvider, tuned: Observation, requests_seen: Requests
) -> None:
    prompt = examples(1)[0].prompt
    assert tuned.model
    for name in (tuned.checkpoints[0].model, tuned.model):
        [answer] = vertex.generate(name, [prompt], Generation())
        assert answer.text
    paths = [path for method, path, _ in requests_seen.seen if path.endswith(":generateContent")]
    assert tuned.checkpoints[0].model in paths[0]
    assert str(tuned.endpoint) in paths[1]


def test_a_base_model_answers_where_it_is_served(
    vertex: VertexProvider, requests_seen: Requests
) -> None:
    [answer] = vertex.generate("gemini-3.5-flash", ["Hello"], Generation())
    assert answer.text == "Hello"
    _, path, _ = requests_seen.seen[-1]
    assert path.endswith("/locations/us/publishers/google/models/gemini-3.5-flash:generateContent")


def test_up_to_eight_are_asked_at_once_and_order_is_kept(tmp_path: Path) -> None:
    flying, most, lock = 0, 0, threading.Lock()

    def reply(asked: Asked) -> Reply:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        text = asked.body["contents"][0]["parts"][0]["text"]
        time.sleep(0.05 if int(text) % 8 == 0 else 0.01)
        with lock:
            flying -= 1
        return 200, {"candidates": [{"content": {"parts": [{"text": text}]}}]}

    prompts = [str(number) for number in range(64)]
    with answering(reply) as server:
        vertex = open_vertex(server.url, tmp_path)
        answers = list(vertex.generate(ENDPOINT, prompts, Generation()))
    assert [answer.text for answer in answers] == prompts
    assert 4 <= most <= 8


def test_what_was_answered_before_an_error_is_kept(tmp_path: Path) -> None:
    def reply(asked: Asked) -> Reply:
        text = asked.body["contents"][0]["parts"][0]["text"]
        if text == "20":
            return 503, {"error": {"code": 503, "message": "Overloaded."}}
        return 200, {"candidates": [{"content": {"parts": [{"text": text}]}}]}

    taken: list[str] = []
    with answering(reply) as server:
        answers = open_vertex(server.url, tmp_path).generate(
            ENDPOINT, map(str, range(1_000)), Generation()
        )
        with pytest.raises(Unavailable, match="Overloaded"):
            taken.extend(answer.text for answer in answers)
        assert taken == [str(number) for number in range(20)]
        assert len(server.asked) < 40


@pytest.mark.parametrize(
    ("answer", "completion"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, Completion("", "SAFETY")),
        ({}, Completion("", "NO_CANDIDATES")),
        ({"candidates": []}, Completion("", "NO_CANDIDATES")),
        ({"candidates": [{"finishReason": "RECITATION"}]}, Completion("", "RECITATION")),
        ({"candidates": [{"content": {}, "finishReason": "STOP"}]}, Completion("", "STOP")),
        ({"candidates": [5]}, Completion("", "NO_CANDIDATES")),
        ({"candidates": [{"content": {"parts": [{"inlineData": {}}, 5]}}]}, Completion("")),
        (
            {
                "candidates": [
                    {
                        "content": {
                            "parts": [{"text": "hm", "thought": True}, {"text": "a"}, {"text": "b"}]
                        },
                        "finishReason": "SOMETHING_NEW",
                    }
                ]
            },
            Completion("ab", "SOMETHING_NEW"),
        ),
    ],
)
def test_empty_and_blocked_answers_say_why(
    tmp_path: Path, answer: Any, completion: Completion
) -> None:
    with answering(lambda _: (200, answer)) as server:
        vertex = open_vertex(server.url, tmp_path)
        assert list(vertex.generate(ENDPOINT, ["x"], Generation())) == [completion]


@pytest.mark.parametrize("name", ["projects/p/x", "../x", "https://example.com/x", ""])
def test_what_is_no_model_is_not_asked(vertex: VertexProvider, name: str) -> None:
    with pytest.raises(NotFound):
        list(vertex.generate(name, ["x"], Generation()))
    with pytest.raises(NotFound):
        vertex.delete_model(name)


def test_a_deleted_model_is_gone_with_its_endpoints(
    vertex: VertexProvider, tuned: Observation, service: Service
) -> None:
    assert tuned.model
    assert tuned.endpoint
    vertex.delete_model(tuned.model)
    world = service.emulator.world
    assert (world.models, world.endpoints) == ({}, {})
    with pytest.raises(NotFound):
        list(vertex.generate(tuned.endpoint, ["x"], Generation()))
    vertex.delete_model(tuned.model)  # fine to repeat
    assert vertex.get(tuned.name).model == tuned.model


def test_an_endpoint_of_somebody_else_stays_without_the_model(
    vertex: VertexProvider, tuned: Observation, service: Service
) -> None:
    world = service.emulator.world
    place = tuned.checkpoints[0].model
    world.endpoints[place]["labels"] = {"mine": "yes"}
    assert tuned.model
    vertex.delete_model(tuned.model)
    assert world.models == {}
    assert list(world.endpoints) == [place]
    assert world.endpoints[place]["deployedModels"] == []


def test_one_version_of_several_goes_alone(tmp_path: Path) -> None:
    model = "projects/7/locations/us-central1/models/5"
    operation: dict[str, Any] = {"name": f"{model}/operations/1"}
    deleted: list[str] = []

    def reply(asked: Asked) -> Reply:
        path = asked.path.split("/", 2)[2]
        if asked.method == "DELETE":
            deleted.append(path)
            return 200, operation
        if "/operations/" in path:
            return 200, {**operation, "done": True, "response": {"@type": EMPTY}}
        if path.endswith(":listVersions"):
            return 200, {"models": [{"name": f"{model}@1"}, {"name": f"{model}@2"}]}
        return 200, {"name": f"{model}@2", "versionId": "2"}

    with answering(reply) as server:
        open_vertex(server.url, tmp_path).delete_model(f"{model}@2")
        # It was waited for, and so was its end.
        assert any("/operations/1" in asked.path for asked in server.asked)
    assert deleted == [f"{model}@2:deleteVersion"]


def test_a_refused_removal_is_told(tmp_path: Path) -> None:
    model = "projects/7/locations/us-central1/models/5"

    def reply(asked: Asked) -> Reply:
        if asked.method == "DELETE":
            error = {"code": 400, "message": "It is in use.", "status": "FAILED_PRECONDITION"}
            return 400, {"error": error}
        return 200, {"name": f"{model}@1", "versionId": "1"}

    with answering(reply) as server, pytest.raises(ProviderError, match="It is in use"):
        open_vertex(server.url, tmp_path).delete_model(f"{model}@1")
