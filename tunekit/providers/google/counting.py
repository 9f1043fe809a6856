"""countTokens of both services: what a request's texts are, and what its answer says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunekit.errors import ProviderError

JSON = Mapping[str, Any]


def texts_of(body: JSON) -> Iterator[str]:
    """Yield each text of a request: the system instruction's, and that of every turn."""
    for turn in (body.get("systemInstruction") or {}, *body["contents"]):
        for part in turn.get("parts") or ():
            if text := part.get("text"):
                yield text


def total_of(answer: JSON, body: JSON, *, doing: str) -> int:
    """Return the tokens that an answer counts. ProviderError where it counts none.

    JSON leaves a zero out, which only a request without a text may have.
    """
    total = answer.get("totalTokens")
    if total is None and not any(texts_of(body)):
        return 0
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise ProviderError(f"{doing}: the answer has no totalTokens")
    return total
