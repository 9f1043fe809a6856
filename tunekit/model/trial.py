"""One point of an experiment: its spec, its data, and what makes it a revision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tunekit.model.data import PreparedDataset
from tunekit.model.spec import Experiment

# An experiment without a sweep has one trial, and this is its key.
ONLY_TRIAL = "main"


def trial_name(experiment: str, key: str) -> str:
    """Return what people call a trial: the experiment's name where it has only one."""
    return experiment if key == ONLY_TRIAL else f"{experiment}/{key}"


def revision_identity(experiment: Experiment, dataset: PreparedDataset) -> dict[str, Any]:
    """Return all that affects training, and nothing else, as plain data."""
    return {
        "provider": experiment.provider,
        "base_model": experiment.base_model,
        "method": experiment.tuning.method,
        "hyperparameters": experiment.tuning.hyperparameters(),
        "dataset": dataset.training_identity(),
    }


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of an experiment, ready for planning: the spec, its data and its digest."""

    experiment: Experiment
    dataset: PreparedDataset
    digest: str
    key: str = ONLY_TRIAL

    @property
    def name(self) -> str:
        return trial_name(self.experiment.name, self.key)


def token_for(registry_id: str, *, experiment: str, trial: str, revision: str, attempt: int) -> str:
    """Return the name under which one attempt is submitted, equal for equal arguments.

    29 characters, legal as a Vertex AI label value and as a Gemini API tuned model id.
    """
    text = "\0".join((registry_id, experiment, trial, revision, str(attempt)))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    alphabet = "0123456789abcdefghijklmnopqrstuv"
    return "tk-" + "".join(alphabet[number >> shift & 31] for shift in range(0, 130, 5))
