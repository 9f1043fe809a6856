"""`tuningJobs` of v1 and v1beta1: create, get, list, cancel, and what create refuses."""

from __future__ import annotations

import re
from typing import Any

from . import filters, wire
from .jobs import SPECS, Job, Wanted
from .wire import JSON, ApiError, bad_fields, integer, listed, page, real
from .world import Call, World, canonical, parent_of

# https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning/supervised-tuning
# as of 2026-09-25. The 2.5 models were to retire in October 2026; they are still served here.
GEMINI = {
    *("gemini-3.5-flash", "gemini-3.1-flash-lite"),
    *("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"),
}
GEMINI_3_REGIONS = ("us-central1", "europe-west4")
_ADAPTERS_OF_PRO = (
    "ADAPTER_SIZE_ONE",
    "ADAPTER_SIZE_TWO",
    "ADAPTER_SIZE_FOUR",
    "ADAPTER_SIZE_EIGHT",
)
MOST_NAME = 128
MOST_LABEL = 64

_OUTPUT_ONLY = {
    *("name", "state", "createTime", "startTime", "endTime", "updateTime", "error", "experiment"),
    *("tunedModel", "tuningDataStats", "pipelineJob", "tuningJobState", "tuningJobMetadata"),
    *("satisfiesPzi", "satisfiesPzs", "gcsMetricsUri", "evaluateDatasetRuns"),
}
_INPUT = {
    *("baseModel", "preTunedModel", "tunedModelDisplayName", "description", "labels"),
    *("encryptionSpec", "serviceAccount", "supervisedTuningSpec", "preferenceOptimizationSpec"),
}
_INPUT_BETA = {
    *("distillationSpec", "reinforcementTuningSpec", "partnerModelTuningSpec", "outputUri"),
    *("fullFineTuningSpec", "veoTuningSpec", "veoLoraTuningSpec", "customBaseModel"),
}
_SPEC_FIELDS = {
    *("trainingDatasetUri", "validationDatasetUri", "exportLastCheckpointOnly"),
    *("hyperParameters", "evaluationConfig"),
}
_HYPER_FIELDS = {"epochCount", "learningRateMultiplier", "adapterSize"}


def create(world: World, call: Call) -> JSON:
    """Accept a job, or refuse it. The answer has no `experiment` yet."""
    body, parent = call.body, parent_of(call)
    _check_names(call)
    wanted = _read_wanted(world, call)
    with world.lock:
        limit = world.faults.max_concurrent
        project = parent.split("/")[1]
        going = [j for j in world.jobs.values() if j.project == project and not j.is_ended]
        if limit is not None and len(going) >= limit:
            metric = "aiplatform.googleapis.com/global_concurrent_tuning_jobs"
            raise wire.over_quota(metric, limit, f"project:{project}")
        name = f"{parent}/tuningJobs/{world.new_id()}"
        kept = {key: value for key, value in body.items() if key not in _OUTPUT_ONLY and value}
        kept.setdefault("tunedModelDisplayName", f"tuned-{name.rsplit('/', 1)[1]}")
        job = Job(world, name, _as_sent_back(kept), wanted)
        world.jobs[name] = job
        answer = job.shown(call.version)
        job.run.start()
    return answer


def get(world: World, call: Call) -> JSON:
    """Return a job."""
    return find(world, call).shown(call.version)


def list_(world: World, call: Call) -> JSON:
    """Return one page of the location's jobs, newest first."""
    parent = parent_of(call) + "/"
    test = filters.compile_filter(call.asked("filter"), filters.lookup_resource)
    jobs = [
        (job.sequence, job.shown(call.version))
        for job in world.jobs.values()
        if job.name.startswith(parent) and world.is_listed(job.created_s)
    ]
    found = [pair for pair in jobs if test(pair[1])]
    shown, token = page(found, call.query, default=100, most=1000)
    return listed("tuningJobs", shown, token)


def cancel(world: World, call: Call) -> JSON:
    """Begin to cancel a job; one that has ended refuses."""
    job = find(world, call)
    if job.is_ended:
        raise wire.precondition(
            f"The tuning job {job.name} is in state {job.wire['state']} and can't be cancelled."
        )
    job.cancel()
    return {}


