"""The trainer behind the local provider: small models, really trained, on this machine.

Importing it, and `check`, need the standard library only; `train` and `load` load numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from .interface import BaseModel, Evaluation, Fit, Model, StepReport

__all__ = [
    "BASE_MODELS",
    "BaseModel",
    "Evaluation",
    "Fit",
    "Model",
    "StepReport",
    "check",
    "load",
    "total_steps",
    "train",
]

BASE_MODELS: Mapping[str, BaseModel] = MappingProxyType(
    {
        "text-editor": BaseModel(
            name="text-editor",
            summary="Edits the input token by token: masking, correction, extraction.",
            epochs=3,
            batch_size=4,
            learning_rate=0.1,
        ),
        "text-classifier": BaseModel(
            name="text-classifier",
            summary="Answers with one of the labels it was trained on.",
            epochs=5,
            batch_size=32,
            learning_rate=0.2,
        ),
    }
)


def check(base_model: str, train: Sequence[tuple[str, str]]) -> Fit:
    """Say how much of the (prompt, response) rows the base model can express, without training.

    Raises ValueError for an unknown base model.
    """
    from .fitness import check_classifier, check_editor

    _require_known(base_model)
    return check_editor(train) if base_model == "text-editor" else check_classifier(train)


def total_steps(rows: int, *, epochs: int, batch_size: int) -> int:
    """Return the number of optimizer steps; the last batch of an epoch may be smaller."""
    return -(-rows // batch_size) * epochs


def train(
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
    """Train on the (prompt, response) rows and leave a checkpoint an epoch, `folder/epoch-1` on.

    One optimizer step a batch; the rows are shuffled anew every epoch, from the seed. `on_step` is
    called after each step, and after the checkpoint at an epoch's last one; what it raises stops
    the training and is passed on. The same rows, settings and seed give the same files, byte for
    byte, on the same machine and library versions. Rows that the model cannot express are left
    out of the loss. Raises ValueError for an unknown base model, no rows, or settings out of range.
    """
    from .loop import run

    _require_known(base_model)
    run(
        base_model,
        train,
        validation,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        folder=folder,
        on_step=on_step,
    )


def load(folder: Path) -> Model:
    """Read one checkpoint. Raises FileNotFoundError, or ValueError where it is not one."""
    from .loop import read_model

    return read_model(folder)


def _require_known(base_model: str) -> None:
    if base_model not in BASE_MODELS:
        known = ", ".join(BASE_MODELS)
        raise ValueError(f"unknown base model {base_model!r}; known are {known}")
