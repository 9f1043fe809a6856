"""countTokens of base models and endpoints, by the emulator's own measure: words and marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import deployments, rows, wire
from .tuned_models import BASES
from .tuning_jobs import GEMINI
from .wire import JSON
from .world import Call, World


def of_endpoint(world: World, call: Call) -> JSON:
    """Count for a tuned model of Vertex AI."""
    deployments.find_endpoint(world, call)
    return _of_vertex(call)


def of_publisher(world: World, call: Call) -> JSON:
    """Count for a base model of Vertex AI."""
    name = call.path["base"]
    if name not in GEMINI:
        raise wire.not_found(f"Publisher Model `publishers/google/models/{name}`")
    return _of_vertex(call)


def of_base_model(world: World, call: Call) -> JSON:
    """Count for a base model of the Gemini API: of contents, or of a whole request."""
    name = call.path["base"]
    if name not in GEMINI and f"models/{name}" not in BASES:
        raise wire.not_found(f"models/{name}")
    whole = call.body.get("generateContentRequest")
    if whole and call.body.get("contents"):
        text = "Only one of contents and generate_content_request may be set."
        raise wire.bad_fields([("contents", text)])
    return {"totalTokens": sum(map(rows.count_tokens, _texts(whole or call.body)))}


def _of_vertex(call: Call) -> JSON:
    texts = list(_texts(call.body))
    tokens = sum(map(rows.count_tokens, texts))
    return {
        "totalTokens": tokens,
        # The service leaves white space out of this count.
        "totalBillableCharacters": sum(len("".join(text.split())) for text in texts),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    }


def _texts(body: JSON) -> Iterator[str]:
    """Yield the text of every turn, the system instruction's too. ApiError where there is none."""
    contents = body.get("contents")
    if not contents:
        raise wire.bad_fields([("contents", "contents is not specified.")])
    turns: list[Any] = [body.get("systemInstruction") or {"parts": []}]
    turns += contents if isinstance(contents, list) else [contents]
    for turn in turns:
        yield "".join(part.get("text", "") for part in turn["parts"])
