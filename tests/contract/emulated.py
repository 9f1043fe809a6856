"""The suite against an emulator: lists in small pages, wire checked, and no job made twice or lost.

Importing it skips where a package lacks, as `tests.emulator.service` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.emulator.service import BUCKET, Service, Watched
from tunekit.emulator import Emulator, Settings
from tunekit.emulator.faults import answer_error
from tunekit.emulator.wire import ApiError
from tunekit.model import JobState
from tunekit.providers.contract import PatientCaller, ProviderContract
from tunekit.providers.contract.samples import fresh_token

# Every tenth call fails: refused before it has an effect, or answered in half. Beyond those, a
# tenth of the creates and cancels takes effect without an answer.
TENTH: Mapping[str, float] = {
    "error_429": 0.04,
    "error_503": 0.04,
    "truncate": 0.02,
    "drop_after_accept": 0.1,
}


# From so many requests on, the share that was refused is no chance.
_MANY = 300


class SmallPages(Watched):
    """Gives lists in pages of two jobs at most, as a service may do; counts what it refused."""

    refused = 0
    # The method of the next request to be refused, once, and what its path has.
    refuse_next: tuple[str, str] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        method, part = self.refuse_next or ("", "")
        if scope["method"] == method and part in scope["path"]:
            self.refuse_next = None
            await answer_error(send, ApiError(503, "The service is currently unavailable."))
            return
        if scope["method"] == "GET" and scope["path"].endswith(("/tuningJobs", "/tunedModels")):
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            query = {key: value for key, value in query.items() if key.lower() != "pagesize"}
            scope = {**scope, "query_string": urlencode({**query, "pageSize": "2"}).encode()}
        await super().__call__(scope, receive, send)

    def judge(self, scope: Any, status: int, body: bytes) -> None:
        self.refused += status in (429, 503)
        super().judge(scope, status, body)


class Emulated(ProviderContract):
    """One emulator a class. `faults` are its switches."""

    faults: ClassVar[Mapping[str, float]] = {}
    time_scale: ClassVar[float] = 500
    look_every_s = 0.02
    # Faults are drawn anew for each call, so that there is nothing to wait for.
    longest_wait_s = 0.02

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls) -> Iterator[Service]:
        layers: list[SmallPages] = []

        def wrap(app: Any) -> SmallPages:
            layers.append(SmallPages(app))
            return layers[0]

        settings = Settings(time_scale=cls.time_scale, seed=11)
        with Emulator(settings, wrap=wrap) as emulator:
            service = Service(emulator, layers[0], checks_requests=True)
            service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
            service.set_faults(**cls.faults)
            yield service
            service.http.close()
        service.require_documented()
        if cls.faults and layers[0].requests > _MANY:
            share = cls.faults["error_429"] + cls.faults["error_503"]
            assert layers[0].refused / layers[0].requests > share / 2

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def every_job_is_there_once(cls, service: Service, calls: PatientCaller) -> Iterator[None]:
        """Compare what the suite submitted with what the emulator has, at the end."""
        yield
        state = service.state()
        there = sorted(cls.key(name) for name in (*state["tuning_jobs"], *state["tuned_models"]))
        submitted = {cls.key(name) for _, name in calls.submitted}
        assert submitted
        # A deleted tuned model of the Gemini API is a job that is gone.
        gone = {cls.key(name) for name in calls.deleted} & submitted
        assert there == sorted(submitted - gone)

    @staticmethod
    def key(name: str) -> str:
        """Return the id that is in every name of a job."""
        parts = name.split("/")
        return parts[1] if parts[0] == "tunedModels" else parts[-1]


class EveryTenthCallFails(Emulated):
    """The suite while calls fail, and a burst of submits while far more do."""

    faults = TENTH

    def test_ten_submits_make_ten_jobs(self, service: Service, calls: PatientCaller) -> None:
        tokens = [fresh_token() for _ in range(10)]
        switches = {"error_429": 0.15, "error_503": 0.1, "truncate": 0.1, "drop_after_accept": 0.4}
        service.set_faults(**switches)
        try:
            names = {calls.submit(self.job(), token).name for token in tokens}
        finally:
            service.set_faults(**self.faults)
        assert len({self.key(name) for name in names}) == len(tokens)
        ends = [calls.until_ended(name) for name in names]
        assert {seen.token for seen in ends if seen.state is JobState.SUCCEEDED} == set(tokens)
        assert sorted(seen.token for seen in calls.list() if seen.token in tokens) == sorted(tokens)