def find(world: World, call: Call) -> Job:
    """Return the job of a request's path. ApiError 404."""
    name = f"{parent_of(call)}/tuningJobs/{call.path['job']}"
    job = world.jobs.get(name)
    if job is None:
        raise wire.not_found(f"The TuningJob {name}")
    return job


def _as_sent_back(kept: JSON) -> JSON:
    """Return int64 as strings, as answers have them."""
    for spec in SPECS:
        hyper = kept.get(spec, {}).get("hyperParameters")
        if hyper:
            for field in ("epochCount", "batchSize"):
                if hyper.get(field):
                    hyper[field] = str(int(hyper[field]))
            kept[spec]["hyperParameters"] = {
                key: value
                for key, value in hyper.items()
                if value and value != "ADAPTER_SIZE_UNSPECIFIED"
            }
    return kept


def _check_names(call: Call) -> None:
    """Refuse fields that the version does not have, in the words of Google's JSON parser."""
    is_beta = call.version != "v1"
    known = _INPUT | _OUTPUT_ONLY | (_INPUT_BETA if is_beta else set())
    _refuse_unknown(call.body, known, "tuning_job")
    for spec in SPECS:
        inner = call.body.get(spec)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise bad_fields([(f"tuning_job.{wire.snake(spec)}", "Expected an object.")])
        beta = {"tuningMode"} if is_beta and spec == SPECS[0] else set()
        _refuse_unknown(inner, _SPEC_FIELDS | beta, f"tuning_job.{wire.snake(spec)}")
        more = {"beta"} if spec == SPECS[1] else {"batchSize", "learningRate"} if is_beta else set()
        hyper = inner.get("hyperParameters", {})
        place = f"tuning_job.{wire.snake(spec)}.hyper_parameters"
        _refuse_unknown(hyper, _HYPER_FIELDS | more, place)


def _refuse_unknown(given: JSON, known: set[str], place: str) -> None:
    text = "Invalid JSON payload received. Unknown name \"{}\" at '{}': Cannot find field."
    violations = [(place, text.format(key, place)) for key in given if key not in known]
    if violations:
        raise bad_fields(violations)


def _read_wanted(world: World, call: Call) -> Wanted:
    body, location = call.body, call.path["location"]
    specs = [key for key in body if key.endswith("Spec") and key != "encryptionSpec" and body[key]]
    if len(specs) != 1 or specs[0] not in SPECS:
        text = "Exactly one of supervised_tuning_spec and preference_optimization_spec is needed"
        raise bad_fields([("tuning_spec", text + " (others are not emulated).")])
    spec = body[specs[0]]
    hyper = spec.get("hyperParameters", {})
    base, earlier = _base_model(world, body, location)
    is_open = "/" in base
    kind = "preference" if specs[0] == SPECS[1] else "open" if is_open else "gemini"
    violations = _violations(world, body, spec, base, location)
    if violations:
        raise bad_fields(violations)
    multiplier = real(hyper.get("learningRateMultiplier"), "learning_rate_multiplier")
    rate = real(hyper.get("learningRate"), "learning_rate")
    return Wanted(
        base_model=base,
        earlier=earlier,
        spec=specs[0],
        kind=kind,
        train_uri=spec["trainingDatasetUri"],
        validation_uri=spec.get("validationDatasetUri", ""),
        epochs=integer(hyper.get("epochCount"), "epoch_count"),
        batch_size=integer(hyper.get("batchSize"), "batch_size"),
        # A real rate means nothing to the small models here; its ratio to a usual one does.
        multiplier=rate / 0.0002 if rate else multiplier or 1.0,
        is_last_only=bool(spec.get("exportLastCheckpointOnly")),
    )


