"""Tokens of rows as training bills them, by countTokens of the base model or on this machine.

Billed are, of supervised tuning, a row's tokens; of preference tuning 2 x its prompt and both
answers: so that prompt is counted once with each. Sources: see `tunekit.plan.cost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tunekit.errors import Unsupported
from tunekit.model import Example, JobSpec
from tunekit.providers.google.counting import texts_of, total_of
from tunekit.providers.google.generation import in_order
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.places import Places, base_name

JSON = dict[str, Any]

_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Counter:
    rest: Rest
    places: Places

    def count(self, job: JobSpec, rows: Iterable[Example]) -> Iterator[int]:
        """Return the tokens of each row, in order; up to 8 rows are asked about at once.

        At an error, what came before it has been yielded.
        """
        base = base_name(job.base_model)
        if base is None:
            raise Unsupported(f"{job.base_model[:200]!r} is no base model that counts tokens")
        location = limits.serving_location(base, self.places.location)
        name = (
            f"projects/{self.places.project}/locations/{location}/publishers/google/models/{base}"
        )
        url = self.places.url(name, ":countTokens")
        doing = f"count tokens by {base}"

        def total(body: JSON) -> int:
            hidden = "\n".join(texts_of(body))
            answer = self.rest.call("POST", url, body=body, doing=doing, hidden=hidden)
            return total_of(answer, body, doing=doing)

        def ask(example: Example) -> int:
            return sum(map(total, bodies(example, job)))

        return in_order(ask, rows, at_once=_IN_FLIGHT)


def count_here(job: JobSpec, rows: Iterable[Example]) -> Iterator[int]:
    """Yield the tokens of each row by the base model's tokenizer; only texts count."""
    from tunekit.providers.google.tokenizer import counter

    count = counter(base_name(job.base_model) or job.base_model)
    for example in rows:
        yield sum(count(texts_of(body)) for body in bodies(example, job))


def bodies(example: Example, job: JobSpec) -> list[JSON]:
    """Return the requests that count a row: one, or one for each answer that it prefers between."""
    import orjson

    from tunekit.providers.vertex.rows import row_of

    row = dict(
        orjson.loads(example.raw)
        if example.raw is not None
        else row_of(example, method=job.method, system=job.dataset.system_instruction)
    )
    about: JSON = {key: row[key] for key in ("systemInstruction", "tools") if key in row}
    if system := row.get("system_instruction"):
        about["systemInstruction"] = system
    # A system turn counts for nothing in the service.
    turns = [turn for turn in row["contents"] if turn.get("role") != "system"]
    if job.method != "preference":
        return [{"contents": turns, **about}]
    answers = [scored["completion"] for scored in row["completions"]]
    return [{"contents": [*turns, answer], **about} for answer in answers]
