"""Promises about jobs: submitted once, found again, followed to their end, cancelled."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from tunekit.errors import NotFound, Unsupported
from tunekit.model import Capabilities, JobSpec, JobState, Observation, Problem, Severity
from tunekit.providers.base import Provider
from tunekit.providers.contract.caller import PatientCaller
from tunekit.providers.contract.fixtures import Terms, Trained
from tunekit.providers.contract.samples import absent, fresh_token

# A job may skip states, and never goes back; UNKNOWN says nothing.
_RANK = {JobState.PENDING: 0, JobState.RUNNING: 1, JobState.CANCELLING: 2}
_LAST_RANK = 3


class JobPromises(Terms):
    """From capabilities and `check` to a job's end."""

    # --- before a job ------------------------------------------------------------------------

    def test_capabilities_are_fixed_and_finite(self, provider: Provider) -> None:
        can = provider.capabilities
        assert isinstance(can, Capabilities)
        with pytest.raises(FrozenInstanceError):
            can.can_cancel = not can.can_cancel  # type: ignore[misc]
        assert can.methods
        assert all(isinstance(method, str) and method for method in can.methods)
        assert 0 <= can.listing_lag_s < math.inf
        assert 0 < can.poll_every_s < math.inf
        for key, limits in can.hyperparameters.items():
            bounds = [x for x in (limits.minimum, limits.maximum) if x is not None]
            assert all(map(math.isfinite, [*bounds, *limits.choices])), key
            assert bounds == sorted(bounds), key

    def test_capabilities_cover_the_good_job(self, provider: Provider) -> None:
        can, job = provider.capabilities, self.job()
        assert job.method in can.methods
        assert set(job.hyperparameters) <= set(can.hyperparameters)
        assert not can.knows_all_base_models or job.base_model in can.base_models

    def test_check_finds_no_fault_in_the_good_job(self, provider: Provider) -> None:
        assert self._check(provider, self.job()) == []

    def test_check_refuses_an_unknown_method(self, provider: Provider) -> None:
        assert self._check(provider, replace(self.job(), method="no-such-method"))

    def test_check_refuses_what_the_provider_can_not_train(self, provider: Provider) -> None:
        refused = {why: self._check(provider, job) for why, job in self.refused_jobs().items()}
        assert [why for why, problems in refused.items() if not problems] == []

    def test_check_is_offline_and_repeats_itself(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with _no_network(monkeypatch):
            first = [
                list(provider.check(job)) for job in (self.job(), *self.refused_jobs().values())
            ]
            again = [
                list(provider.check(job)) for job in (self.job(), *self.refused_jobs().values())
            ]
        assert first == again

    @staticmethod
    def _check(provider: Provider, job: JobSpec) -> list[Problem]:
        problems = list(provider.check(job))
        assert all(problem.fact for problem in problems)
        return [problem for problem in problems if problem.severity is Severity.ERROR]

    # --- submit and find ---------------------------------------------------------------------

    def test_submit_names_the_job_and_its_token(self, trained: Trained) -> None:
        assert trained.submitted.name
        assert trained.submitted.token == trained.token
        assert isinstance(trained.submitted.state, JobState)

    def test_find_returns_the_job_of_a_token_and_no_other(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        other = calls.submit(self.job(), fresh_token())
        for token in (trained.token, other.token):
            assert token
            found = calls.find_late(token)
            assert found is not None
            assert found.token == calls.get(found.name).token == token

    def test_find_returns_none_for_an_unknown_token(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        assert calls.find(trained.token)
        assert calls.find(fresh_token()) is None

    def test_the_same_token_twice_is_one_job_or_both_are_named(self, calls: PatientCaller) -> None:
        job, token = self.job(), fresh_token()
        if self.deduplicates:
            names = [calls.submit(job, token).name for _ in range(2)]
            ends = [calls.until_ended(name) for name in names]
            again = calls.get(calls.submit(job, token).name)
            assert [seen.state for seen in (*ends, again)] == [JobState.SUCCEEDED] * 3
            assert {seen.token for seen in (*ends, again)} == {token}
            assert {seen.created_s for seen in (*ends, again)} == {again.created_s}
            assert [seen.token for seen in calls.list()].count(token) == 1
        else:
            # The provider can't tell them apart, so that it must not choose one.
            both = calls.submit_again(job, token, jobs=2)
            error = calls.refuses(lambda: calls.find_late(token))
            assert all(name in str(error) for name in both)

    # --- a job's life ------------------------------------------------------------------------

    def test_states_only_move_forward(self, trained: Trained) -> None:
        ranks = [_rank(seen) for seen in (trained.submitted, *trained.looks)]
        assert _never_falls(ranks)

    def test_an_ended_job_stays_as_it_is(self, calls: PatientCaller, trained: Trained) -> None:
        assert [calls.get(trained.name) for _ in range(5)] == [trained.end] * 5

    def test_steps_never_go_back_and_end_at_the_total(self, trained: Trained) -> None:
        looks = (trained.submitted, *trained.looks)
        totals = [seen.total_steps for seen in looks if seen.total_steps is not None]
        done = [seen.completed_steps for seen in looks if seen.completed_steps is not None]
        assert trained.end.total_steps
        assert set(totals) == {trained.end.total_steps}
        assert _never_falls(done)
        assert done[-1] == trained.end.completed_steps == trained.end.total_steps

    def test_times_are_in_order(self, trained: Trained) -> None:
        end = trained.end
        times = [end.created_s, end.started_s, end.ended_s]
        known = [time_s for time_s in times if time_s is not None]
        assert end.created_s
        assert end.ended_s
        assert known == sorted(known)
        assert all(seen.created_s == end.created_s for seen in trained.looks)

    def test_every_look_shows_the_same_job(self, calls: PatientCaller, trained: Trained) -> None:
        found = calls.find_late(trained.token)
        listed = [seen for seen in calls.list() if seen.token == trained.token]
        assert found is not None
        assert [seen.state for seen in (found, *listed)] == [JobState.SUCCEEDED] * 2
        for seen in (*trained.looks, *listed, found):
            assert seen.token == trained.token
            assert seen.base_model in ("", self.job().base_model)
            # A provider may give a job two names; whoever keeps one of them loses nothing.
            assert calls.get(seen.name).model == trained.end.model

    def test_success_leaves_a_model_and_no_error(self, trained: Trained) -> None:
        assert trained.end.model
        assert trained.asks
        assert trained.end.error == ""

    def test_list_holds_every_job_once_newest_first(self, calls: PatientCaller) -> None:
        tokens = [fresh_token() for _ in range(self.listed_jobs)]
        for token in tokens:
            calls.submit(self.job(), token)
        for token in tokens:
            assert calls.find_late(token)
        listed = calls.list()
        assert [seen.token for seen in listed if seen.token in tokens] == tokens[::-1]
        created = [seen.created_s for seen in listed if seen.created_s is not None]
        assert created == sorted(created, reverse=True)
        assert len({seen.name for seen in listed}) == len(listed)

    def test_an_unknown_job_is_not_found(self, calls: PatientCaller, trained: Trained) -> None:
        name = absent(trained.name, token=trained.token)
        with pytest.raises(NotFound):
            calls.get(name)
        with pytest.raises(NotFound):
            calls.ask(lambda: calls.provider.describe(name))
        try:
            assert calls.metrics(name) == ()
        except NotFound:
            return

    # --- the end that somebody asked for -----------------------------------------------------

    def test_cancel_ends_a_running_job_or_is_refused(self, calls: PatientCaller) -> None:
        if not calls.provider.capabilities.can_cancel:
            name = calls.submit(self.job(), fresh_token()).name
            with pytest.raises(Unsupported):
                calls.cancel(name)
            assert calls.until_ended(name).state is JobState.SUCCEEDED
            return
        name = calls.submit(self.slow_job(), fresh_token()).name
        calls.until_running(name)
        calls.cancel(name)
        calls.cancel(name)
        end = calls.until_ended(name)
        assert end.state is JobState.CANCELLED
        calls.cancel(name)
        assert calls.get(name).state is JobState.CANCELLED
        assert end.ended_s

    def test_cancel_of_an_ended_or_absent_job_changes_nothing(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        for name in (trained.name, absent(trained.name, token=trained.token)):
            if calls.provider.capabilities.can_cancel:
                calls.cancel(name)
            else:
                with pytest.raises(Unsupported):
                    calls.cancel(name)
        assert calls.get(trained.name).state is JobState.SUCCEEDED

    # --- one job after another ---------------------------------------------------------------

    def test_tuning_continues_from_a_model_or_is_refused(
        self, calls: PatientCaller, trained: Trained
    ) -> None:
        token = fresh_token()
        marks = trained.end.checkpoints
        job = replace(
            self.job(),
            base_model=trained.end.model or "",
            base_checkpoint=marks[0].id if marks else None,
        )
        problems = self._check(calls.provider, job)
        if calls.provider.capabilities.can_continue:
            assert problems == []
            name = calls.submit(job, token).name
            assert calls.until_ended(name).state is JobState.SUCCEEDED
            described = calls.ask(lambda: calls.provider.describe(name))
            assert described.base_model == job.base_model
            assert described.base_checkpoint == job.base_checkpoint
            return
        if not problems:
            calls.refuses(lambda: calls.submit(job, token))
            assert calls.find_late(token) is None


def _rank(seen: Observation) -> int | None:
    if seen.state.is_terminal:
        return _LAST_RANK
    return _RANK.get(seen.state)


def _never_falls(values: list[Any]) -> bool:
    known = [value for value in values if value is not None]
    return known == sorted(known)


@contextmanager
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield
