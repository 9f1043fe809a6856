"""What the Gemini API takes, and what of a job it would refuse. Pure and offline.

Source: https://ai.google.dev/gemini-api/docs/model-tuning, its last edition before tuning was shut
(April 2025), and https://ai.google.dev/api/tuning. Read 2026-11-21.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tunekit.model import Hyperparameter, JobSpec, PreparedDataset, Problem, Severity
from tunekit.providers.gemini_api.rows import row_bytes

# The guide's: 4 MB of training data. Its examples travel inside the request.
MOST_BYTES = 4 * 2**20
MOST_INPUT_CHARACTERS, MOST_OUTPUT_CHARACTERS = 40_000, 5_000
FEWEST_ROWS_SUGGESTED = 20
MOST_DISPLAY_NAME_CHARACTERS = 40

METHODS = frozenset({"supervised"})

# What could be tuned before the service stopped offering it; an endpoint may have others.
_LAST_BASES = ("gemini-1.5-flash-001-tuning", "gemini-1.0-pro-001")
BASE_MODELS = tuple(prefix + name for name in _LAST_BASES for prefix in ("", "models/"))

# No bounds are published; these only catch slips. The service's own: 5 epochs, batches of 4 or 16,
# a rate of 0.001 or 0.0002, a multiplier of 1. Counts are 32-bit on the wire.
HYPERPARAMETERS = {
    "epochs": Hyperparameter(minimum=1, maximum=1000),
    "batch_size": Hyperparameter(minimum=1, maximum=100_000),
    "learning_rate": Hyperparameter(minimum=1e-9, maximum=10),
    "learning_rate_multiplier": Hyperparameter(minimum=1e-6, maximum=1e6),
}

# One row as the client sends it, indented by 10, without the two strings; and all the rest.
_REQUEST_BYTES = 1024
_MOST_ROWS_NAMED = 10
_TOO_LONG = "the Gemini API refuses them; shorten or leave out"

_BASE_NAME = re.compile(r"(?:models/)?[A-Za-z0-9][A-Za-z0-9._-]*")


def check(job: JobSpec, *, is_live: bool) -> Iterator[Problem]:
    """Yield what the service would refuse; rows are named by their numbers in `train`, from 1.

    `is_live`: the job is for Google's own service, not for an endpoint that stands in for it.
    """
    if is_live:
        yield Problem(
            "Google's live Gemini API has offered no base model that can be tuned since May 2025",
            "write `provider: vertex`, or set this provider's `endpoint` to a `tunekit emulator`",
            severity=Severity.WARNING,
            key="provider",
        )
    if job.method not in METHODS:
        yield Problem(
            f"tuning.method is {job.method}",
            "the Gemini API supports supervised only",
            key="tuning.method",
        )
    for key in job.hyperparameters.keys() - HYPERPARAMETERS.keys():
        yield Problem(
            f"tuning.{key} is not taken by the Gemini API", "remove it", key=f"tuning.{key}"
        )
    yield from _check_base(job)
    if len(job.display_name) > MOST_DISPLAY_NAME_CHARACTERS:
        yield Problem(
            f"the display name has {len(job.display_name)} characters, and the Gemini API takes "
            f"{MOST_DISPLAY_NAME_CHARACTERS}",
            "it is cut there",
            severity=Severity.WARNING,
            key="display_name",
        )
    yield from _check_data(job)


def _check_base(job: JobSpec) -> Iterator[Problem]:
    if job.base_model.startswith("tunedModels/") or job.base_checkpoint:
        yield Problem(
            "the Gemini API does not tune a tuned model further",
            "name a base model, and tune on all rows at once",
            key="base_model",
        )
    elif not _BASE_NAME.fullmatch(job.base_model):
        yield Problem(
            f"base_model is {job.base_model}, which is no name of the Gemini API's",
            f"write one such as {_LAST_BASES[0]}",
            key="base_model",
        )


def _check_data(job: JobSpec) -> Iterator[Problem]:
    dataset = job.dataset
    if dataset.uris:
        yield Problem(
            "the Gemini API reads nothing from Cloud Storage: rows travel inside the request",
            "use dataset.source path or hub, or `provider: vertex`",
            key="dataset.source",
        )
        return
    if "validation" in dataset.splits:
        yield Problem(
            "the Gemini API takes no validation rows",
            "they are held back from training and not sent",
            severity=Severity.WARNING,
            key="dataset.split",
        )
    train = dataset.splits["train"]
    if train.rows < FEWEST_ROWS_SUGGESTED:
        yield Problem(
            f"there are {train.rows} training rows",
            f"the Gemini API's guide suggests at least {FEWEST_ROWS_SUGGESTED}",
            severity=Severity.WARNING,
            key="dataset.split",
            rule="few-rows",
        )
    # A character is at least a byte, so that a large data set need not be read to be refused.
    if train.characters > MOST_BYTES:
        yield _too_large(f"{train.characters:,} characters")
        return
    yield from _check_rows(job, dataset)


def _check_rows(job: JobSpec, dataset: PreparedDataset) -> Iterator[Problem]:
    empty, long_input, long_output = _Rows(), _Rows(), _Rows()
    size_bytes = request_bytes(job)
    for number, row in enumerate(dataset.read("train"), 1):
        size_bytes += row_bytes(row.prompt, row.response)
        if not row.prompt or not row.response:
            empty.add(number)
        if len(row.prompt) > MOST_INPUT_CHARACTERS:
            long_input.add(number)
        if len(row.response) > MOST_OUTPUT_CHARACTERS:
            long_output.add(number)
    if size_bytes > MOST_BYTES:
        yield _too_large(f"{size_bytes:,} bytes in the request")
    if empty.count:
        fact = f"{empty} without a prompt or without a response"
        yield Problem(fact, "the Gemini API needs both; leave them out", key="dataset")
    if long_input.count:
        fact = f"{long_input} with a prompt of more than {MOST_INPUT_CHARACTERS:,} characters"
        yield Problem(fact, _TOO_LONG, key="dataset", rule="row-too-long")
    if long_output.count:
        fact = f"{long_output} with a response of more than {MOST_OUTPUT_CHARACTERS:,} characters"
        yield Problem(fact, _TOO_LONG, key="dataset", rule="row-too-long")


def request_bytes(job: JobSpec) -> int:
    """Return at most how much a create request has beside its rows."""
    return _REQUEST_BYTES + len(json.dumps(job.description)) + len(job.base_model)


def _too_large(size: str) -> Problem:
    return Problem(
        f"the training rows are {size}, and the Gemini API takes {MOST_BYTES:,} bytes; what is "
        "not ASCII counts 6 bytes a character",
        "train on fewer or shorter rows, or write `provider: vertex`, which takes 1 GB",
        key="dataset",
        rule="too-large",
    )


@dataclass(slots=True)
class _Rows:
    """Row numbers, of which the first few are named."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.first) < _MOST_ROWS_NAMED:
            self.first.append(number)

    def __str__(self) -> str:
        named = ", ".join(map(str, self.first)) + (", …" if self.count > len(self.first) else "")
        noun = "row" if self.count == 1 else "rows"
        return (
            f"there {'is' if self.count == 1 else 'are'} {self.count:,} training {noun} ({named})"
        )
