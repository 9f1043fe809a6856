"""The provider vertex keeps the contract on the emulator, also while calls fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.contract.emulated import Emulated, EveryTenthCallFails
from tests.emulator.service import BUCKET, Service
from tunekit.model import JobSpec
from tunekit.providers.base import Provider
from tunekit.providers.contract import PatientCaller
from tunekit.providers.contract.samples import fresh_token
from tunekit.providers.vertex import open_provider

pytest.importorskip("google.cloud.aiplatform_v1", reason="needs the extra vertex")
pytest.importorskip("google.cloud.storage", reason="needs the extra vertex")


class TestVertex(Emulated):
    base_model = "gemini-3.5-flash"
    hyperparameters = {"epochs": 2, "learning_rate_multiplier": 0.5, "adapter_size": 4}
    slow_hyperparameters = {"epochs": 1000}
    validation_rows = 8
    deduplicates = False  # Vertex AI takes any number of jobs with one label

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Provider:
        options = {
            "project": "p",
            "location": "us-central1",
            "bucket": BUCKET,
            "endpoint": service.url,
            "storage_endpoint": service.url,
            "request_timeout_s": 2,
            "listing_lag_s": 0,
        }
        return open_provider(options, tmp_path_factory.mktemp("vertex"), {})

    def refused_jobs(self) -> Mapping[str, JobSpec]:
        job = self.job()
        return {
            "an adapter that the model has not": replace(
                job, base_model="gemini-2.5-pro", hyperparameters={"adapter_size": 16}
            ),
        }

    def test_a_model_that_was_half_deleted_is_deleted_whole(
        self, service: Service, calls: PatientCaller
    ) -> None:
        end = calls.until_ended(calls.submit(self.job(), fresh_token()).name)
        assert end.model
        before = set(service.state()["endpoints"])
        service.watched.refuse_next = ("DELETE", "/endpoints/")
        calls.delete_model(end.model)
        assert service.watched.refuse_next is None
        gone = before - set(service.state()["endpoints"])
        assert gone == {mark.model for mark in end.checkpoints} | {end.endpoint}


class TestVertexWhileEveryTenthCallFails(EveryTenthCallFails, TestVertex):
    pass
