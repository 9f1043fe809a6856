"""A valid document -> an Experiment, with the defaults that the schema documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tunekit.model import (
    AskingPrice,
    DatasetSpec,
    EvaluationSpec,
    Experiment,
    Generation,
    Lifecycle,
    Limits,
    Parent,
    Source,
    Tuning,
)
from tunekit.model.spec import ANSWERS
from tunekit.spec.nodes import Document, Places

DEFAULT_METHOD = "supervised"
DEFAULT_PROMPT = "{input}"
DEFAULT_SPLIT = {"train": 1.0}
# Checkpoints that are chosen by a rule; any other word is an id.
LAST = "last"
BEST = "best"

# Each says how a table's rows become examples.
_SHAPES = {"columns", "prompt", "messages", "ready_made"}
# What no object of ready-made rows is called.
_TABLE_ENDINGS = (".csv", ".tsv", ".json", ".parquet", ".gz", ".zst", ".zstd")
_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")


def build_experiment(data: Mapping[str, Any], document: Document) -> Experiment:
    """Return the experiment that valid plain data describes."""
    base = _base(data["base_model"])
    return Experiment(
        name=data["name"],
        provider=data["provider"],
        base_model=base.shown,
        parent=base.parent,
        base_checkpoint=base.checkpoint,
        dataset=_dataset(data["dataset"], data.get("tuning", {}).get("method", DEFAULT_METHOD)),
        tuning=_tuning(data.get("tuning", {})),
        evaluate=_evaluation(data.get("evaluate", {})),
        limits=_limits(data.get("limits", {})),
        lifecycle=_lifecycle(data.get("lifecycle", {})),
        display_name=data.get("display_name", ""),
        description=data.get("description", ""),
        tags=data.get("tags", {}),
        document=data,
        where=document.where,
        places=Places(document),
    )


class _Base(NamedTuple):
    """What tuning starts from: a model by `shown`, its name, or by `parent`."""

    shown: str
    parent: Parent | None = None
    checkpoint: str | None = None


def _base(written: str | Mapping[str, str]) -> _Base:
    if isinstance(written, str):
        return _Base(written)
    checkpoint = written.get("checkpoint", LAST)
    if "model" in written:
        return _Base(written["model"], checkpoint=None if checkpoint == LAST else checkpoint)
    name = written["experiment"]
    which = f"{checkpoint} checkpoint" if checkpoint in (LAST, BEST) else f"checkpoint {checkpoint}"
    return _Base(f"{name} ({which})", Parent(name, checkpoint))


def default_columns(method: str, *, shape: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of a `dataset` that names none: each by its own name.

    Ready-made rows and conversations have no input; a conversation ends with its one answer.
    """
    if "ready_made" in shape:
        return {}
    answers = ANSWERS[method]
    if "messages" in shape:
        return {name: name for name in answers if len(answers) > 1}
    return {name: name for name in ("input", *answers)}


def sizes(split: Mapping[str, Any]) -> dict[str, int | float]:
    """Return the rows or shares of a `split`, without the columns that it may name."""
    return {name: size for name, size in split.items() if name not in ("stratify", "group")}


def is_table(dataset: Mapping[str, Any]) -> bool:
    """Say whether `dataset.source.gcs` holds rows to render, and not ready-made ones.

    So it is where a key says how to render them, or where the object's name is that of a table.
    """
    name = str(dataset["source"].get("gcs", "")).lower()
    return bool(name) and bool(dataset.keys() & _SHAPES or name.endswith(_TABLE_ENDINGS))


def _dataset(data: Mapping[str, Any], method: str) -> DatasetSpec:
    source = Source(**data["source"], is_table=is_table(data))
    # Ready-made objects are used whole, each for its own split.
    whole = dict.fromkeys(source.objects(), 1.0)
    split = data.get("split", DEFAULT_SPLIT)
    dedupe = data.get("dedupe")
    return DatasetSpec(
        source=source,
        columns=data.get("columns") or default_columns(method, shape=data),
        prompt=data.get("prompt", DEFAULT_PROMPT),
        split=whole or sizes(split),
        system_instruction=data.get("system_instruction"),
        take=_integer(data.get("take")),
        shuffle_seed=_integer(data.get("shuffle", {}).get("seed")),
        messages=data.get("messages"),
        ready_made=data.get("ready_made"),
        filter=data.get("filter"),
        dedupe=tuple(dedupe) if isinstance(dedupe, list) else dedupe,
        stratify=split.get("stratify"),
        group=split.get("group"),
    )


def _tuning(data: Mapping[str, Any]) -> Tuning:
    return Tuning(
        method=data.get("method", DEFAULT_METHOD),
        epochs=_integer(data.get("epochs")),
        batch_size=_integer(data.get("batch_size")),
        learning_rate=_real(data.get("learning_rate")),
        learning_rate_multiplier=_real(data.get("learning_rate_multiplier")),
        adapter_size=_integer(data.get("adapter_size")),
        seed=_integer(data.get("seed")),
        export_last_checkpoint_only=data.get("export_last_checkpoint_only", False),
    )


def _evaluation(data: Mapping[str, Any]) -> EvaluationSpec:
    default = EvaluationSpec()
    options, price = data.get("generation", {}), data.get("price")
    return EvaluationSpec(
        split=data.get("split", default.split),
        metrics=tuple(data.get("metrics", default.metrics)),
        generation=Generation(
            temperature=_real(options.get("temperature", default.generation.temperature)),
            top_p=_real(options.get("top_p")),
            top_k=_integer(options.get("top_k")),
            max_output_tokens=_integer(options.get("max_output_tokens")),
        ),
        custom_metrics=tuple(data.get("custom_metrics", ())),
        promote_if=data.get("promote_if"),
        keep_answers=data.get("keep_answers", default.keep_answers),
        max_requests_per_minute=_real(data.get("max_requests_per_minute")),
        max_cost_usd=_real(data.get("max_cost_usd")),
        price=AskingPrice(**{k: float(v) for k, v in price.items()}) if price else None,
    )


def _limits(data: Mapping[str, Any]) -> Limits:
    duration = data.get("max_duration")
    return Limits(
        max_cost_usd=_real(data.get("max_cost_usd")),
        max_duration_s=duration_s(duration) if duration else None,
    )


def _lifecycle(data: Mapping[str, Any]) -> Lifecycle:
    default = Lifecycle()
    return Lifecycle(
        state=data.get("state", default.state),
        on_change=data.get("on_change", default.on_change),
        retries=int(data.get("retries", default.retries)),
        protect=data.get("protect", default.protect),
    )


def duration_s(text: str) -> float:
    """Return the seconds that `4h`, `90m` or `1h30m` stand for. ValueError for other text."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def _integer(value: float | None) -> int | None:
    """Return 2 for 2.0, which JSON Schema takes for an integer too: they mean one revision."""
    return None if value is None else int(value)


def _real(value: float | None) -> float | None:
    """Return 1.0 for 1, so that both spellings mean one revision."""
    return None if value is None else float(value)
