"""generateContent and streamGenerateContent of tuned endpoints, tuned models and base models.

Tuned models answer by the local trainer. Base models have nothing behind them: they repeat the
prompt. Without a temperature the likeliest answer is given, so that tests repeat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.responses import Response, StreamingResponse

from . import deployments, rows, trainer, wire
from .tuned_models import BASES, find_ready
from .tuning_jobs import GEMINI
from .wire import JSON
from .world import Call, World

_WORDS_A_CHUNK = 2


def from_endpoint(world: World, call: Call) -> Any:
    """Answer by the checkpoint that an endpoint serves."""
    with world.lock:
        endpoint = deployments.find_endpoint(world, call)
        if not endpoint.get("deployedModels"):
            raise wire.precondition(f"Endpoint {endpoint['name']} has no deployed model.")
        deployed = endpoint["deployedModels"][0]
        folder = world.checkpoints[endpoint["name"]]
    version = f"{deployed['model']}@{deployed['modelVersionId']}"
    return _answer(world, call, folder, version=version)


def from_publisher(world: World, call: Call) -> Any:
    """Answer for a base model of Vertex AI."""
    name = call.path["base"]
    if name not in GEMINI:
        raise wire.not_found(f"Publisher Model `publishers/google/models/{name}`")
    return _answer(world, call, None, version=name)


def from_tuned_model(world: World, call: Call) -> Any:
    """Answer by a tuned model of the Gemini API."""
    with world.lock:
        model = find_ready(world, call.path["tuned"])
        names = ("temperature", "topP", "topK")
        defaults: JSON = {name: model.wire[name] for name in names if name in model.wire}
    return _answer(world, call, model.checkpoint(), version=model.name, defaults=defaults)


def from_base_model(world: World, call: Call) -> Any:
    """Answer for a base model of the Gemini API."""
    name = call.path["base"]
    if name not in GEMINI and f"models/{name}" not in BASES:
        raise wire.not_found(f"models/{name}")
    return _answer(world, call, None, version=name)


def _answer(
    world: World,
    call: Call,
    folder: Path | None,
    *,
    version: str,
    defaults: JSON | None = None,
) -> Any:
    contents = call.body.get("contents")
    if not contents:
        raise wire.bad_fields([("contents", "contents is not specified.")])
    try:
        prompt = rows.prompt_of(contents)
    except (KeyError, TypeError, AttributeError):
        raise wire.bad_fields([("contents", "Each turn needs parts with text.")]) from None
    config = {**(defaults or {}), **(call.body.get("generationConfig") or {})}
    texts = _generate(folder, prompt, config)
    most = config.get("maxOutputTokens")
    ends = ["MAX_TOKENS" if most and rows.count_tokens(t) >= int(most) else "STOP" for t in texts]
    is_vertex = call.version != "v1beta"
    common: JSON = {"modelVersion": version}
    if is_vertex:
        common |= {"createTime": world.now(), "responseId": world.new_id()}
    used = sum(map(rows.count_tokens, texts))
    asked = rows.count_tokens(prompt)
    usage = {
        "promptTokenCount": asked,
        "candidatesTokenCount": used,
        "totalTokenCount": asked + used,
    }
    if not call.path["verb"].startswith("stream"):
        candidates = [
            _candidate(i, text, end) for i, (text, end) in enumerate(zip(texts, ends, strict=True))
        ]
        return {"candidates": candidates, "usageMetadata": usage, **common}
    chunks = _chunks(texts[0], ends[0], common, usage)
    if "enum-encoding=int" in call.asked("$alt"):
        chunks = [wire.with_enum_numbers(chunk) for chunk in chunks]
    return _stream(chunks, is_sse=call.asked("alt") == "sse")


def _generate(folder: Path | None, prompt: str, config: JSON) -> list[str]:
    try:
        count = int(config.get("candidateCount") or 1)
        if not 1 <= count <= 8:
            raise ValueError("candidate_count must be from 1 to 8")
        if folder is None:
            return [prompt] * count
        options: dict[str, Any] = {
            "temperature": float(config.get("temperature") or 0.0),
            "top_p": float(config.get("topP") or 1.0),
            "top_k": int(config.get("topK") or 0),
            "max_output_tokens": int(config.get("maxOutputTokens") or 0) or None,
        }
        seed = int(config.get("seed") or 0)
        model = trainer.load(folder)
        answers = [
            next(iter(model.generate([prompt], seed=seed + i, **options))) for i in range(count)
        ]
    except (ValueError, TypeError) as error:
        raise wire.bad_fields([("generation_config", str(error))]) from None
    return [_stopped(text, config.get("stopSequences") or []) for text in answers]


def _stopped(text: str, stops: list[str]) -> str:
    for stop in stops:
        text = text.split(stop)[0] if stop else text
    return text


def _candidate(index: int, text: str, end: str) -> JSON:
    candidate: JSON = {"content": {"role": "model", "parts": [{"text": text}]}}
    if end:
        candidate["finishReason"] = end
    if index:
        candidate["index"] = index
    return candidate


def _chunks(text: str, end: str, common: JSON, usage: JSON) -> list[JSON]:
    words = re.findall(r"\S+\s*|\s+", text) or [""]
    pieces = ["".join(words[i : i + _WORDS_A_CHUNK]) for i in range(0, len(words), _WORDS_A_CHUNK)]
    chunks: list[JSON] = [{"candidates": [_candidate(0, piece, "")], **common} for piece in pieces]
    chunks[-1] = {"candidates": [_candidate(0, pieces[-1], end)], "usageMetadata": usage, **common}
    return chunks


def _stream(chunks: list[JSON], *, is_sse: bool) -> Response:
    def events() -> Iterator[bytes]:
        for chunk in chunks:
            yield b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"

    def array() -> Iterator[bytes]:
        for number, chunk in enumerate(chunks):
            yield (b"," if number else b"[") + json.dumps(chunk).encode() + b"\r\n"
        yield b"]"

    if is_sse:
        return StreamingResponse(events(), media_type="text/event-stream")
    return StreamingResponse(array(), media_type="application/json")
