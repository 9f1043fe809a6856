"""Calls to the Gemini API by google-generativeai over REST: one request a call, documented JSON.

Of that package (0.8.6), get_tuned_model and list_tuned_models are passed over for the client below
them: they can't read a model that has a learningRateMultiplier, nor a state that they do not know,
and one such model breaks a whole list. GenerativeModel is too: it knows only one global client,
and two profiles may differ.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tunekit.errors import AmbiguousSubmit, ProviderError, TunekitError, Unavailable
from tunekit.model import Generation
from tunekit.providers.gemini_api.access import EXTRA, Access
from tunekit.providers.gemini_api.reading import JSON
from tunekit.providers.gemini_api.rows import message_of, words_of
from tunekit.providers.google.counting import total_of
from tunekit.providers.google.faults import fault, retry_after_s
from tunekit.providers.google.packages import load
from tunekit.providers.google.rest import Rest, tame

T = TypeVar("T")

# Each listed model carries a snapshot for every step; the service allows 1,000 a page.
_PAGE = 100
_MOST_REFUSAL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Tuning:
    """A tuned model to be made. `hyperparameters` by their keys in a spec's `tuning`."""

    id: str
    base_model: str
    display_name: str
    description: str
    hyperparameters: Mapping[str, int | float]
    generation: Generation = field(default_factory=Generation)


@dataclass(frozen=True, slots=True)
class _Sdk:
    """google-generativeai, and the two clients that are made for one profile."""

    genai: Any
    models: Any
    generative: Any


