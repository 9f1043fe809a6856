"""A job as the body of `tuningJobs.create`. Pure.

Source: the discovery document aiplatform.v1beta1 (revision 20261106), TuningJob.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tunekit.model import ONLY_TRIAL, JobSpec
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.places import MODEL, base_name

TOKEN_LABEL = "tunekit_token"  # noqa: S105 - a label's key
EXPERIMENT_LABEL = "tunekit_experiment"
TRIAL_LABEL = "tunekit_trial"
OURS = "tunekit_"

# Ranks by their names; the enum's numbers follow no order (TWO came last), so names are sent.
ADAPTERS = {
    1: "ADAPTER_SIZE_ONE",
    2: "ADAPTER_SIZE_TWO",
    4: "ADAPTER_SIZE_FOUR",
    8: "ADAPTER_SIZE_EIGHT",
    16: "ADAPTER_SIZE_SIXTEEN",
    32: "ADAPTER_SIZE_THIRTY_TWO",
}
SUPERVISED, PREFERENCE = "supervisedTuningSpec", "preferenceOptimizationSpec"

_LABEL = re.compile(r"[a-z0-9_-]*")


def create_body(
    job: JobSpec,
    token: str,
    *,
    uris: Mapping[str, str],
    service_account: str = "",
    kms_key: str = "",
) -> dict[str, Any]:
    """Return the request; `uris` are gs:// objects of the splits `train` and, maybe, `validation`.

    int64 fields are strings, as Google's JSON has them.
    """
    spec: dict[str, Any] = {"trainingDatasetUri": uris["train"]}
    if "validation" in uris:
        spec["validationDatasetUri"] = uris["validation"]
    if job.export_last_checkpoint_only:
        spec["exportLastCheckpointOnly"] = True
    if chosen := _hyperparameters(job.hyperparameters):
        spec["hyperParameters"] = chosen
    body: dict[str, Any] = {
        **_base(job),
        PREFERENCE if job.method == "preference" else SUPERVISED: spec,
        "labels": {**labels(job), TOKEN_LABEL: token},
    }
    if name := job.display_name[: limits.MOST_DISPLAY_NAME]:
        body["tunedModelDisplayName"] = name
    if job.description:
        body["description"] = job.description
    if service_account:
        body["serviceAccount"] = service_account
    if kms_key:
        body["encryptionSpec"] = {"kmsKeyName": kms_key}
    return body


def labels(job: JobSpec) -> dict[str, str]:
    """Return all labels but the token's: the tags that can be labels, then ours."""
    names = {EXPERIMENT_LABEL: job.experiment}
    if job.trial != ONLY_TRIAL:
        names[TRIAL_LABEL] = job.trial
    ours = {key: value for key, value in names.items() if is_label(key, value)}
    left_out = set(dropped_tags(job.tags))
    return {**{k: v for k, v in job.tags.items() if k not in left_out}, **ours}


def dropped_tags(tags: Mapping[str, str]) -> list[str]:
    """Return the tags that can't be labels, or that our own labels and token leave no room for."""
    bad = [k for k, v in tags.items() if not is_label(k, v) or k.startswith(OURS)]
    good = [k for k in tags if k not in bad]
    return bad + good[limits.MOST_LABELS - 3 :]


def is_label(key: str, value: str) -> bool:
    """True for a legal label, by the narrower of Google's rules: ASCII, at most 63 characters."""
    most = limits.MOST_LABEL_CHARACTERS
    is_key = key[:1].isalpha() and len(key) <= most and bool(_LABEL.fullmatch(key))
    return is_key and len(value) <= most and bool(_LABEL.fullmatch(value))


def is_tuned_model(name: str) -> bool:
    """True for a tuned model's resource name, which tuning may continue from."""
    return bool(MODEL.fullmatch(name))


def _base(job: JobSpec) -> dict[str, Any]:
    if not is_tuned_model(job.base_model):
        return {"baseModel": base_name(job.base_model) or job.base_model}
    earlier = {"tunedModelName": job.base_model}
    if job.base_checkpoint:
        earlier["checkpointId"] = job.base_checkpoint
    return {"preTunedModel": earlier}


def _hyperparameters(given: Mapping[str, int | float]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if "epochs" in given:
        chosen["epochCount"] = str(int(given["epochs"]))
    if "learning_rate_multiplier" in given:
        chosen["learningRateMultiplier"] = float(given["learning_rate_multiplier"])
    if "adapter_size" in given:
        chosen["adapterSize"] = ADAPTERS[int(given["adapter_size"])]
    return chosen
