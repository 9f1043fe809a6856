"""What asking costs, by estimated tokens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunekit.errors import UsageError
from tunekit.evaluate.run import Question
from tunekit.model import AskingPrice, Completion
from tunekit.model.data import estimated_tokens


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts tokens into USD. `system_tokens` are sent with every question."""

    price: AskingPrice
    system_tokens: int = 0

    def expected_usd(self, questions: Sequence[Question]) -> float:
        """Return what asking costs where the model answers as long as is expected."""
        return sum(self._usd(question, len(question.example.response)) for question in questions)

    def usd(self, question: Question, completion: Completion) -> float:
        """Return what one answer cost."""
        return self._usd(question, len(completion.text))

    def _usd(self, question: Question, answered: int) -> float:
        sent = estimated_tokens(len(question.example.prompt)) + self.system_tokens
        return (
            sent * self.price.input_usd + estimated_tokens(answered) * self.price.output_usd
        ) / 1e6


def require_affordable(expected_usd: float, most_usd: float, rows: int) -> None:
    """UsageError where asking would cost more than it may."""
    if expected_usd > most_usd:
        raise UsageError(
            f"asking {rows:,} rows costs about {expected_usd:.4g} USD, and evaluate.max_cost_usd "
            f"is {most_usd:.4g}; raise it, or ask fewer with --rows; nothing was asked"
        )
