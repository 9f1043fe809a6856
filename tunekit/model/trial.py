"""One point of an experiment: its spec, its data, and what makes it a revision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tunekit.model.data import PreparedDataset, digest
from tunekit.model.spec import Experiment

# An experiment without a sweep has one trial, and this is its key.
ONLY_TRIAL = "main"


def trial_name(experiment: str, key: str) -> str:
    """Return what people call a trial: the experiment's name where it has only one."""
    return experiment if key == ONLY_TRIAL else f"{experiment}/{key}"


def trial_key(name: str) -> tuple[str, str]:
    """Return the experiment and the key that `trial_name` made a name of."""
    experiment, _, key = name.partition("/")
    return experiment, key or ONLY_TRIAL


@dataclass(frozen=True, slots=True)
class TunedBase:
    """A tuned model that tuning continues from; no checkpoint means its last."""

    model: str
    checkpoint: str | None = None


def revision_identity(
    experiment: Experiment, dataset: PreparedDataset, base: TunedBase | None = None
) -> dict[str, Any]:
    """Return all that affects training, and nothing else, as plain data.

    What is as it usually is stands for nothing, so that new keys leave old revisions alone.
    """
    identity: dict[str, Any] = {
        "provider": experiment.provider,
        "base_model": base.model if base else experiment.base_model,
        "method": experiment.tuning.method,
        "hyperparameters": experiment.tuning.hyperparameters(),
        "dataset": dataset.training_identity(),
    }
    if checkpoint := base.checkpoint if base else experiment.base_checkpoint:
        identity["base_checkpoint"] = checkpoint
    if experiment.tuning.export_last_checkpoint_only:
        identity["export_last_checkpoint_only"] = True
    return identity


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of an experiment, ready for planning: the spec, its data and its digest.

    `digest` is equal only where all that affects training is. `base` is the tuned model to
    continue from, None while it is not known or not asked for.
    """

    experiment: Experiment
    dataset: PreparedDataset
    digest: str
    key: str = ONLY_TRIAL
    base: TunedBase | None = None

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        dataset: PreparedDataset,
        *,
        key: str = ONLY_TRIAL,
        base: TunedBase | None = None,
    ) -> Trial:
        """Return the trial with the digest of all that affects its training."""
        identity = revision_identity(experiment, dataset, base)
        return cls(experiment, dataset, digest(identity), key, base)

    @property
    def name(self) -> str:
        return trial_name(self.experiment.name, self.key)

    @property
    def is_based(self) -> bool:
        """True once it is known what the tuning starts from."""
        return self.experiment.parent is None or self.base is not None


def token_for(registry_id: str, *, experiment: str, trial: str, revision: str, attempt: int) -> str:
    """Return the name under which one attempt is submitted, equal for equal arguments.

    29 characters, legal as a Vertex AI label value and as a Gemini API tuned model id.
    """
    text = "\0".join((registry_id, experiment, trial, revision, str(attempt)))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    alphabet = "0123456789abcdefghijklmnopqrstuv"
    return "tk-" + "".join(alphabet[number >> shift & 31] for shift in range(0, 130, 5))
