"""The provider gemini-api on the emulator: a job's whole life, and what it sends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.emulator.service import Service, labelled, pairs
from tests.providers.gemini import BASE, GREEDY, TOKEN, Told, job, opened, until_ended
from tunekit.errors import NotFound, ProviderError, Unsupported
from tunekit.model import MEAN_LOSS, Generation, JobState

METADATA = "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata"


def test_a_job_is_tuned_asked_and_deleted(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100)
    provider = opened(service.url)
    begun = provider.submit(job(), TOKEN)
    assert begun.name.startswith(f"tunedModels/{TOKEN}/operations/")
    assert (begun.token, begun.state) == (TOKEN, JobState.PENDING)
    assert (begun.completed_steps, begun.total_steps) == (0, 20)
    assert (begun.base_model, begun.display_name) == (BASE, "Mask")
    seen = until_ended(provider, begun.name)
    steps = [look.completed_steps or 0 for look in seen]
    assert steps == sorted(steps)
    assert {look.total_steps for look in seen} == {20}
    assert JobState.RUNNING in {look.state for look in seen}
    end = seen[-1]
    assert (end.state, end.model) == (JobState.SUCCEEDED, f"tunedModels/{TOKEN}")
    assert (end.completed_steps, end.epoch, end.error) == (20, 2, "")
    assert end.created_s is not None
    assert end.started_s is not None
    assert end.ended_s is not None
    assert end.created_s <= end.started_s <= end.ended_s
    points = list(provider.metrics(end.name, 0))
    assert [point.step for point in points] == list(range(1, 21))
    assert {point.metric for point in points} == {MEAN_LOSS}
    assert points[-1].value == end.loss
    assert points[-1].value < points[0].value
    assert points[-1].time_s is not None
    assert [point.step for point in provider.metrics(end.name, 18)] == [19, 20]
    assert end.model is not None
    prompts = ["Where is #7777?", "Ana wants #1111 back", "Bo wants #2222 back"] * 4
    answers = list(provider.generate(end.model, prompts, GREEDY))
    assert [answer.text for answer in answers][:3] == [
        "Where is [ORDER]?",
        "[NAME] wants [ORDER] back",
        "[NAME] wants [ORDER] back",
    ]
    assert len(answers) == 12
    assert {answer.finish for answer in answers} == {"STOP"}
    provider.delete_model(end.model)
    provider.delete_model(end.model)  # fine, though gone
    assert service.state()["tuned_models"] == {}
    with pytest.raises(NotFound):
        provider.get(end.name)
    assert provider.find(TOKEN) is None


def test_a_job_is_found_by_its_token_and_under_both_names(service: Service) -> None:
    provider = opened(service.url)
    by_operation = until_ended(provider, provider.submit(job(), TOKEN).name)[-1]
    by_model = provider.get(f"tunedModels/{TOKEN}")
    assert provider.find(TOKEN) == by_model
    assert list(provider.list()) == [by_model]
    assert replace(by_model, name=by_operation.name) == by_operation
    assert by_model.total_steps == 20
    assert list(provider.metrics(by_model.name, 0)) == list(provider.metrics(by_operation.name, 0))


def test_progress_shows_where_only_the_model_is_known(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=100)
    provider = opened(service.url)
    provider.submit(job(), TOKEN)
    seen = until_ended(provider, f"tunedModels/{TOKEN}")
    steps = [look.completed_steps or 0 for look in seen]
    assert steps == sorted(steps)
    assert steps[-1] == 20
    assert any(0 < step < 20 for step in steps)
    assert {look.total_steps for look in seen} == {20}


def test_a_hundred_jobs_are_watched_by_one_request(service: Service) -> None:
    provider = opened(service.url)
    tokens = [f"tk-{number:026d}" for number in range(55)]
    for token in tokens:
        provider.submit(job(labelled(8), hyperparameters={"epochs": 1}), token)
    before = service.watched.answers
    assert [seen.token for seen in provider.list()] == tokens[::-1]
    assert service.watched.answers == before + 1


def test_models_of_others_are_listed_without_a_token(service: Service) -> None:
    provider = opened(service.url)
    provider.submit(job(labelled(20)), "not-a-token")
    (seen,) = provider.list()
    assert (seen.name, seen.token) == ("tunedModels/not-a-token", None)


def test_a_second_submit_of_a_token_gets_the_first_s_job(service: Service) -> None:
    provider = opened(service.url)
    first = until_ended(provider, provider.submit(job(), TOKEN).name)[-1]
    again = opened(service.url).submit(job(), TOKEN)
    assert (again.name, again.ended_s) == (f"tunedModels/{TOKEN}", first.ended_s)
    assert list(service.state()["tuned_models"]) == [f"tunedModels/{TOKEN}"]


def test_a_token_that_means_another_base_model_is_not_adopted(service: Service) -> None:
    provider = opened(service.url)
    provider.submit(job(), TOKEN)
    with pytest.raises(ProviderError, match=f"is of {BASE}"):
        provider.submit(job(base_model="gemini-1.0-pro-001"), TOKEN)


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": 3, "batch_size": 8, "learning_rate": 0.002},
        {"epochs": 1, "batch_size": 4, "learning_rate_multiplier": 2.5},
    ],
)
def test_a_description_says_what_was_asked(service: Service, given: dict[str, Any]) -> None:
    provider = opened(service.url)
    name = provider.submit(job(hyperparameters=given, base_model=f"models/{BASE}"), TOKEN).name
    told = provider.describe(name)
    assert (told.base_model, told.display_name, told.description) == (BASE, "Mask", "Hides names")
    assert told.hyperparameters == given
    assert told.source is None
    assert provider.find(TOKEN) is not None  # a multiplier is read back too


def test_cancelling_is_refused_with_what_one_can_do(service: Service) -> None:
    provider = opened(service.url)
    name = provider.submit(job(), TOKEN).name
    assert not provider.capabilities.can_cancel
    with pytest.raises(Unsupported, match="delete the tuned model"):
        provider.cancel(name)
    assert provider.find(TOKEN) is not None


def test_deleting_ends_what_is_still_made(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=1)
    provider = opened(service.url)
    name = provider.submit(job(), TOKEN).name
    provider.delete_model(f"tunedModels/{TOKEN}")
    assert provider.find(TOKEN) is None
    with pytest.raises(NotFound):
        provider.get(name)


def test_a_long_display_name_is_cut(service: Service) -> None:
    provider = opened(service.url)
    provider.submit(job(display_name="word " * 20), TOKEN)
    assert next(provider.list()).display_name == ("word " * 8).rstrip()


@pytest.mark.parametrize("name", ["", "x", "jobs/1", "tunedModels/", "tunedModels/../models/x"])
def test_a_name_of_another_kind_is_not_asked_for(service: Service, name: str) -> None:
    provider = opened(service.url)
    calls: list[Callable[[], Any]] = [
        lambda: provider.get(name),
        lambda: provider.describe(name),
        lambda: next(provider.metrics(name, 0)),
        lambda: next(provider.generate(name, ["x"], GREEDY)),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert provider.find("../x") is None
    provider.delete_model(name)  # there is nothing of that name
    assert service.watched.answers == 0


@pytest.fixture
def told() -> Iterator[Told]:
    """A server that takes a tuning and says no more than it must."""
    operation = {"name": f"tunedModels/{TOKEN}/operations/1", "metadata": {"@type": METADATA}}
    server = Told(lambda method, path, _: (200, operation))
    yield server
    server.close()


def test_the_package_s_own_function_sends_the_same(told: Told) -> None:
    import google.generativeai as genai
    from google.ai import generativelanguage_v1beta as wire
    from google.auth.credentials import AnonymousCredentials

    given = {"epochs": 2, "batch_size": 4, "learning_rate": 0.001}
    asked = Generation(temperature=0.0, top_p=0.9, top_k=3, max_output_tokens=64)
    opened(told.url).submit(job(hyperparameters=given, generation=asked), TOKEN)
    genai.create_tuned_model(
        f"models/{BASE}",
        [{"text_input": a, "output": b} for a, b in pairs(40)],
        id=TOKEN,
        display_name="Mask",
        description="Hides names",
        epoch_count=2,
        batch_size=4,
        learning_rate=0.001,
        temperature=0.0,
        top_p=0.9,
        top_k=3,
        client=wire.ModelServiceClient(
            credentials=AnonymousCredentials(),
            transport="rest",
            client_options={"api_endpoint": told.url},
        ),
    )
    (_, our_path, _, ours), (_, path, _, theirs) = told.requests
    assert (our_path, json.loads(ours)) == (path, json.loads(theirs))
    assert json.loads(ours)["temperature"] == 0.0
    assert json.loads(ours)["tuningTask"]["hyperparameters"] == {
        "epochCount": 2,
        "batchSize": 4,
        "learningRate": 0.001,
    }


def test_a_multiplier_is_sent_in_the_rate_s_stead(told: Told) -> None:
    given = {"epochs": 2, "learning_rate_multiplier": 0.5}
    opened(told.url).submit(job(hyperparameters=given), TOKEN)
    body = json.loads(told.requests[0][3])
    assert body["tuningTask"]["hyperparameters"] == {
        "epochCount": 2,
        "learningRateMultiplier": 0.5,
    }


def test_two_profiles_keep_to_their_own_keys(told: Told) -> None:
    for name in ("ONE", "TWO"):
        opened(told.url, {"ONE": "key-1", "TWO": "key-2"}, api_key_env=name).submit(job(), TOKEN)
    sent = [headers.get("x-goog-api-key") for _, _, headers, _ in told.requests]
    assert sent == ["key-1", "key-2"]
    assert not any("authorization" in headers for _, _, headers, _ in told.requests)


OFFLINE = """
import sys
begun = set(sys.modules)
from pathlib import Path
from tunekit.model import Example, JobSpec, PreparedDataset, SplitInfo
from tunekit.providers import open_provider
rows = [Example("a", "b", "a", n) for n in range(30)]
data = PreparedDataset("f", {"train": SplitInfo(30, 60, "d")}, lambda name: iter(rows))
job = JobSpec("e", "main", "gemini-1.5-flash-001-tuning", "supervised", {}, data)
provider = open_provider("gemini-api", {}, Path("unused"), {})
print(len(provider.check(job)))
heavy = ("google.", "requests", "urllib3", "pandas", "numpy", "grpc")
print({name for name in sys.modules if name.startswith(heavy) and name not in begun})
"""


def test_opening_and_checking_load_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # One warning, of the live service; no module.
    assert done.stdout.split() == ["1", "set()"]
