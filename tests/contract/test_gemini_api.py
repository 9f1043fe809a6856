"""The provider gemini-api keeps the contract on the emulator, also while calls fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.emulated import Emulated, EveryTenthCallFails
from tests.emulator.service import Service
from tunekit.model import JobSpec
from tunekit.providers.base import Provider
from tunekit.providers.contract import sample_job

pytest.importorskip("google.generativeai", reason="needs the extra gemini-api")

from tunekit.providers.gemini_api import open_provider


class TestGeminiApi(Emulated):
    base_model = "gemini-1.5-flash-001-tuning"
    hyperparameters = {"epochs": 2, "batch_size": 8, "learning_rate": 0.001}

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, service: Service) -> Provider:
        options = {"endpoint": service.url, "request_timeout_s": 2, "listing_lag_s": 0}
        return open_provider(options, Path("nowhere"), {})

    def refused_jobs(self) -> Mapping[str, JobSpec]:
        job = self.job()
        stored = replace(job.dataset, uris={"train": "gs://bucket/train.jsonl"})
        large = sample_job(base_model=job.base_model, hyperparameters={}, rows=30_000)
        return {
            "a base model of another service": replace(job, base_model="projects/p/models/1"),
            "rows in Cloud Storage": replace(job, dataset=stored),
            "more than 4 MB": large,
        }


class TestGeminiApiWhileEveryTenthCallFails(EveryTenthCallFails, TestGeminiApi):
    pass
