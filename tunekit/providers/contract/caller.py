"""The caller that the suite is: it waits, looks again and never submits twice, as tunekit does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from tunekit.errors import AmbiguousSubmit, ProviderError, TunekitError, Unavailable
from tunekit.model import Completion, Generation, JobSpec, JobState, MetricPoint, Observation
from tunekit.providers.base import Provider

T = TypeVar("T")

_FIRST_BACKOFF_S = 0.05
# Added to a provider's listing lag, as tunekit's applier does.
_QUIET_MARGIN_S = 0.2


class PatientCaller:
    """Calls a provider as tunekit's applier and observer do.

    What is Unavailable is asked again, with backoff and jitter, for `patience_s` at most; no wait
    is longer than `longest_wait_s`. An AmbiguousSubmit is resolved by `find`, and its job
    submitted again under the same token only when it is still absent after the listing lag.
    `submitted` and `deleted` hold what this caller did: (token, job), and models.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        patience_s: float,
        look_every_s: float = 0.05,
        longest_wait_s: float = 60.0,
    ) -> None:
        self.provider = provider
        self.patience_s = patience_s
        self.look_every_s = look_every_s
        self.longest_wait_s = longest_wait_s
        self.submitted: list[tuple[str, str]] = []
        self.deleted: list[str] = []

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns once the provider is available.

        AssertionError for an exception that tunekit does not know.
        """
        end_s = time.monotonic() + self.patience_s
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                return call()
            except Unavailable as error:
                if time.monotonic() > end_s:
                    raise
                jitter_s = random.random() * backoff_s  # noqa: S311
                wait_s = max(error.retry_after_s or 0.0, jitter_s)
                time.sleep(min(wait_s, self.longest_wait_s))
                backoff_s *= 2
            except TunekitError:
                raise
            except Exception as error:
                kind = type(error).__name__
                raise AssertionError(
                    f"{kind} was raised, which is none of tunekit.errors"
                ) from error

    def submit(self, job: JobSpec, token: str) -> Observation:
        """Start one job, whatever it takes, and no other."""
        end_s = time.monotonic() + self.patience_s
        while True:
            try:
                seen = self.ask(lambda: self.provider.submit(job, token))
            except AmbiguousSubmit:
                found = self.find_late(token)
                if found is None and time.monotonic() < end_s:
                    continue
                if found is None:
                    raise
                seen = found
            self.submitted.append((token, seen.name))
            return seen

    def submit_again(self, job: JobSpec, token: str, *, jobs: int) -> set[str]:
        """Start several jobs under one token, as no caller should; return all of their names."""
        names: set[str] = set()
        while len(names) < jobs:
            try:
                names.add(self.ask(lambda: self.provider.submit(job, token)).name)
            except AmbiguousSubmit:
                time.sleep(self.look_every_s)
        names |= {seen.name for seen in self.list() if seen.token == token}
        self.submitted += [(token, name) for name in names]
        return names

    def find(self, token: str) -> Observation | None:
        """Look for a job once."""
        return self.ask(lambda: self.provider.find(token))

    def find_late(self, token: str) -> Observation | None:
        """Look for a job until it is found, or the provider's listing lag is over."""
        lag_s = self.provider.capabilities.listing_lag_s + _QUIET_MARGIN_S
        end_s = time.monotonic() + lag_s
        while True:
            is_last = time.monotonic() >= end_s
            seen = self.find(token)
            if seen is not None or is_last:
                return seen
            time.sleep(min(self.look_every_s, lag_s))

    def get(self, name: str) -> Observation:
        """Look at a job once."""
        return self.ask(lambda: self.provider.get(name))

    def list(self) -> Sequence[Observation]:
        """Return every job, newest first."""
        return self.ask(lambda: tuple(self.provider.list()))

    def cancel(self, name: str) -> None:
        """Ask for a job's end."""
        self.ask(lambda: self.provider.cancel(name))

    def metrics(self, name: str, after_step: int = 0) -> Sequence[MetricPoint]:
        """Return a job's points."""
        return self.ask(lambda: tuple(self.provider.metrics(name, after_step)))

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation | None = None
    ) -> Sequence[Completion]:
        """Return one answer a prompt; what was answered before an error is not asked again."""
        left = list(prompts)
        answers: list[Completion] = []

        def ask_for_the_rest() -> None:
            # A generator, as tunekit gives: it can be read only once.
            rest = (prompt for prompt in left[len(answers) :])
            for answer in self.provider.generate(model, rest, config or Generation(temperature=0)):
                answers.append(answer)

        self.ask(ask_for_the_rest)
        return answers

    def delete_model(self, name: str) -> None:
        """Remove a model."""
        self.ask(lambda: self.provider.delete_model(name))
        self.deleted.append(name)

    def follow(self, name: str) -> Iterator[Observation]:
        """Yield how a job is, look by look, to its end; AssertionError past the patience."""
        end_s = time.monotonic() + self.patience_s
        while True:
            seen = self.get(name)
            yield seen
            if seen.state.is_terminal:
                return
            assert time.monotonic() < end_s, f"{name} is still {seen.state}: {seen.detail}"
            time.sleep(self.look_every_s)

    def until_ended(self, name: str) -> Observation:
        """Return how a job ended."""
        *_, end = self.follow(name)
        return end

    def until_running(self, name: str) -> Observation:
        """Return a job that trains; AssertionError where it ended before it could be seen."""
        for seen in self.follow(name):
            if seen.state is JobState.RUNNING:
                return seen
        raise AssertionError(f"{name} was never seen RUNNING: {seen.state} {seen.error}")

    def refuses(self, call: Callable[[], object]) -> ProviderError:
        """Return the error of a call that must be refused for good."""
        try:
            done = self.ask(call)
        except AmbiguousSubmit as error:
            raise AssertionError(f"refused only perhaps: {error}") from error
        except ProviderError as error:
            assert str(error).strip(), "an error without a word"
            return error
        raise AssertionError(f"not refused: {done!r}")
