"""Examples as elements of a create request's training data.

Source: TuningExample of google.ai.generativelanguage.v1beta.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tunekit.errors import ProviderError

# Of a row beside its texts: keys, braces, quotes, white space.
_ROW_BYTES = 75


def line_of(prompt: str, response: str) -> bytes:
    """Return one row as JSON, a line with its end: what a request's element says."""
    example = {"textInput": prompt, "output": response}
    return json.dumps(example, ensure_ascii=False).encode() + b"\n"


def message_of(protos: Any, rows: Iterable[tuple[str, str]]) -> Any:
    """Return rows as the service takes them. ProviderError for one that no request can hold."""
    examples = []
    for number, (prompt, response) in enumerate(rows, 1):
        try:
            examples.append(protos.TuningExample(text_input=prompt, output=response))
        except (UnicodeError, ValueError):
            # From None: the cause quotes the row.
            raise ProviderError(
                f"training row {number} holds half a surrogate pair, which is no text; correct it"
            ) from None
    return protos.Dataset(examples={"examples": examples})


def words_of(data: Any) -> str:
    """Return all text of the rows that were sent, for keeping it out of errors."""
    examples = data.examples.examples
    return "\n".join(text for one in examples for text in (one.text_input, one.output))


def row_bytes(prompt: str, response: str) -> int:
    """Return how much one row adds to a create request: characters past ASCII are `\\uXXXX`."""
    return _ROW_BYTES + len(json.dumps(prompt)) + len(json.dumps(response))
