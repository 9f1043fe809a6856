"""A small job: rows that a few steps suffice to learn, already rendered."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping

from tunekit.model import (
    ONLY_TRIAL,
    Example,
    JobSpec,
    PreparedDataset,
    SplitInfo,
    digest,
    token_for,
)

_NAMES = ("Ana", "Bo", "Cem", "Dee")
_TEMPLATES = ("{n} wants order {o} back", "Where is {o} of row {i}?", "Hello {i} from {n}")


def sample_job(
    *,
    base_model: str,
    hyperparameters: Mapping[str, int | float],
    rows: int = 48,
    validation_rows: int = 0,
) -> JobSpec:
    """Return a job that teaches to mask names and order numbers; no two prompts are equal."""
    splits = {"train": _examples(rows, start=0)}
    if validation_rows:
        splits["validation"] = _examples(validation_rows, start=rows)

    def read(split: str) -> Iterator[Example]:
        return iter(splits[split])

    infos = {name: _info(examples) for name, examples in splits.items()}
    return JobSpec(
        experiment="contract",
        trial=ONLY_TRIAL,
        base_model=base_model,
        method="supervised",
        hyperparameters=dict(hyperparameters),
        dataset=PreparedDataset(digest([i.digest for i in infos.values()]), infos, read),
        display_name="contract-suite",
        description="A job of the contract suite; it may be deleted.",
        tags={"suite": "contract"},
    )


def fresh_token() -> str:
    """Return a token that was never used before."""
    chance = secrets.token_hex(16)
    return token_for(chance, experiment="contract", trial=ONLY_TRIAL, revision="", attempt=1)


def absent(name: str, *, token: str) -> str:
    """Return a name of the same form that nothing has: of another token, or of other digits."""
    if token in name:
        return name.replace(token, fresh_token())
    head, slash, last = name.rpartition("/")
    kept, changed = last[:-8], last[-8:]
    return head + slash + kept + "".join(map(_other, changed))


def _other(character: str) -> str:
    for first, count in (("0", 10), ("a", 26), ("A", 26)):
        place = ord(character) - ord(first)
        if 0 <= place < count:
            return chr(ord(first) + (place + 1) % count)
    return character


def _examples(count: int, *, start: int) -> list[Example]:
    chance = random.Random(start)  # noqa: S311
    found = []
    for number in range(start, start + count):
        name, order = chance.choice(_NAMES), f"#{chance.randrange(1000, 9999)}"
        template = _TEMPLATES[number % len(_TEMPLATES)] + " (case {i})"
        text = template.format(n=name, o=order, i=number)
        masked = template.format(n="[NAME]", o="[ORDER]", i=number)
        found.append(Example(f"Mask: {text}", masked, text, number + 1))
    return found


def _info(examples: list[Example]) -> SplitInfo:
    pairs = [[example.prompt, example.response] for example in examples]
    return SplitInfo(len(pairs), sum(len(text) for pair in pairs for text in pair), digest(pairs))
