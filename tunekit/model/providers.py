"""What tunekit and a provider tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tunekit.model.cost import DataStats, Price
from tunekit.model.data import PreparedDataset
from tunekit.model.spec import Generation
from tunekit.model.trial import Trial

# The six series that Vertex AI writes for supervised tuning; every provider maps onto them.
TRAIN_LOSS = "/train_total_loss"
TRAIN_CORRECT = "/train_fraction_of_correct_next_step_preds"
TRAIN_PREDICTIONS = "/train_num_predictions"
EVAL_LOSS = "/eval_total_loss"
EVAL_CORRECT = "/eval_fraction_of_correct_next_step_preds"
EVAL_PREDICTIONS = "/eval_num_predictions"
# What Vertex AI writes for preference tuning.
PREFERENCE_LOSS = "/preference_optimization_train_loss"
# One point an epoch, the mean of its training loss: what a Gemini API snapshot reports.
MEAN_LOSS = "mean_loss"


class JobState(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        """True once the job can never change again; UNKNOWN is never terminal."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a provider needs to run one job.

    `base_model` is a name of the provider's, or a tuned model's own name where tuning continues
    from one; then `base_checkpoint` may pick one of its checkpoints. `generation` is how the tuned
    model is going to be asked, for services where a model has such defaults of its own.
    """

    experiment: str
    trial: str
    base_model: str
    method: str
    hyperparameters: Mapping[str, int | float]
    dataset: PreparedDataset
    base_checkpoint: str | None = None
    export_last_checkpoint_only: bool = False
    generation: Generation = field(default_factory=Generation)
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: Trial) -> JobSpec:
        """Return what a provider is to be asked for."""
        experiment, base = trial.experiment, trial.base
        return cls(
            experiment=experiment.name,
            trial=trial.key,
            base_model=base.model if base else experiment.base_model,
            base_checkpoint=base.checkpoint if base else experiment.base_checkpoint,
            method=experiment.tuning.method,
            hyperparameters=experiment.tuning.hyperparameters(),
            export_last_checkpoint_only=experiment.tuning.export_last_checkpoint_only,
            dataset=trial.dataset,
            generation=experiment.evaluate.generation,
            display_name=experiment.display_name or experiment.name,
            description=experiment.description,
            tags=experiment.tags,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model saved on the way; `model` is what `generate` takes."""

    id: str
    model: str
    epoch: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a provider says about one job now. Times are seconds since the epoch, UTC.

    `model` is the tuned model's own name, which tuning may continue from. `endpoint` is what
    `generate` takes where that is something else.
    """

    name: str
    token: str | None
    state: JobState
    detail: str = ""
    error: str = ""
    base_model: str = ""
    display_name: str = ""
    model: str | None = None
    endpoint: str | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    completed_steps: int | None = None
    total_steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    created_s: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    data_stats: DataStats | None = None


@dataclass(frozen=True, slots=True)
class MetricPoint:
    metric: str
    step: int
    value: float
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a model; `finish` says why it ended where the provider tells."""

    text: str
    finish: str = ""


@dataclass(frozen=True, slots=True)
class JobDescription:
    """What a job was asked to do, as far as its provider can still tell.

    `source` and `columns` are those keys of `dataset` in a spec that would train on the same rows;
    None where the provider gives no data back. `hyperparameters` by their keys in `tuning`.
    """

    base_model: str
    method: str = "supervised"
    hyperparameters: Mapping[str, int | float] = field(default_factory=dict)
    base_checkpoint: str | None = None
    export_last_checkpoint_only: bool = False
    source: Mapping[str, str] | None = None
    columns: Mapping[str, str] | None = None
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that `doctor` looked at. `is_ok` None: it could not be looked at."""

    subject: str
    is_ok: bool | None
    fact: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """What a provider accepts for one key of `tuning`; None bounds are open."""

    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, known offline.

    `listing_lag_s`: how long after a submit was sent, timeouts included, `find` may still not see
    its job. `poll_every_s`: how often it may be asked while somebody waits. `can_continue`: a
    tuned model may be tuned further. `has_checkpoint_choice`: it may be told to keep the last only.
    `asks_at_once`: how many prompts `generate` may be given in as many calls at the same time.
    `place`: where `submit` and `find` look, in words; empty where there is only one.
    `prices`: of base models, as far as known; `is_free`: nothing is billed.
    """

    methods: frozenset[str]
    hyperparameters: Mapping[str, Hyperparameter]
    base_models: tuple[str, ...] = ()
    knows_all_base_models: bool = False
    can_cancel: bool = True
    can_continue: bool = False
    has_checkpoint_choice: bool = False
    has_system_instruction: bool = True
    listing_lag_s: float = 0.0
    poll_every_s: float = 0.5
    asks_at_once: int = 1
    place: str = ""
    prices: Mapping[str, Price] = field(default_factory=dict)
    is_free: bool = False
