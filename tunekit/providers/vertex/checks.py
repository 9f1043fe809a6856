"""What Vertex AI would refuse of a job, by the table in limits.py. Pure and offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tunekit.model import JobSpec, Location, Problem, Severity
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.limits import BaseModel
from tunekit.providers.vertex.places import MODEL, MULTI_REGIONS, base_name
from tunekit.providers.vertex.profile import Profile
from tunekit.providers.vertex.wire import dropped_tags

_WARNING = Severity.WARNING
_METHOD = "tuning.method"
# Of a row beside its texts: braces, roles, quotes.
_ROW_BYTES = 100


def problems(job: JobSpec, profile: Profile) -> list[Problem]:
    """Return errors and warnings, each with the page or key that it comes from."""
    needed = {"train", "validation"} & set(job.dataset.splits)
    needs_bucket = bool(needed - set(job.dataset.uris))
    return [
        *profile.problems(needs_bucket=needs_bucket),
        *_method(job),
        *_hyperparameters(job),
        *_base_model(job, profile),
        *_names(job),
        *_sizes(job),
        *_uris(job),
        *_rows(job),
    ]


def _method(job: JobSpec) -> Iterator[Problem]:
    if job.method not in limits.METHODS:
        remedy = f"write {' or '.join(sorted(limits.METHODS))}"
        yield Problem(f"tunekit does not tune by {job.method} on vertex", remedy, key=_METHOD)


def _hyperparameters(job: JobSpec) -> Iterator[Problem]:
    """Yield what the request has no field for, or no value: it would train otherwise than asked."""
    for key, value in job.hyperparameters.items():
        allowed = limits.HYPERPARAMETERS.get(key)
        if allowed is None:
            remedy = f"remove it; there is {', '.join(limits.HYPERPARAMETERS)}"
            yield Problem(f"tuning.{key} is not taken by vertex", remedy, key=f"tuning.{key}")
            continue
        is_low = allowed.minimum is not None and not value >= allowed.minimum
        if is_low or (allowed.choices and value not in allowed.choices):
            wanted = ", ".join(f"{c:g}" for c in allowed.choices) or f"{allowed.minimum:g} or more"
            fact = f"tuning.{key} is {value:g}"
            yield Problem(fact, f"vertex takes {wanted}", key=f"tuning.{key}")


def _base_model(job: JobSpec, profile: Profile) -> Iterator[Problem]:
    if tuned := MODEL.fullmatch(job.base_model):
        if tuned["location"] != profile.location:
            fact = f"base_model lives in {tuned['location']}, this profile tunes in"
            remedy = "tuning continues in the model's own region; use a profile of that one"
            yield Problem(f"{fact} {profile.location}", remedy, None, _WARNING, "base_model")
        return
    base = base_name(job.base_model)
    if base is None:
        yield Problem(
            f"{job.base_model} is no Gemini model; tunekit does not tune open models on vertex",
            f"write {' or '.join(limits.current())}; see {limits.OPEN_URL}",
            key="base_model",
        )
        return
    if known := limits.BASE_MODELS.get(base):
        yield from _known(job, known, profile.location)


def _known(job: JobSpec, model: BaseModel, location: str) -> Iterator[Problem]:
    as_of = f"as of {limits.AS_OF:%Y-%m}, {model.url}"
    if model.retired:
        fact = f"{model.name} was to be retired on {model.retired}"
        remedy = f"write {' or '.join(limits.current())} ({as_of})"
        yield Problem(fact, remedy, None, _WARNING, "base_model")
    if job.method in limits.METHODS - model.methods:
        able = [m.name for m in limits.BASE_MODELS.values() if job.method in m.methods]
        fact = f"{job.method} tuning is documented for {', '.join(able) or 'no model'} only"
        remedy = f"the service decides ({limits.PREFERENCE_URL})"
        yield Problem(fact, remedy, None, _WARNING, _METHOD)
    size = job.hyperparameters.get("adapter_size")
    known_sizes = limits.HYPERPARAMETERS["adapter_size"].choices
    if size in known_sizes and size not in model.adapter_sizes:
        sizes = ", ".join(map(str, model.adapter_sizes))
        fact = f"tuning.adapter_size is {size:g}; {model.name} takes {sizes}"
        yield Problem(fact, as_of, key="tuning.adapter_size")
    if location and model.tuned_in and location not in model.tuned_in:
        fact = f"{model.name} is not tuned in {location}"
        if location in MULTI_REGIONS:
            fact += ", where tuned models only answer"
        remedy = f"set location to {' or '.join(model.tuned_in)} in tunekit.yaml ({as_of})"
        yield Problem(fact, remedy, key="base_model")
    elif location == "global":
        fact = "location is global; it is reported that Gemini models can't be tuned there"
        yield Problem(fact, "set a region in tunekit.yaml", None, _WARNING, "base_model")


def _names(job: JobSpec) -> Iterator[Problem]:
    if len(job.display_name) > limits.MOST_DISPLAY_NAME:
        fact = f"the tuned model's name has more than {limits.MOST_DISPLAY_NAME} characters"
        yield Problem(fact, "it is cut", None, _WARNING, "display_name")
    for tag in dropped_tags(job.tags):
        yield Problem(
            f"tag {tag} can't be a label on Vertex AI and stays here",
            "labels are lower-case letters, digits, _ and -, at most 63, and begin with a letter",
            None,
            _WARNING,
            f"tags.{tag}",
        )


def _sizes(job: JobSpec) -> Iterator[Problem]:
    splits = job.dataset.splits
    counts = {name: splits[name].rows for name in ("train", "validation") if name in splits}
    train, validation = counts.get("train", 0), counts.get("validation", 0)
    key = "dataset.split"
    if 0 < train < limits.FEW_ROWS:
        fact = f"{train} training rows are few; Google recommends {limits.FEW_ROWS} or more"
        yield Problem(fact, limits.SUPERVISED_URL, None, _WARNING, key, "few-rows")
    if train > limits.MOST_ROWS:
        fact = f"{train:,} training rows; Vertex AI takes at most {limits.MOST_ROWS:,}"
        yield Problem(fact, limits.SUPERVISED_URL, key=key, rule="too-many-rows")
    most = limits.MOST_VALIDATION_SHARE * train
    if validation > limits.MOST_VALIDATION_ROWS:
        fact = (
            f"{validation:,} validation rows; Vertex AI takes at most "
            f"{limits.MOST_VALIDATION_ROWS:,}"
        )
        yield Problem(fact, limits.SUPERVISED_URL, key=key, rule="too-many-validation-rows")
    elif train and validation > limits.FREE_VALIDATION_ROWS and validation > most:
        fact = (
            f"{validation:,} validation rows are more than 30% of {train:,} training rows, which "
            f"Vertex AI takes only up to {limits.FREE_VALIDATION_ROWS:,}"
        )
        yield Problem(fact, limits.SUPERVISED_URL, key=key, rule="too-many-validation-rows")


def _uris(job: JobSpec) -> Iterator[Problem]:
    for split, uri in job.dataset.uris.items():
        if split in ("train", "validation") and not (
            uri.startswith("gs://") and uri.endswith(".jsonl") and "/" in uri[5:]
        ):
            remedy = "Vertex AI wants gs://BUCKET/NAME.jsonl"
            yield Problem(f"{uri[:200]} is no JSONL object", remedy, key="dataset.source")


@dataclass(slots=True)
class _Found:
    """Faults of one split's rows: how many, and the first one's place."""

    place: Callable[[str, int], Location]
    count: int = 0
    line: int = 0

    def add(self, line: int) -> None:
        self.count += 1
        self.line = self.line or line

    def words(self, split: str) -> str:
        noun = "row" if self.count == 1 else "rows"
        return f"{self.count:,} {split} {noun} (first: {self.place(split, self.line)})"


def _rows(job: JobSpec) -> Iterator[Problem]:
    """Look at every row that would be uploaded, one at a time."""
    system = len(job.dataset.system_instruction or "")
    most = limits.MOST_TOKENS_A_ROW * limits.CHARACTERS_A_TOKEN
    for split in ("train", "validation"):
        if split not in job.dataset.splits or split in job.dataset.uris:
            continue
        long, empty, unpaired = (_Found(job.dataset.place) for _ in range(3))
        size = 0
        for row in job.dataset.read(split):
            characters = system + len(row.prompt) + len(row.response) + len(row.rejected or "")
            size += characters + _ROW_BYTES
            if characters > most:
                long.add(row.line)
            if not row.prompt.strip() or not row.response.strip():
                empty.add(row.line)
            if job.method == "preference" and row.rejected is None:
                unpaired.add(row.line)
        if unpaired.count:
            fact = f"{unpaired.words(split)} have no rejected answer, which preference tuning needs"
            yield Problem(fact, "add the column `rejected`", key="dataset.columns")
        if empty.count:
            fact = f"{empty.words(split)} have an empty prompt or answer"
            remedy = "Vertex AI may refuse the file; remove them"
            yield Problem(fact, remedy, None, _WARNING, "dataset.source")
        if long.count:
            fact = (
                f"{long.words(split)} are probably longer than {limits.MOST_TOKENS_A_ROW:,} tokens"
            )
            remedy = f"what is longer is cut ({limits.SUPERVISED_URL})"
            yield Problem(fact, remedy, None, _WARNING, "dataset.source", "row-too-long")
        # Characters are at most bytes, so this much is sure.
        if size > limits.MOST_FILE_BYTES:
            fact = f"the {split} file would be larger than 1 GB, Vertex AI's limit"
            remedy = f"take fewer rows ({limits.SUPERVISED_URL})"
            yield Problem(fact, remedy, key="dataset", rule="too-large")