@dataclass(slots=True)
class Service:
    """The Gemini API as one profile reaches it; nothing is imported before the first call.

    Every method raises Unavailable, NotFound or ProviderError; threads may share it.
    """

    access: Access
    _rest: Rest = field(init=False)
    _opened: _Sdk | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        access = self.access
        self._rest = Rest(access.signer, access.timeout_s, access.advice, extra=EXTRA)

    def create(self, tuning: Tuning, rows: Iterable[tuple[str, str]]) -> JSON:
        """Return the operation that makes a tuned model. Refused (409) where the id is taken."""
        doing = f"creating tunedModels/{tuning.id}"
        given = tuning.hyperparameters
        data = message_of(self._sdk().genai.protos, rows)

        def call(sdk: _Sdk) -> JSON:
            operation = sdk.genai.create_tuned_model(
                tuning.base_model,
                data,
                id=tuning.id,
                display_name=tuning.display_name or None,
                description=tuning.description or None,
                epoch_count=given.get("epochs"),
                batch_size=given.get("batch_size"),
                learning_rate=given.get("learning_rate"),
                temperature=tuning.generation.temperature,
                top_p=tuning.generation.top_p,
                top_k=tuning.generation.top_k,
                client=_Multiplied(sdk.models, given.get("learning_rate_multiplier")),
                request_options=self._once(),
            )
            return _json(operation.operation)

        found = self._ask(doing, call, is_submit=True, hidden=lambda: words_of(data))
        if not found.get("name"):
            raise AmbiguousSubmit(f"{doing}: the answer names no operation")
        return found

    def operation(self, name: str) -> JSON:
        """Return an operation. NotFound where the service does not keep it (any more)."""
        return self._ask(
            f"reading {name}",
            lambda sdk: _json(sdk.models.get_operation({"name": name}, **self._once())),
        )

    def operations(self, model: str) -> list[JSON]:
        """Return the operations of a tuned model, a page at most; it has one, its making."""
        found = self._ask(
            f"listing the operations of {model}",
            lambda sdk: _json(sdk.models.list_operations({"name": model}, **self._once())),
        )
        return list(found.get("operations") or ())

    def tuned_model(self, name: str) -> JSON:
        """Return a tuned model. NotFound where there is none."""
        return self._ask(
            f"reading {name}",
            lambda sdk: _json(sdk.models.get_tuned_model({"name": name}, **self._once())),
        )

    def tuned_models(self) -> Iterator[JSON]:
        """Yield every tuned model in the service's order, asking for a page at a time."""
        return self._each(
            "listing tuned models",
            lambda sdk: sdk.models.list_tuned_models({"page_size": _PAGE}, **self._once()),
        )

    def base_models(self) -> Iterator[JSON]:
        """Yield every base model."""
        return self._each(
            "listing base models",
            lambda sdk: sdk.models.list_models({"page_size": _PAGE}, **self._once()),
        )

    def generate(self, model: str, prompt: str, config: Generation) -> JSON:
        """Return a model's answer to one prompt."""
        options = {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "top_k": config.top_k,
            "max_output_tokens": config.max_output_tokens,
        }
        request = {
            "model": model,
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "generation_config": {k: value for k, value in options.items() if value is not None},
        }
        return self._ask(
            f"asking {model}",
            lambda sdk: _json(sdk.generative.generate_content(request, **self._once())),
            hidden=lambda: prompt,
        )

    def count_tokens(self, model: str, prompt: str, response: str) -> int:
        """Return the tokens of one row, by a base model's own count."""
        turns = [
            {"role": role, "parts": [{"text": text}]}
            for role, text in (("user", prompt), ("model", response))
        ]
        request = {"model": model, "contents": turns}
        doing = f"counting tokens by {model}"
        found = self._ask(
            doing,
            lambda sdk: _json(sdk.generative.count_tokens(request, **self._once())),
            hidden=lambda: f"{prompt}\n{response}",
        )
        return total_of(found, request, doing=doing)

    def delete(self, name: str) -> None:
        """Delete a tuned model. NotFound where there is none."""
        self._ask(
            f"deleting {name}",
            lambda sdk: sdk.genai.delete_tuned_model(
                name, client=sdk.models, request_options=self._once()
            ),
        )

    # --- one request ---------------------------------------------------------------------------

    def _once(self) -> dict[str, Any]:
        """Return the options of a call that the client is not to repeat."""
        return {"retry": None, "timeout": self.access.timeout_s}

    def _each(self, doing: str, call: Callable[[_Sdk], Any]) -> Iterator[JSON]:
        items = iter(self._ask(doing, call))
        while (item := self._ask(doing, lambda _: next(items, None))) is not None:
            yield _json(item)

    def _ask(
        self,
        doing: str,
        call: Callable[[_Sdk], T],
        *,
        is_submit: bool = False,
        hidden: Callable[[], str] = str,
    ) -> T:
        sdk = self._sdk()
        from google.api_core.exceptions import GoogleAPICallError
        from google.protobuf.json_format import ParseError
        from requests import TooManyRedirects

        try:
            with self._rest.watching(doing, self.access.url, is_submit=is_submit):
                try:
                    return call(sdk)
                except TooManyRedirects as error:
                    raise fault(302, "", doing=doing) from error
        except TunekitError:
            raise
        except GoogleAPICallError as error:
            raise self._refusal(error, doing, is_submit=is_submit, hidden=hidden()) from error
        except Exception as error:
            # What the package says by itself may quote the answer; its kind says enough.
            text = f"{doing}: google-generativeai can't read the answer ({type(error).__name__})"
            if is_submit:
                raise AmbiguousSubmit(text) from error
            is_passing = isinstance(error, ParseError)
            raise (Unavailable(text) if is_passing else ProviderError(text)) from error

    def _refusal(self, error: Any, doing: str, *, is_submit: bool, hidden: str) -> ProviderError:
        answer = error.response
        return self.access.refusal(
            int(answer.status_code),
            answer.content[:_MOST_REFUSAL_BYTES].decode("utf-8", "replace"),
            doing=doing,
            is_submit=is_submit,
            retry_after_s=retry_after_s(answer.headers.get("retry-after")),
            hidden=hidden,
        )

    # --- the package ---------------------------------------------------------------------------

    def _sdk(self) -> _Sdk:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> _Sdk:
        genai = load("google.generativeai", package="google-generativeai", extra=EXTRA)
        wire = load(
            "google.ai.generativelanguage_v1beta", package="google-generativeai", extra=EXTRA
        )
        signer = self._rest.signer()
        clients = [
            kind(
                credentials=signer,
                transport="rest",
                client_options={"api_endpoint": self.access.url},
            )
            for kind in (wire.ModelServiceClient, wire.GenerativeServiceClient)
        ]
        for client in clients:
            self._tame(client.transport._session)
        return _Sdk(genai, *clients)

    def _tame(self, session: Any) -> None:
        """Make a client's session send what it is told, once, to whom it is told."""
        access = self.access
        tame(session, is_local=access.is_local)
        session.max_redirects = 0  # one would carry the API key along
        if access.is_local or access.api_key_env:
            # There is nothing to refresh: the 401 would be asked for three times, or hidden.
            session._refresh_status_codes = ()


@dataclass(frozen=True, slots=True)
class _Multiplied:
    """A client that adds the one hyperparameter which the package's function has no word for."""

    client: Any
    multiplier: float | None

    def create_tuned_model(self, request: dict[str, Any], **options: Any) -> Any:
        if self.multiplier is not None:
            task = request["tuned_model"].tuning_task
            task.hyperparameters.learning_rate_multiplier = self.multiplier
        return self.client.create_tuned_model(request, **options)


def _json(message: Any) -> JSON:
    """Return a protocol buffer as the JSON that the service documents; odd enums stay numbers."""
    from google.protobuf.json_format import MessageToDict

    plain = type(message).pb(message) if hasattr(type(message), "pb") else message
    found: JSON = MessageToDict(plain)
    return found
