"""Answers of tuned models: generateContent on an endpoint, in the endpoint's own location."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tunekit.errors import NotFound
from tunekit.model import Completion, Generation
from tunekit.providers.google.generation import completion, in_order
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.places import ENDPOINT, MODEL, Places, base_name, require

IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Generator:
    rest: Rest
    places: Places

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Return one answer a prompt, in order; up to 8 are asked for at once.

        `model` is an endpoint, a tuned model (its default checkpoint's endpoint is asked), or the
        name of a base model. At an error, what came before it has been yielded.
        """
        url = self._address(model)
        options = config_of(config)

        def ask(prompt: str) -> Completion:
            body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
            if options:
                body["generationConfig"] = options
            if config.system_instruction:
                body["systemInstruction"] = {"parts": [{"text": config.system_instruction}]}
            answer = self.rest.call("POST", url, body=body, doing=f"ask {model}", hidden=prompt)
            return completion(answer)

        return in_order(ask, prompts, at_once=IN_FLIGHT)

    def _address(self, model: str) -> str:
        if ENDPOINT.fullmatch(model):
            return self.places.url(model, ":generateContent")
        if MODEL.fullmatch(model):
            return self.places.url(self._endpoint_of(model), ":generateContent")
        base = base_name(model)
        if base is None:
            raise NotFound(f"{model[:200]!r} is no endpoint or model of Vertex AI")
        location = limits.serving_location(base, self.places.location)
        name = (
            f"projects/{self.places.project}/locations/{location}/publishers/google/models/{base}"
        )
        return self.places.url(name, ":generateContent")

    def _endpoint_of(self, model: str) -> str:
        found = self.rest.call("GET", self.places.url(model), doing=f"look at {model}")
        wanted = found.get("defaultCheckpointId")
        deployed = found.get("deployedModels")
        refs = [r for r in deployed if isinstance(r, dict)] if isinstance(deployed, list) else []
        chosen = [r for r in refs if wanted and r.get("checkpointId") == wanted] or refs[-1:]
        if not chosen:
            raise NotFound(f"{model} is deployed nowhere; it can't be asked")
        return require(str(chosen[0].get("endpoint")), ENDPOINT, "endpoint")


def config_of(config: Generation) -> dict[str, Any]:
    """Return a generationConfig with what is set."""
    given = {
        "temperature": config.temperature,
        "topP": config.top_p,
        "topK": config.top_k,
        "maxOutputTokens": config.max_output_tokens,
    }
    return {key: value for key, value in given.items() if value is not None}