def _base_model(world: World, body: JSON, location: str) -> tuple[str, Job | None]:
    """Return the base model, and the job whose tuned model is tuned further.

    ApiError 400 or 404 where there is no such model.
    """
    earlier = body.get("preTunedModel") or {}
    named = str(body.get("baseModel") or earlier.get("tunedModelName") or "")
    if not named:
        text = "One of base_model and pre_tuned_model is required."
        raise bad_fields([("tuning_job.base_model", text)])
    name = named.removeprefix("publishers/google/models/")
    if name.startswith("projects/"):
        model = canonical(name).partition("@")[0]
        if model not in world.models:
            raise wire.not_found(f"The model {named}")
        checkpoints = [c["checkpointId"] for c in world.models[model].get("checkpoints", [])]
        if earlier.get("checkpointId") and earlier["checkpointId"] not in checkpoints:
            raise bad_fields([("tuning_job.pre_tuned_model.checkpoint_id", "No such checkpoint.")])
        maker = world.jobs[world.models_jobs[model]]
        if maker.location != location:
            text = f"The model {named} can only be tuned further in {maker.location}."
            raise ApiError(400, text, status="FAILED_PRECONDITION")
        if earlier:
            earlier["baseModel"] = maker.wanted.base_model
        return maker.wanted.base_model, maker
    if "/" not in name and name not in GEMINI:
        raise bad_fields([("tuning_job.base_model", f"Base model {named} is not supported.")])
    is_third = name.startswith("gemini-3")
    if (is_third and location not in GEMINI_3_REGIONS) or (name in GEMINI and location == "global"):
        text = f"Base model {named} can't be tuned in {location}."
        raise ApiError(400, text, status="FAILED_PRECONDITION")
    return name, None


def _violations(
    world: World, body: JSON, spec: JSON, base: str, location: str
) -> list[tuple[str, str]]:
    found = []
    for field in ("trainingDatasetUri", "validationDatasetUri"):
        uri = spec.get(field, "")
        if uri or field == "trainingDatasetUri":
            fault = _fault_of_uri(world, uri)
            if fault:
                found.append((f"tuning_job.{wire.snake(field)}", fault))
    if len(str(body.get("tunedModelDisplayName", ""))) > MOST_NAME:
        text = f"The display name has more than {MOST_NAME} characters."
        found.append(("tuning_job.tuned_model_display_name", text))
    for key, value in (body.get("labels") or {}).items():
        if not is_label(str(key)) or not key or not is_label(str(value)):
            text = f"Label {key!r}: at most 64 lowercase letters, digits, _ and -."
            found.append(("tuning_job.labels", text))
    hyper = spec.get("hyperParameters", {})
    size = hyper.get("adapterSize")
    if size and size not in wire.ADAPTER_SIZES:
        found.append(("hyper_parameters.adapter_size", f"Invalid value ({size!r})."))
    elif base == "gemini-2.5-pro" and size and size not in _ADAPTERS_OF_PRO:
        found.append(("hyper_parameters.adapter_size", f"{size} is not supported for {base}."))
    is_open = "/" in base
    for field in ("batchSize", "learningRate"):
        if hyper.get(field) and not is_open:
            text = f"{field} is only available for open source models."
            found.append((f"hyper_parameters.{wire.snake(field)}", text))
    if is_open and not body.get("outputUri"):
        found.append(("tuning_job.output_uri", "It is required for open source models."))
    if hyper.get("learningRate") and hyper.get("learningRateMultiplier"):
        text = "learning_rate and learning_rate_multiplier are mutually exclusive."
        found.append(("hyper_parameters.learning_rate", text))
    return found


def _fault_of_uri(world: World, uri: Any) -> str:
    if not uri:
        return "The training dataset URI is required."
    if not isinstance(uri, str) or not re.fullmatch(r"gs://[^/]+/.+\.jsonl", uri):
        return f"{uri} is not a valid Cloud Storage URI of a JSONL file."
    if world.storage.read(uri) is None:
        return f"{uri} does not exist or can't be read."
    return ""


def is_label(text: str) -> bool:
    """True where a label's key or value is legal; international letters are, capitals aren't."""
    is_plain = all(c.isalnum() or c in "_-" for c in text)
    return len(text) <= MOST_LABEL and is_plain and text == text.lower()
