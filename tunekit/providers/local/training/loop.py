"""The training loop, and which learner and model belong to which base model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from . import total_steps
from .checkpoint import make_folder, read_checkpoint, write_checkpoint
from .classifier import ClassifierLearner, ClassifierModel
from .editor import EditorLearner, EditorModel
from .interface import Evaluation, Model, StepReport
from .learner import Learner, pool

MOST_CHECKPOINTS = 20


def run(
    base_model: str,
    train: Sequence[tuple[str, str]],
    validation: Sequence[tuple[str, str]],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    folder: Path,
    on_step: Callable[[StepReport], None],
) -> None:
    """Train, report every step and leave a checkpoint an epoch, as the package's `train` says."""
    _check_settings(train, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    make_folder(folder)
    make = EditorLearner if base_model == "text-editor" else ClassifierLearner
    learner: Learner = make(train, validation, learning_rate=learning_rate, seed=seed)
    order = np.random.default_rng([abs(seed), int(seed < 0), 0])
    total = total_steps(len(train), epochs=epochs, batch_size=batch_size)
    step = 0
    for epoch in range(1, epochs + 1):
        rows = order.permutation(len(train))
        scores: list[Evaluation] = []
        for start in range(0, len(rows), batch_size):
            step += 1
            scores.append(learner.step(rows[start : start + batch_size]))
            evaluation = mean_loss = None
            if start + batch_size >= len(rows):
                evaluation = learner.evaluate()
                mean_loss = pool(scores).loss
                if is_kept(epoch, epochs):
                    write_checkpoint(folder / f"epoch-{epoch}", learner.snapshot())
            on_step(
                StepReport(
                    step=step,
                    total_steps=total,
                    epoch=epoch,
                    loss=scores[-1].loss,
                    correct=scores[-1].correct,
                    predictions=scores[-1].predictions,
                    evaluation=evaluation,
                    mean_loss=mean_loss,
                )
            )


def is_kept(epoch: int, epochs: int) -> bool:
    """True where an epoch's checkpoint is kept: each of up to 20, then evenly spaced, and the last.

    A checkpoint takes megabytes, so that a thousand of them would fill a disk.
    """
    every = math.ceil(epochs / MOST_CHECKPOINTS)
    return epoch % every == 0 or epoch == epochs


def read_model(folder: Path) -> Model:
    """Read a checkpoint. Raises FileNotFoundError, or ValueError where it is not one."""
    snapshot = read_checkpoint(folder)
    match snapshot.description.get("base_model"):
        case "text-editor":
            return EditorModel.from_snapshot(snapshot)
        case "text-classifier":
            return ClassifierModel.from_snapshot(snapshot)
        case other:
            raise ValueError(f"{folder / 'model.json'} is of an unknown base model: {other!r}")


def _check_settings(
    train: Sequence[tuple[str, str]], *, epochs: int, batch_size: int, learning_rate: float
) -> None:
    if not train:
        raise ValueError("there are no training rows")
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; it must be 1 or more")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0 and finite")
