"""What should exist: experiments, as their specs say, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# What of `columns` is an answer, by method; the first is what an evaluation expects.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "supervised": ("output",),
    "preference": ("chosen", "rejected"),
}


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file; line and column count from 1, 0 where unknown."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.path, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where it is, what it is, what to do about it."""

    fact: str
    remedy: str = ""
    where: Location | None = None
    severity: Severity = Severity.ERROR
    key: str = ""  # the spec's dotted key that it is about, where its place is not known yet
    rule: str = ""  # of a data set: the rule that found it, a name that stays

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        kind = "warning: " if self.severity is Severity.WARNING else ""
        fact = f"{self.fact} [{self.rule}]" if self.rule else self.fact
        return place + kind + (f"{fact}; {self.remedy}" if self.remedy else fact)


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: exactly one of `path`, `hub`, `gcs`.

    A `gcs` object holds ready-made lines, used where it lies; so do `validation` and `test`. With
    `is_table`, it holds a table instead, whose rows are rendered as a file's are.
    """

    path: str | None = None
    hub: str | None = None
    gcs: str | None = None
    validation: str | None = None
    test: str | None = None
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    is_table: bool = False

    def objects(self) -> dict[str, str]:
        """Return the Cloud Storage object of each split, none where rows are not ready-made."""
        if self.is_table:
            return {}
        named = {"train": self.gcs, "validation": self.validation, "test": self.test}
        return {name: uri for name, uri in named.items() if uri is not None}

    def __str__(self) -> str:
        return self.path or self.gcs or f"hub:{self.hub}"


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Source, columns, prompt and split as written; `split` holds rows (int) or shares (float).

    `messages` names a column of conversations; `ready_made: vertex` says that rows are its lines.
    `dedupe` is "prompt" or columns. `stratify` and `group` name the column that splits go by.
    """

    source: Source
    columns: Mapping[str, str]
    prompt: str
    split: Mapping[str, int | float]
    system_instruction: str | None = None
    take: int | None = None
    shuffle_seed: int | None = None
    messages: str | None = None
    ready_made: str | None = None
    filter: str | None = None
    dedupe: str | tuple[str, ...] | None = None
    stratify: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """The method and the hyperparameters written in the spec; None means the provider's default."""

    method: str = "supervised"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    learning_rate_multiplier: float | None = None
    adapter_size: int | None = None
    seed: int | None = None
    export_last_checkpoint_only: bool = False

    def hyperparameters(self) -> dict[str, int | float]:
        """Return what the spec sets, by its key in `tuning`."""
        names = (
            "epochs",
            "batch_size",
            "learning_rate",
            "learning_rate_multiplier",
            "adapter_size",
            "seed",
        )
        return {n: value for n in names if (value := getattr(self, n)) is not None}


@dataclass(frozen=True, slots=True)
class Generation:
    """Options of a call to a tuned model; None means the provider's default.

    `system_instruction` is what the model was tuned with; without it, it answers otherwise.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    system_instruction: str | None = None


@dataclass(frozen=True, slots=True)
class AskingPrice:
    """US dollars for a million tokens of questions, and of answers."""

    input_usd: float
    output_usd: float


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """How a tuned model is judged. `custom_metrics` are names of entry points."""

    split: str = "test"
    metrics: tuple[str, ...] = ("exact_match", "token_f1")
    generation: Generation = Generation(temperature=0.0)
    custom_metrics: tuple[str, ...] = ()
    promote_if: str | None = None
    keep_answers: bool = False
    max_requests_per_minute: float | None = None
    max_cost_usd: float | None = None
    price: AskingPrice | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    max_cost_usd: float | None = None
    max_duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How changes are carried out. `state`: tuned | cancelled; `on_change`: replace | finish."""

    state: str = "tuned"
    on_change: str = "replace"
    retries: int = 0
    protect: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """Another experiment whose tuned model is the base.

    `checkpoint`: `last`, `best` (the lowest loss on validation rows), or an id.
    """

    experiment: str
    checkpoint: str = "last"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One YAML document. `document` is the plain data it was made of, for diffs and the record.

    With a `parent`, `base_model` only says so for people; the model is known once that is tuned.
    """

    name: str
    provider: str
    base_model: str
    dataset: DatasetSpec
    tuning: Tuning
    evaluate: EvaluationSpec
    limits: Limits
    lifecycle: Lifecycle
    parent: Parent | None = None
    base_checkpoint: str | None = None  # of a tuned model that `base_model` names
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    where: Location = Location("")
    # Dotted key path -> place, so that later checks can point at the line.
    places: Mapping[str, Location] = field(default_factory=dict)

    def at(self, path: str) -> Location:
        """Return the place of a dotted key path, or of its nearest parent that was written."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.where
