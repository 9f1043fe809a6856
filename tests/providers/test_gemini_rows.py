"""What a refusal of the Gemini API repeats of the rows and prompts that were sent."""

from __future__ import annotations

import pytest

from tests.providers.gemini import GREEDY, TOKEN, Told, job, opened
from tunekit.errors import ProviderError

CANARY = "Ana Canary lives in Lund"


def quoting(method: str, path: str, body: bytes) -> tuple[int, object]:
    message = f"examples[0].text_input: invalid value: {CANARY}"
    return 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}


def test_a_refusal_that_quotes_a_row_or_a_prompt_is_told_without_it() -> None:
    server = Told(quoting)
    try:
        provider = opened(server.url)
        with pytest.raises(ProviderError, match="HTTP 400") as of_submit:
            provider.submit(job([(f"Mask: {CANARY}", "none")]), TOKEN)
        with pytest.raises(ProviderError, match="HTTP 400") as of_answer:
            list(provider.generate("tunedModels/a", [f"Mask: {CANARY}"], GREEDY))
    finally:
        server.close()
    assert len(server.requests) == 2
    assert "Canary" not in f"{of_submit.value}{of_answer.value}"
