"""What a provider's author says about their provider, and what the promises share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tunekit.model import JobSpec, JobState, MetricPoint, Observation
from tunekit.providers.base import Provider
from tunekit.providers.contract.caller import PatientCaller
from tunekit.providers.contract.samples import fresh_token, sample_job


@dataclass(frozen=True, slots=True)
class Trained:
    """A job that was followed to its end: each look at it, and points it had on the way."""

    token: str
    submitted: Observation
    looks: tuple[Observation, ...]
    early_points: tuple[MetricPoint, ...]

    @property
    def end(self) -> Observation:
        """Return how it ended."""
        return self.looks[-1]

    @property
    def name(self) -> str:
        """Return the job's name."""
        return self.end.name

    @property
    def asks(self) -> str:
        """Return what `generate` takes."""
        return self.end.endpoint or self.end.model or ""


class Terms:
    """What is true of the provider, and its jobs; redefine what differs."""

    base_model: ClassVar[str] = ""
    hyperparameters: ClassVar[Mapping[str, int | float]] = {}
    slow_hyperparameters: ClassVar[Mapping[str, int | float]] = {}
    # Rows of a validation split, where the provider takes one.
    validation_rows: ClassVar[int] = 0
    # A token that has a job gets that job, also where the answer of the first submit was lost.
    deduplicates: ClassVar[bool] = True
    # The training loss has a point each so many steps.
    point_every_steps: ClassVar[int] = 1
    # The longest that a job may take, and a provider may be unavailable.
    patience_s: ClassVar[float] = 60.0
    # How many jobs the test of `list` submits: more than a page holds, where that is possible.
    listed_jobs: ClassVar[int] = 3
    look_every_s: ClassVar[float] = 0.05
    longest_wait_s: ClassVar[float] = 60.0

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Iterator[Provider]:
        """Give the provider under test. Override it."""
        raise NotImplementedError("override the fixture `provider`")

    def job(self) -> JobSpec:
        """Return a job that trains quickly, and learns."""
        return sample_job(
            base_model=self.base_model,
            hyperparameters=self.hyperparameters,
            validation_rows=self.validation_rows,
        )

    def slow_job(self) -> JobSpec:
        """Return a job that still trains when it is cancelled."""
        return sample_job(
            base_model=self.base_model,
            hyperparameters=self.slow_hyperparameters or self.hyperparameters,
            validation_rows=self.validation_rows,
        )

    def refused_jobs(self) -> Mapping[str, JobSpec]:
        """Return jobs that `check` must refuse, by the reason."""
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def calls(cls, provider: Provider) -> PatientCaller:
        """Give the caller that makes every call."""
        return PatientCaller(
            provider,
            patience_s=cls.patience_s,
            look_every_s=cls.look_every_s,
            longest_wait_s=cls.longest_wait_s,
        )

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, calls: PatientCaller) -> Trained:
        """Give a job that was followed to its success."""
        return cls().train(calls, fresh_token())

    def train(self, calls: PatientCaller, token: str) -> Trained:
        """Submit the quick job and follow it; AssertionError where it does not succeed."""
        submitted = calls.submit(self.job(), token)
        looks: list[Observation] = []
        early: tuple[MetricPoint, ...] = ()
        for seen in calls.follow(submitted.name):
            looks.append(seen)
            if seen.completed_steps and seen.state is JobState.RUNNING and not early:
                early = tuple(calls.metrics(seen.name))
        assert seen.state is JobState.SUCCEEDED, f"{seen.state}: {seen.error}"
        return Trained(token, submitted, tuple(looks), early)
