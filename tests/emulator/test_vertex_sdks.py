"""Google's own clients against the emulator: vertexai, google-cloud-aiplatform, google-genai."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.service import Service

pytestmark = pytest.mark.filterwarnings("ignore")  # of their end of life, and of Python's version


def wait_for(is_so: Callable[[], bool], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def genai() -> Any:
    return pytest.importorskip("google.genai", reason="needs google-genai (extra dev)")


def genai_client(genai: Any, service: Service, location: str = "us-central1") -> Any:
    from google.oauth2.credentials import Credentials

    service.checks_requests = True
    return genai.Client(
        vertexai=True,
        project="p",
        location=location,
        credentials=Credentials("token"),
        http_options=genai.types.HttpOptions(base_url=service.url),
    )


def test_google_genai_tunes_lists_and_generates(genai: Any, service: Service) -> None:
    types = genai.types
    client = genai_client(genai, service)
    job = client.tunings.tune(
        base_model="gemini-3.5-flash",
        training_dataset=types.TuningDataset(gcs_uri=service.put_rows(count=100)),
        config=types.CreateTuningJobConfig(
            epoch_count=3,
            adapter_size="ADAPTER_SIZE_FOUR",
            learning_rate_multiplier=1.0,
            tuned_model_display_name="mask",
            labels={"team": "a"},
        ),
    )
    assert job.state == types.JobState.JOB_STATE_PENDING
    wait_for(lambda: client.tunings.get(name=job.name).has_ended)
    job = client.tunings.get(name=job.name)
    assert job.has_succeeded
    assert job.tuning_job_metadata.completed_epoch_count == 3
    hyper = job.supervised_tuning_spec.hyper_parameters
    assert (hyper.epoch_count, hyper.adapter_size.value) == (3, "ADAPTER_SIZE_FOUR")
    assert len(job.tuned_model.checkpoints) == 3
    answer = client.models.generate_content(
        model=job.tuned_model.endpoint,
        contents="Where is #7654?",
        config=types.GenerateContentConfig(temperature=0),
    )
    assert answer.text == "Where is [ORDER]?"
    chunks = client.models.generate_content_stream(
        model=job.tuned_model.endpoint, contents="Ana wants #1111 back"
    )
    assert "".join(chunk.text for chunk in chunks) == "[NAME] wants [ORDER] back"
    assert [found.name for found in client.tunings.list()] == [job.name]
    (model,) = client.models.list(config={"query_base": False})
    assert model.labels["team"] == "a"


def test_google_genai_cancels(genai: Any, serve: Callable[..., Service]) -> None:
    service = serve(time_scale=5)
    types = genai.types
    client = genai_client(genai, service)
    uri = service.put_rows()
    jobs = [
        client.tunings.tune(
            base_model="gemini-3.5-flash", training_dataset=types.TuningDataset(gcs_uri=uri)
        )
        for _ in range(3)
    ]
    listed = client.tunings.list(config={"page_size": 2, "filter": "state=JOB_STATE_PENDING"})
    assert [found.name for found in listed] == [job.name for job in jobs[::-1]]
    client.tunings.cancel(name=jobs[0].name)
    wait_for(lambda: client.tunings.get(name=jobs[0].name).has_ended)
    ended = client.tunings.get(name=jobs[0].name)
    assert ended.state == types.JobState.JOB_STATE_CANCELLED
    assert ended.error.code == 1
    with pytest.raises(genai.errors.ClientError) as refused:
        client.tunings.tune(
            base_model="gemini-3.5-flash",
            training_dataset=types.TuningDataset(gcs_uri="gs://nowhere/x.jsonl"),
        )
    assert refused.value.code == 400


@pytest.fixture
def vertexai(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip(
            "vertexai", reason="needs google-cloud-aiplatform (extra vertex)"
        )
    from google.auth.credentials import AnonymousCredentials

    service.checks_requests = True
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    module.init(
        project="p",
        location="us-central1",
        api_endpoint=service.url,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    return module


def test_vertexai_tunes_lists_cancels_and_reads_metrics(vertexai: Any, service: Service) -> None:
    from google.cloud import aiplatform
    from vertexai.generative_models import GenerativeModel
    from vertexai.tuning import sft

    job = sft.train(
        source_model="gemini-3.5-flash",
        train_dataset=service.put_rows(count=100),
        validation_dataset=service.put_rows("validation.jsonl", 20),
        epochs=3,
        adapter_size=4,
        learning_rate_multiplier=1.0,
        tuned_model_display_name="mask",
        labels={"team": "a"},
    )
    assert not job.has_ended
    wait_for(lambda: bool(job.refresh().has_ended))
    assert job.has_succeeded
    assert job.tuned_model_name.endswith("@1")
    assert "/endpoints/" in job.tuned_model_endpoint_name
    answer = GenerativeModel(job.tuned_model_endpoint_name).generate_content("Where is #7654?")
    assert answer.text == "Where is [ORDER]?"
    streamed = GenerativeModel(job.tuned_model_endpoint_name).generate_content(
        "Ana wants #1111 back", stream=True
    )
    assert "".join(chunk.text for chunk in streamed) == "[NAME] wants [ORDER] back"
    assert [found.resource_name for found in sft.SupervisedTuningJob.list()] == [job.resource_name]

    experiment = job.experiment
    assert experiment.get_backing_tensorboard_resource() is not None
    frame = experiment.get_data_frame()
    assert len(frame) == 1
    (run,) = aiplatform.ExperimentRun.list(experiment=experiment.name)
    series = run.get_time_series_data_frame()
    assert list(series["step"]) == list(range(1, len(series) + 1))
    losses = list(series["/train_total_loss"])
    assert losses[-1] < losses[0] / 2
    assert series["/eval_total_loss"].notna().sum() == 3

    model = aiplatform.Model(job.tuned_model_name)
    assert model.labels["team"] == "a"
    endpoint = aiplatform.Endpoint(job.tuned_model_endpoint_name)
    endpoint.undeploy_all()
    endpoint.delete()
    assert job.tuned_model_endpoint_name not in service.state()["endpoints"]


def test_vertexai_cancels(vertexai: Any, service: Service) -> None:
    from vertexai.tuning import sft

    job = sft.train(
        source_model="gemini-3.5-flash", train_dataset=service.put_rows(count=200), epochs=500
    )
    job.cancel()
    wait_for(lambda: bool(job.refresh().has_ended))
    assert job.state.name == "JOB_STATE_CANCELLED"
    assert job.error.code == 1
