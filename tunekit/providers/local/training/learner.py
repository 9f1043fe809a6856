"""What the training loop asks of a model in training, and what a saved one is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .interface import Evaluation

GENERATION_BATCH = 32
"""Prompts are read and answered so many at a time."""
LOSS_OF_UNKNOWN = 16.0
"""Nats charged in an evaluation for an outcome that the model cannot predict: about 1e-7."""

T = TypeVar("T")


class Snapshot(NamedTuple):
    """A model as it is saved: a JSON object, and arrays by name."""

    description: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Learner(Protocol):
    """A model in training, which holds the rows it is trained on."""

    def step(self, rows: NDArray[np.int64]) -> Evaluation:
        """Update the weights from the rows and return their scores before the update."""
        ...

    def evaluate(self) -> Evaluation | None:
        """Score the validation rows; None where there are none."""
        ...

    def snapshot(self) -> Snapshot:
        """Return what a checkpoint holds."""
        ...


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one perhaps shorter, reading no further than asked."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def pool(parts: Iterable[Evaluation]) -> Evaluation:
    """Return the mean of the parts, weighted by their predictions; 0 where there are none."""
    found = list(parts)
    predictions = sum(part.predictions for part in found)
    if not predictions:
        return Evaluation(0.0, 0.0, 0)
    loss = sum(part.loss * part.predictions for part in found) / predictions
    correct = sum(part.correct * part.predictions for part in found) / predictions
    return Evaluation(loss, correct, predictions)
