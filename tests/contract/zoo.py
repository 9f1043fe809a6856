"""Providers that break one promise each; `test_contract_catches` runs the suite on them.

No test module, so that pytest collects it only where it is told to.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_local import TestLocal as _Local
from tunekit.errors import NotFound, ProviderError
from tunekit.model import (
    Completion,
    Generation,
    JobDescription,
    JobSpec,
    JobState,
    MetricPoint,
    Observation,
    Problem,
)
from tunekit.providers.base import Provider
from tunekit.providers.contract import PatientCaller, Trained
from tunekit.providers.local.provider import LocalProvider

_ENDED = (JobState.SUCCEEDED, JobState.CANCELLED)


class DropsAPage(LocalProvider):
    def list(self) -> Iterator[Observation]:
        yield from [*super().list()][:1]


class ListsTwice(LocalProvider):
    def list(self) -> Iterator[Observation]:
        for seen in super().list():
            yield from (seen, seen)


class ListsOldestFirst(LocalProvider):
    def list(self) -> Iterator[Observation]:
        yield from reversed([*super().list()])


class StartsAgain(LocalProvider):
    """Starts a job a submit, whatever its token."""

    def submit(self, job: JobSpec, token: str) -> Observation:
        number = 0
        while super().find(f"{token}{number or ''}"):
            number += 1
        return replace(super().submit(job, f"{token}{number or ''}"), token=token)


class RegressesAState(LocalProvider):
    def get(self, name: str) -> Observation:
        seen = super().get(name)
        self.looks = getattr(self, "looks", 0) + 1
        lies = {1: JobState.RUNNING, 2: JobState.PENDING}
        return replace(seen, state=lies.get(self.looks, seen.state))


class ComesBack(LocalProvider):
    """Says now and then that an ended job runs."""

    def get(self, name: str) -> Observation:
        seen = super().get(name)
        self.looks = getattr(self, "looks", 0) + (seen.state in _ENDED)
        is_lie = seen.state in _ENDED and self.looks > 1 and self.looks % 2 == 0
        return replace(seen, state=JobState.RUNNING) if is_lie else seen


class LosesPoints(LocalProvider):
    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        return (point for point in super().metrics(name, after_step) if point.step % 5)


class IgnoresAfterStep(LocalProvider):
    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        return super().metrics(name, max(after_step - 1, 0))


class ShufflesPoints(LocalProvider):
    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        yield from sorted(super().metrics(name, after_step), key=lambda point: point.metric)


class AnswersOutOfOrder(LocalProvider):
    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        return reversed([*super().generate(model, prompts, config)])  # type: ignore[return-value]


class SkipsAnswers(LocalProvider):
    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        return (a for a in super().generate(model, prompts, config) if "Hello" not in a.text)


class IgnoresTheLimit(LocalProvider):
    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        return super().generate(model, prompts, replace(config, max_output_tokens=None))


class RaisesKeyErrors(LocalProvider):
    def get(self, name: str) -> Observation:
        try:
            return super().get(name)
        except NotFound:
            raise KeyError(name) from None


class ForgetsTokens(LocalProvider):
    def list(self) -> Iterator[Observation]:
        return (replace(seen, token=None) for seen in super().list())


class FindsAnyJob(LocalProvider):
    def find(self, token: str) -> Observation | None:
        return next(super().list(), None)


class CancelsNothing(LocalProvider):
    def cancel(self, name: str) -> None:
        self._ended = name


class CancelsOnce(LocalProvider):
    def cancel(self, name: str) -> None:
        if super().get(name).state is not JobState.RUNNING:
            raise ProviderError(f"{name} does not run")
        super().cancel(name)


class DeletesNothing(LocalProvider):
    def delete_model(self, name: str) -> None:
        self._deleted = name


class ForgetsSettings(LocalProvider):
    def describe(self, name: str) -> JobDescription:
        return replace(super().describe(name), hyperparameters={})


class CountsTooFar(LocalProvider):
    def get(self, name: str) -> Observation:
        seen = super().get(name)
        return replace(seen, completed_steps=(seen.completed_steps or 0) + 1)


class EndsBeforeItStarts(LocalProvider):
    def get(self, name: str) -> Observation:
        seen = super().get(name)
        return replace(seen, ended_s=seen.ended_s and 1.0)


class ChecksOnline(LocalProvider):
    def check(self, job: JobSpec) -> Sequence[Problem]:
        with socket.socket() as asked:
            asked.connect_ex(("127.0.0.1", 9))
        return super().check(job)


class ChecksNothing(LocalProvider):
    def check(self, job: JobSpec) -> Sequence[Problem]:
        return []


class SaysNoRemedy(LocalProvider):
    def diagnose(self, base_models: Sequence[str]) -> Iterator[Any]:
        return (replace(line, remedy="") for line in super().diagnose(base_models))


# What breaks, by subject, and the tests that must notice.
ZOO: Mapping[str, Mapping[type[LocalProvider], set[str]]] = {
    "lists": {
        DropsAPage: {"test_list_holds_every_job_once_newest_first"},
        ListsTwice: {"test_list_holds_every_job_once_newest_first"},
        ListsOldestFirst: {"test_list_holds_every_job_once_newest_first"},
        ForgetsTokens: {"test_every_look_shows_the_same_job"},
    },
    "jobs": {
        StartsAgain: {"test_the_same_token_twice_is_one_job_or_both_are_named"},
        FindsAnyJob: {
            "test_find_returns_none_for_an_unknown_token",
            "test_find_returns_the_job_of_a_token_and_no_other",
        },
        CancelsNothing: {"test_cancel_ends_a_running_job_or_is_refused"},
        CancelsOnce: {"test_cancel_of_an_ended_or_absent_job_changes_nothing"},
        RaisesKeyErrors: {"test_an_unknown_job_is_not_found"},
    },
    "lives": {
        RegressesAState: {"test_states_only_move_forward"},
        ComesBack: {"test_an_ended_job_stays_as_it_is"},
        CountsTooFar: {"test_steps_never_go_back_and_end_at_the_total"},
        EndsBeforeItStarts: {"test_times_are_in_order"},
        ChecksOnline: {"test_check_is_offline_and_repeats_itself"},
        ChecksNothing: {"test_check_refuses_an_unknown_method"},
    },
    "metrics": {
        LosesPoints: {"test_no_point_of_the_loss_is_missing"},
        IgnoresAfterStep: {"test_metrics_past_a_step_are_those_past_it"},
        ShufflesPoints: {"test_points_are_finite_and_rise_by_step"},
        ForgetsSettings: {"test_a_job_is_described_as_it_was_asked_for"},
        SaysNoRemedy: {"test_diagnose_says_what_to_do_about_what_is_wrong"},
    },
    "answers": {
        AnswersOutOfOrder: {"test_prompts_are_answered_one_by_one_in_order"},
        SkipsAnswers: {"test_prompts_are_answered_one_by_one_in_order"},
        IgnoresTheLimit: {"test_an_answer_is_no_longer_than_asked_for"},
        DeletesNothing: {"test_a_deleted_model_is_not_found"},
    },
}


@pytest.fixture(scope="session")
def zoo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


class Cage(_Local):
    """The suite that the local provider passes, on a provider that breaks one promise."""

    animal: type[LocalProvider]
    # Ends by itself after a second or two, so that a cancel without effect is soon seen.
    slow_hyperparameters = {"epochs": 20, "batch_size": 1}
    listed_jobs = 2

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, zoo_folder: Path) -> Iterator[Provider]:
        made = cls.animal(zoo_folder, max_concurrent_jobs=2)
        yield made
        for seen in LocalProvider.list(made):
            LocalProvider.cancel(made, seen.name)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, calls: PatientCaller) -> Trained:
        # One token for all, so that one job is trained for all.
        return cls().train(calls, "tk-zoo")


for _animal in (animal for animals in ZOO.values() for animal in animals):
    globals()[f"Test{_animal.__name__}"] = type(
        f"Test{_animal.__name__}", (Cage,), {"animal": _animal}
    )
