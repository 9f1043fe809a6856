"""Answers of tuned models: generateContent on an endpoint, in the endpoint's own location."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tunekit.errors import NotFound
from tunekit.model import Completion, Generation
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.places import ENDPOINT, MODEL, Places, base_name, require

_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Generator:
    rest: Rest
    places: Places

    def generate(
        self, model: str, prompts: Iterable[str], config: Generation
    ) -> Iterator[Completion]:
        """Yield one answer a prompt, in order; up to 8 are asked for at once.

        `model` is an endpoint, a tuned model (its default checkpoint's endpoint is asked), or the
        name of a base model. At an error, what came before it has been yielded.
        """
        url = self._address(model)
        options = config_of(config)

        def ask(prompt: str) -> Completion:
            body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
            if options:
                body["generationConfig"] = options
            answer = self.rest.call("POST", url, body=body, doing=f"ask {model}", hidden=prompt)
            return completion(answer)

        waiting = iter(prompts)
        pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="tunekit-generate")
        flying: deque[Future[Completion]] = deque()
        try:
            flying.extend(pool.submit(ask, prompt) for prompt in islice(waiting, _IN_FLIGHT))
            while flying:
                yield flying.popleft().result()
                flying.extend(pool.submit(ask, prompt) for prompt in islice(waiting, 1))
        finally:
            # Nobody waits for what is still in flight: Ctrl-C is obeyed at once.
            pool.shutdown(wait=False, cancel_futures=True)

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


def completion(answer: Mapping[str, Any]) -> Completion:
    """Return the first candidate's text; a blocked or empty answer is empty and says why."""
    candidates = answer.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(first, Mapping):
        feedback = answer.get("promptFeedback")
        reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
        return Completion("", finish=str(reason or "NO_CANDIDATES")[:80])
    content = first.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    texts = [
        part["text"]
        for part in (parts if isinstance(parts, list) else [])
        # A thinking model's thoughts are not its answer.
        if isinstance(part, Mapping)
        and isinstance(part.get("text"), str)
        and not part.get("thought")
    ]
    return Completion("".join(texts), finish=str(first.get("finishReason") or "")[:80])
