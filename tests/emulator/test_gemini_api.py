"""The Gemini API's tuned models, by google-generativeai and plain HTTP."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.service import Service, labelled, pairs

# The client uses an argument that protobuf 5 renamed.
pytestmark = pytest.mark.filterwarnings("ignore:The argument `including:DeprecationWarning")

BASE = "models/gemini-1.5-flash-001-tuning"


@pytest.fixture
def sdk(service: Service) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its own end of life
        genai = pytest.importorskip(
            "google.generativeai", reason="needs google-generativeai (extra gemini-api)"
        )
    service.checks_requests = True
    genai.configure(api_key="any", transport="rest", client_options={"api_endpoint": service.url})
    return genai


def test_the_sdk_tunes_a_data_frame_and_asks_the_model(sdk: Any, service: Service) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.DataFrame(pairs(60), columns=["text_input", "output"])
    operation = sdk.create_tuned_model(
        BASE,
        frame,
        id="mask-1",
        display_name="mask",
        epoch_count=2,
        batch_size=6,
        learning_rate=0.001,
    )
    assert operation.metadata.tuned_model == "tunedModels/mask-1"
    assert operation.metadata.total_steps == 20
    last = None
    for last in operation.wait_bar(disable=True):
        assert last.total_steps == 20
    model = operation.result()
    assert operation.metadata.completed_steps == 20
    assert operation.metadata.completed_percent == 100
    assert model.name == "tunedModels/mask-1"
    snapshots = model.tuning_task.snapshots
    assert [s["step"] for s in snapshots] == list(range(1, 21))
    assert snapshots[-1]["epoch"] == 2
    assert snapshots[-1]["mean_loss"] < snapshots[0]["mean_loss"]
    found = sdk.get_tuned_model("tunedModels/mask-1")
    assert found.state.name == "ACTIVE"
    assert found.base_model == BASE
    assert found.tuning_task.hyperparameters.epoch_count == 2
    assert found.tuning_task.hyperparameters.batch_size == 6
    answer = sdk.GenerativeModel(model_name="tunedModels/mask-1").generate_content(
        "Where is #7777?", generation_config={"temperature": 0, "top_k": 1}
    )
    assert answer.text == "Where is [ORDER]?"
    assert answer.candidates[0].finish_reason.name == "STOP"
    streamed = sdk.GenerativeModel(model_name="tunedModels/mask-1").generate_content(
        "Ana wants #1111 back", stream=True
    )
    assert "".join(chunk.text for chunk in streamed) == "[NAME] wants [ORDER] back"


def test_the_sdk_lists_updates_and_deletes(sdk: Any, service: Service) -> None:
    data = [{"text_input": a, "output": b} for a, b in labelled(20)]
    for number in range(3):
        sdk.create_tuned_model(BASE, data, id=f"m-{number}", epoch_count=1).result()
    assert [m.name for m in sdk.list_tuned_models(page_size=2)] == [
        "tunedModels/m-2",
        "tunedModels/m-1",
        "tunedModels/m-0",
    ]
    sdk.update_tuned_model("tunedModels/m-1", {"display_name": "new", "temperature": 0.5})
    changed = sdk.get_tuned_model("tunedModels/m-1")
    assert (changed.display_name, changed.temperature) == ("new", 0.5)
    sdk.delete_tuned_model("tunedModels/m-1")
    assert set(service.state()["tuned_models"]) == {"tunedModels/m-0", "tunedModels/m-2"}
    assert next(m.name for m in sdk.list_models()) == BASE
    answer = sdk.GenerativeModel("tunedModels/m-0").generate_content("refund of a payment")
    assert answer.text == "billing"


def create(service: Service, key: str = "m", *, status: int = 200, **changes: Any) -> Any:
    rows = changes.pop("rows", [{"textInput": a, "output": b} for a, b in pairs(40)])
    hyper = changes.pop("hyperparameters", {"epochCount": 2, "batchSize": 4})
    data = {"examples": {"examples": rows}}
    body = {
        "baseModel": BASE,
        "tuningTask": {"trainingData": data, "hyperparameters": hyper},
        **changes,
    }
    path = f"/v1beta/tunedModels?tunedModelId={key}"
    return service.call("POST", path, body, status=status)


def test_progress_grows_and_the_data_stay_inside(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=50)
    operation = create(service, hyperparameters={"epochCount": 5, "learningRateMultiplier": 2})
    assert operation["metadata"]["completedSteps"] == 0
    seen = [0]
    while not operation.get("done"):
        model = service.call("GET", "/v1beta/tunedModels/m")
        assert model["state"] in ("CREATING", "ACTIVE")
        operation = service.call("GET", f"/v1beta/{operation['name']}")
        seen.append(operation["metadata"]["completedSteps"])
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    task = operation["response"]["tuningTask"]
    assert task["hyperparameters"]["learningRateMultiplier"] == 2
    assert "trainingData" not in task
    assert task["startTime"] < task["completeTime"]


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"key": "Bad_Id"}, 400, "tuned_model_id"),
        ({"rows": []}, 400, "training_data"),
        ({"rows": [{"textInput": "x" * 40_001, "output": "y"}]}, 400, "40000"),
        ({"rows": [{"textInput": "x"}]}, 400, "examples[0]"),
        ({"displayName": "x" * 41}, 400, "display_name"),
        ({"hyperparameters": {"epochCount": -1}}, 400, "epoch_count"),
        ({"baseModel": "models/gemini-0.1"}, 404, "createTunedModel"),
        ({"tunedModelSource": {"tunedModel": "tunedModels/x"}}, 400, "not supported"),
    ],
)
def test_a_bad_create_is_refused(
    service: Service, changes: dict[str, Any], status: int, word: str
) -> None:
    refused = create(service, status=status, **changes)
    assert word in str(refused["error"])
    assert service.state()["tuned_models"] == {}


def test_an_id_is_taken_once(service: Service) -> None:
    create(service)
    assert create(service, status=409)["error"]["status"] == "ALREADY_EXISTS"
    asked = {"contents": [{"parts": [{"text": "x"}]}]}
    service.call("DELETE", "/v1beta/tunedModels/m")
    service.call("GET", "/v1beta/tunedModels/m", status=404)
    service.call("POST", "/v1beta/tunedModels/m:generateContent", asked, status=404)


def test_a_model_that_is_not_ready_does_not_answer(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=1)
    create(service)
    asked = {"contents": [{"parts": [{"text": "x"}]}]}
    path = "/v1beta/tunedModels/m:generateContent"
    refused = service.call("POST", path, asked, status=400)
    assert refused["error"]["status"] == "FAILED_PRECONDITION"


def test_an_absent_id_is_made_from_the_name(service: Service) -> None:
    operation = create(service, key="", displayName="9 Lives of Masks!")
    name = operation["metadata"]["tunedModel"]
    assert name.startswith("tunedModels/t9-lives-of-masks-")
    service.call("GET", f"/v1beta/{name}")
