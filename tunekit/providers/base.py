"""What every provider promises. Calls never retry by themselves: the caller decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from tunekit.model import (
    Capabilities,
    Completion,
    Diagnosis,
    Example,
    Generation,
    JobDescription,
    JobSpec,
    MetricPoint,
    Observation,
    Problem,
)

# What is being sent, bytes done, bytes in all.
Progress = Callable[[str, int, int], None]


@runtime_checkable
class TellsProgress(Protocol):
    """A provider whose submit may take long; it calls `progress` as it goes on."""

    progress: Progress


@runtime_checkable
class ChecksProfile(Protocol):
    """A provider whose profile in tunekit.yaml may lack what every job needs."""

    def check_profile(self, *, needs_upload: bool) -> Sequence[Problem]:
        """Return what the profile lacks, offline; `needs_upload` where rows must be sent."""
        ...


@runtime_checkable
class WritesRows(Protocol):
    """A provider that can tell how rows travel; others can't export data sets."""

    def lines(self, job: JobSpec, split: str) -> Iterator[bytes]:
        """Yield each row of a split as it is sent, a line with its end."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A provider that can have tokens counted; of the others they stay a guess."""

    def count_tokens(
        self, job: JobSpec, rows: Iterable[Example], *, on_machine: bool
    ) -> Iterator[int]:
        """Yield the tokens that an epoch bills for each row, in order.

        `job` says the base model, by its own name, the method and the system instruction. The
        service counts, or with `on_machine` the model's tokenizer here, which is sent no row.
        Unsupported for a model that has none.
        """
        ...


class Provider(Protocol):
    """A place where models are tuned."""

    capabilities: Capabilities

    def check(self, job: JobSpec) -> Sequence[Problem]:
        """Return what this provider would refuse, without asking it: pure and offline."""
        ...

    def submit(self, job: JobSpec, token: str) -> Observation:
        """Start one job under `token`. AmbiguousSubmit where it may have been accepted."""
        ...

    def find(self, token: str) -> Observation | None:
        """Return the job submitted under `token`, None where the provider has none."""
        ...

    def get(self, name: str) -> Observation:
        """Return what the provider says about one job. NotFound where it is gone."""
        ...

    def list(self) -> Iterator[Observation]:
        """Yield every job, newest first; one paged call watches many jobs."""
        ...

    def cancel(self, name: str) -> None:
        """Ask for the job's end; fine if it already ended or is gone."""
        ...

    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        """Yield the points of all series past `after_step` (0: all), by rising step."""
        ...

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Yield one answer a prompt, in order.

        `model` is an Observation's `endpoint` (or `model`, where it has none), or a Checkpoint's
        `model`. What was answered before an error has been yielded.
        """
        ...

    def delete_model(self, name: str) -> None:
        """Remove a tuned model, an Observation's `model`; fine if it is already gone."""
        ...

    def describe(self, name: str) -> JobDescription:
        """Return what a job was asked to do, for adopting it. NotFound where it is gone."""
        ...

    def diagnose(self, base_models: Sequence[str]) -> Iterator[Diagnosis]:
        """Yield what stands in the way of using this provider, and what does not; never raises."""
        ...
