"""The create request: every field, as documented, and as google-genai would send it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.genai", reason="needs google-genai (extra dev)")

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.emulator import documents
from tests.providers.support import JOB, TOKEN, Asked, answering, job_spec, open_vertex, prepared
from tunekit.model import JobSpec
from tunekit.providers.vertex.limits import MOST_LABELS
from tunekit.providers.vertex.wire import ADAPTERS, create_body, dropped_tags, is_label, labels

TRAIN, VALIDATION = "gs://b/train.jsonl", "gs://b/validation.jsonl"
MODEL = "projects/7/locations/us-central1/models/5@1"
FULL: dict[str, Any] = {
    "hyperparameters": {"epochs": 3, "learning_rate_multiplier": 0.5, "adapter_size": 8},
    "export_last_checkpoint_only": True,
    "display_name": "Maske für Namen",
    "description": "Mask personal data",
    "tags": {"team": "privacy"},
}


def full(**changes: Any) -> JobSpec:
    return job_spec(**{**FULL, **changes})


def body(job: JobSpec, **more: Any) -> dict[str, Any]:
    return create_body(job, TOKEN, uris={"train": TRAIN, "validation": VALIDATION}, **more)


def test_every_field_is_sent() -> None:
    key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
    sent = body(full(trial="lr-1"), service_account="robot@p.iam", kms_key=key)
    assert sent == {
        "baseModel": "gemini-3.5-flash",
        "supervisedTuningSpec": {
            "trainingDatasetUri": TRAIN,
            "validationDatasetUri": VALIDATION,
            "exportLastCheckpointOnly": True,
            "hyperParameters": {
                "epochCount": "3",
                "learningRateMultiplier": 0.5,
                "adapterSize": "ADAPTER_SIZE_EIGHT",
            },
        },
        "labels": {
            "team": "privacy",
            "tunekit_experiment": "pii-masking",
            "tunekit_trial": "lr-1",
            "tunekit_token": TOKEN,
        },
        "tunedModelDisplayName": "Maske für Namen",
        "description": "Mask personal data",
        "serviceAccount": "robot@p.iam",
        "encryptionSpec": {"kmsKeyName": key},
    }


def test_what_is_not_set_is_not_sent() -> None:
    job = job_spec(hyperparameters={}, display_name="")
    sent = create_body(job, TOKEN, uris={"train": TRAIN})
    assert set(sent) == {"baseModel", "supervisedTuningSpec", "labels"}
    assert sent["supervisedTuningSpec"] == {"trainingDatasetUri": TRAIN}


@pytest.mark.parametrize("method", ["supervised", "preference"])
@pytest.mark.parametrize("base", ["gemini-3.5-flash", MODEL])
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_documents_know_every_field(method: str, base: str, version: str) -> None:
    job = full(method=method, base_model=base, base_checkpoint="2" if "/" in base else None)
    schema = f"GoogleCloudAiplatform{version.capitalize()}TuningJob"
    style = documents.Style(has_enum_numbers=False, is_request=True)
    check = documents.validator(f"aiplatform.{version}", schema, style)
    assert list(check.iter_errors(body(job, service_account="a@b", kms_key="k"))) == []
    assert list(check.iter_errors({**body(job), "surprise": 1})) != []


def test_adapter_sizes_are_the_documents_names() -> None:
    schema = documents.document("aiplatform.v1beta1")["schemas"]
    known = schema["GoogleCloudAiplatformV1beta1SupervisedHyperParameters"]["properties"]
    assert set(ADAPTERS.values()) == set(known["adapterSize"]["enum"][1:])


def test_labels_are_legal_ours_win_and_the_rest_is_named() -> None:
    tags = {
        "team": "privacy",
        "Team": "x",
        "cost centre": "x",
        "ok": "No",
        "a" * 64: "x",
        "long": "b" * 64,
        "1st": "x",
        "tunekit_token": "tk-forged",
        "empty": "",
    }
    found = labels(job_spec(tags=tags))
    assert found == {"team": "privacy", "empty": "", "tunekit_experiment": "pii-masking"}
    assert set(dropped_tags(tags)) == set(tags) - {"team", "empty"}
    assert body(job_spec(tags=tags))["labels"]["tunekit_token"] == TOKEN


def test_more_tags_than_labels_leave_room_for_ours() -> None:
    tags = {f"t{number}": "x" for number in range(100)}
    sent = body(job_spec(tags=tags, trial="lr-1"))["labels"]
    assert len(sent) == MOST_LABELS
    assert {"tunekit_token", "tunekit_experiment", "tunekit_trial"} <= set(sent)
    assert len(dropped_tags(tags)) == 100 - (MOST_LABELS - 3)


def test_a_token_is_a_label() -> None:
    assert is_label("tunekit_token", TOKEN)
    assert len(TOKEN) == 29


def test_a_long_name_is_cut() -> None:
    assert len(body(job_spec(display_name="n" * 200))["tunedModelDisplayName"]) == 128


# --- the oracle: what google-genai sends of the same -------------------------------------------


def asked_by_genai(server_url: str, **options: Any) -> None:
    client = genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials("x"),
        http_options=types.HttpOptions(base_url=server_url),
    )
    client.tunings.tune(**options)


def config(**more: Any) -> Any:
    return types.CreateTuningJobConfig(
        epoch_count=3,
        learning_rate_multiplier=0.5,
        adapter_size=types.AdapterSize.ADAPTER_SIZE_EIGHT,
        export_last_checkpoint_only=True,
        tuned_model_display_name="Maske für Namen",
        description="Mask personal data",
        labels={"team": "privacy", "tunekit_experiment": "pii-masking", "tunekit_token": TOKEN},
        validation_dataset=types.TuningValidationDataset(gcs_uri=VALIDATION),
        **more,
    )


def meaning(value: Any, key: str = "") -> Any:
    """Return a request without its spellings: camelCase, int64 as numbers."""
    if isinstance(value, dict):
        if key == "labels":
            return value
        camel = {re.sub(r"_([a-z])", lambda m: m[1].upper(), k): v for k, v in value.items()}
        return {k: meaning(v, k) for k, v in camel.items()}
    if key == "epochCount":
        return int(value)
    return value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("changes", "base", "more"),
    [
        ({}, "gemini-3.5-flash", {}),
        ({"method": "preference"}, "gemini-2.5-flash", {"method": "PREFERENCE_TUNING"}),
        (
            {"base_model": MODEL, "base_checkpoint": "2"},
            MODEL,
            {"pre_tuned_model_checkpoint_id": "2"},
        ),
    ],
)
def test_google_genai_sends_the_same(
    tmp_path: Path, changes: dict[str, Any], base: str, more: dict[str, Any]
) -> None:
    def reply(asked: Asked) -> Any:
        return 200, {"name": JOB, "state": "JOB_STATE_PENDING"}

    uris = {"train": TRAIN, "validation": VALIDATION}
    job = full(**{"base_model": base, "dataset": prepared(9, 3, uris=uris), **changes})
    with answering(reply) as server:
        asked_by_genai(
            server.url,
            base_model=base,
            training_dataset=types.TuningDataset(gcs_uri=TRAIN),
            config=config(**more),
        )
        open_vertex(server.url, tmp_path).submit(job, TOKEN)
        theirs, ours = server.calls("POST")
    assert ours.path == theirs.path
    assert meaning(ours.body) == meaning(theirs.body)
    assert ours.query == theirs.query == {}


def test_google_genai_asks_an_endpoint_the_same(tmp_path: Path) -> None:
    endpoint = "projects/p/locations/us/endpoints/1"

    def reply(asked: Asked) -> Any:
        return 200, {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}

    from tunekit.model import Generation

    with answering(reply) as server:
        client = genai.Client(
            vertexai=True,
            project="p",
            location="us",
            credentials=Credentials("x"),
            http_options=types.HttpOptions(base_url=server.url),
        )
        client.models.generate_content(
            model=endpoint,
            contents="Hello",
            config=types.GenerateContentConfig(
                temperature=0,
                top_p=0.5,
                top_k=2,
                max_output_tokens=9,
                system_instruction="Be brief.",
            ),
        )
        vertex = open_vertex(server.url, tmp_path)
        list(vertex.generate(endpoint, ["Hello"], Generation(0, 0.5, 2, 9, "Be brief.")))
        theirs, ours = server.calls("POST")
    assert ours.path == theirs.path
    expected = theirs.body
    # The service ignores the role of a system instruction.
    assert expected["systemInstruction"].pop("role") == "user"
    assert ours.body == expected
