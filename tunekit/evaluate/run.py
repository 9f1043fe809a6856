"""Asking a tuned model about held-out rows and scoring what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tunekit.errors import ProviderError
from tunekit.evaluate.scores import exact_match, score
from tunekit.model import Completion, Example


@dataclass(frozen=True, slots=True)
class Answer:
    """One held-out row and what the model made of it."""

    example: Example
    text: str

    @property
    def is_right(self) -> bool:
        return exact_match(self.example.response, self.text) == 1.0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Scores of the model and, on the same rows, of two answers that need no model.

    `copy`: the input given back unchanged. `majority`: always the most frequent expected answer.
    """

    answers: tuple[Answer, ...]
    scores: dict[str, float]
    copy: dict[str, float]
    majority: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as plain data, without any row."""
        return {
            "rows": len(self.answers),
            "scores": self.scores,
            "baselines": {"copy": self.copy, "majority": self.majority},
        }


def evaluate(
    asked: Callable[[Sequence[str]], Iterable[Completion]],
    model: str,
    examples: Sequence[Example],
    *,
    metrics: Sequence[str],
    on_answer: Callable[[], None],
) -> Evaluated:
    """Ask for every example, in order, and score the answers.

    `asked` yields the model's answer to each prompt. ProviderError where they are fewer.
    """
    answers = []
    completions = asked([example.prompt for example in examples])
    for example, completion in zip(examples, completions, strict=False):
        answers.append(Answer(example, completion.text))
        on_answer()
    if len(answers) != len(examples):
        raise ProviderError(
            f"{model} answered {len(answers)} of {len(examples)} rows; nothing was recorded"
        )
    expected = [example.response for example in examples]
    most_frequent = Counter(expected).most_common(1)[0][0] if expected else ""
    return Evaluated(
        answers=tuple(answers),
        scores=score(metrics, ((a.example.response, a.text) for a in answers)),
        copy=score(metrics, ((e.response, e.source) for e in examples)),
        majority=score(metrics, ((text, most_frequent) for text in expected)),
    )
