"""The provider `gemini-api`. A job is a tuned model whose id is its token: none is made twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError, Unsupported
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
from tunekit.providers.gemini_api import doctor, limits, reading
from tunekit.providers.gemini_api.access import Access
from tunekit.providers.gemini_api.reading import JSON
from tunekit.providers.gemini_api.rows import line_of
from tunekit.providers.gemini_api.service import Service, Tuning
from tunekit.providers.google.faults import Refused
from tunekit.providers.google.generation import completion, in_order
from tunekit.providers.google.prices import prices

_LISTING_LAG_S = 30.0
_POLL_EVERY_S, _POLL_LOCAL_EVERY_S = 5.0, 0.5
_AT_ONCE = 4
_FORBIDDEN, _TAKEN = 403, 409  # HTTP's words


def open_provider(
    options: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> GeminiApiProvider:
    """Return the provider of a profile; asks for no credential and loads no SDK."""
    return GeminiApiProvider(Access.of(options, environ))


class GeminiApiProvider:
    """Tunes by the Gemini API. Names are `tunedModels/ID`, or the operation's that makes it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._service = Service(access)
        lag_s = access.options.get("listing_lag_s")
        self.capabilities = Capabilities(
            methods=limits.METHODS,
            hyperparameters=limits.HYPERPARAMETERS,
            base_models=limits.BASE_MODELS,
            prices=prices(access.options, {}),
            can_cancel=False,
            can_continue=False,
            has_system_instruction=False,
            listing_lag_s=access.timeout_s + (_LISTING_LAG_S if lag_s is None else float(lag_s)),
            asks_at_once=_AT_ONCE,
            place=access.url,
            poll_every_s=_POLL_LOCAL_EVERY_S if access.is_local else _POLL_EVERY_S,
        )

    def check(self, job: JobSpec) -> Sequence[Problem]:
        """Return what the service would refuse, and that the live one tunes nothing any more."""
        return list(limits.check(job, is_live=self._access.is_live))

    def lines(self, job: JobSpec, split: str) -> Iterator[bytes]:
        """Return each row as an element of the request's training data, one JSON object a line."""
        return (line_of(row.prompt, row.response) for row in job.dataset.read(split))

    def count_tokens(
        self, job: JobSpec, rows: Iterable[Example], *, on_machine: bool
    ) -> Iterator[int]:
        """Yield the tokens of each row, by the base model's countTokens or tokenizer."""
        base = reading.base_name(job.base_model)
        if on_machine:
            from tunekit.providers.google.tokenizer import counter

            count = counter(base)
            return (count((row.prompt, row.response)) for row in rows)
        return in_order(
            lambda row: self._service.count_tokens(f"models/{base}", row.prompt, row.response),
            rows,
            at_once=_AT_ONCE,
        )

    def submit(self, job: JobSpec, token: str) -> Observation:
        """Create the tuned model whose id is the token; one that exists already is returned."""
        tuning = Tuning(
            id=token,
            base_model=f"models/{reading.base_name(job.base_model)}",
            display_name=job.display_name[: limits.MOST_DISPLAY_NAME_CHARACTERS].rstrip(),
            description=job.description,
            hyperparameters=job.hyperparameters,
            generation=job.generation,
        )
        rows = ((row.prompt, row.response) for row in job.dataset.read("train"))
        try:
            operation = self._service.create(tuning, rows)
        except Refused as error:
            if error.status != _TAKEN:
                raise
            return self._adopt(tuning)
        started = {"name": f"tunedModels/{token}", "baseModel": tuning.base_model}
        started |= {"displayName": tuning.display_name, "state": "CREATING"}
        return reading.observe(_made(operation) or started, operation)

    def _adopt(self, tuning: Tuning) -> Observation:
        """Return the tuned model that took the id first: an earlier submit arrived after all."""
        name = f"tunedModels/{tuning.id}"
        try:
            found = self.get(name)
        except ProviderError as error:
            raise AmbiguousSubmit(f"{name} exists, but: {error}") from error
        if found.base_model != reading.base_name(tuning.base_model):
            raise ProviderError(
                f"{name} exists and is of {found.base_model}: not what was to be tuned; "
                "look at it, and delete it if nobody needs it"
            )
        return found

    def find(self, token: str) -> Observation | None:
        """Return the tuned model whose id is the token."""
        try:
            return self.get(f"tunedModels/{token}")
        except NotFound:
            return None
        except Refused as error:
            if error.status != _FORBIDDEN:
                raise
            # The service says so of others' models, and it may of one that is not there: its list
            # of one's own tells the two apart. Where that is forbidden too, nobody knows.
            return next((seen for seen in self.list() if seen.token == token), None)

    def get(self, name: str) -> Observation:
        """Return a tuned model as it is now, with its operation's progress where that is known."""
        return reading.observe(*self._look(name))

    def list(self) -> Iterator[Observation]:
        """Yield every tuned model, in the service's order: that sorts, it does not say how."""
        for model in self._service.tuned_models():
            yield reading.observe(model)

    def cancel(self, name: str) -> None:
        """Refuse: the Gemini API has no cancelled state. Unsupported."""
        raise Unsupported(
            f"{name}: the Gemini API does not cancel tuning; let it end, or delete the tuned model"
        )

    def metrics(self, name: str, after_step: int) -> Iterator[MetricPoint]:
        """Yield the mean loss of each training step."""
        yield from reading.points(*self._look(name), after_step=after_step)

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Return a model's answers; a few prompts are under way at once."""
        name = reading.answering_name(model)

        def ask(prompt: str) -> Completion:
            return completion(self._service.generate(name, prompt, config))

        return in_order(ask, prompts, at_once=_AT_ONCE)

    def delete_model(self, name: str) -> None:
        """Delete a tuned model, also one that is still being made; fine if it is gone."""
        try:
            self._service.delete(reading.model_name(name))
        except NotFound:
            return

    def describe(self, name: str) -> JobDescription:
        """Return what a tuned model was made of; its training rows are not given back."""
        return reading.describe(self._look(name)[0])

    def diagnose(self, base_models: Sequence[str]) -> Iterator[Diagnosis]:
        """Look at the package, the credentials, the service and the base models."""
        return doctor.diagnose(self._access, self._service, base_models)

    def _look(self, name: str) -> tuple[JSON, JSON | None]:
        """Return a tuned model and the operation that makes it, where that is known."""
        model_name = reading.model_name(name)
        operation = None
        if reading.is_operation(name):
            # Operations are forgotten, tuned models are not.
            with suppress(NotFound):
                operation = self._service.operation(name)
        if made := _made(operation):
            return made, operation
        try:
            model = self._service.tuned_model(model_name)
        except NotFound:
            if operation is None or not operation.get("error"):
                raise
            # A model that failed may be gone while its operation still says why.
            return {"name": model_name, "state": "FAILED"}, operation
        if operation is None and model.get("state") != "ACTIVE":
            # It alone says how many steps there are, and why tuning failed; neither is needed.
            with suppress(ProviderError):
                operation = next(iter(self._service.operations(model_name)), None)
        return model, operation


def _made(operation: JSON | None) -> JSON | None:
    """Return the tuned model that a finished operation holds."""
    made = (operation or {}).get("response")
    return made if isinstance(made, Mapping) and made.get("name") else None
