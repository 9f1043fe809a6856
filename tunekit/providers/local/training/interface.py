"""What a caller of the trainer hands in and gets back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that can be trained here, with the hyperparameters it is trained with by default."""

    name: str
    summary: str
    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How much of the training data a base model can express.

    `unfit` counts the rows that it cannot, `unfit_rows` holds the first few of them (from 0),
    `better` names the other base model where only that one can express the data.
    """

    rows: int
    unfit: int
    unfit_rows: tuple[int, ...]
    reason: str
    better: str | None
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean cross-entropy in nats, and the fraction right, of so many predictions."""

    loss: float
    correct: float
    predictions: int


@dataclass(frozen=True, slots=True)
class StepReport:
    """One optimizer step: its batch's scores before the update, and an epoch's scores at its end.

    `loss` is the mean cross-entropy in nats, `correct` a fraction, `predictions` the number of
    predictions they are means of: tokens for text-editor, rows for text-classifier. A batch none
    of whose rows can be expressed has no predictions, and loss and correct 0. `mean_loss` is the
    epoch's mean over predictions.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    correct: float
    predictions: int
    evaluation: Evaluation | None
    mean_loss: float | None


class Model(Protocol):
    """A trained model."""

    def generate(
        self,
        prompts: Iterable[str],
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        max_output_tokens: int | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yield one answer a prompt, in order, reading the prompts a batch at a time."""
        ...
