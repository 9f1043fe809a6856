"""One experiment in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.model import DataStats, Example, Experiment, Job
from tunekit.views.cost import billed_line, cost_line
from tunekit.views.jobs import dropped, job_json, progress, steps, took_s, utc, waits_for
from tunekit.views.output import STATE_STYLES, Output
from tunekit.views.text import age, duration, line, number, plural

__all__ = ["job_json", "print_examples", "print_shown"]

_MOST_DROPPED = 20


def print_shown(
    output: Output,
    *,
    experiment: Experiment | None,
    job: Job | None,
    revision: Mapping[str, Any] | None,
    evaluations: Sequence[Mapping[str, Any]],
    dropped_rows: Sequence[Mapping[str, Any]],
    now_s: float,
) -> None:
    """Print what is asked for, then what became of it."""
    if experiment is not None:
        output.styled(experiment.name, "bold")
        if experiment.description:
            output.text(f"  {line(experiment.description)}")
        _fields(output, _spec_fields(experiment))
    if job is None:
        output.text("\nNo job yet; `tunekit plan` shows what apply would do.")
        return
    output.text()
    output.styled(
        f"{job.experiment}@{job.number}  {job.state}", STATE_STYLES.get(job.state.value, "")
    )
    _fields(output, _job_fields(job, revision, now_s))
    if job.data_stats is not None:
        _print_dropped(output, job.data_stats, dropped_rows)
    for entry in evaluations[-3:]:
        _fields(output, {"evaluated": _evaluation(entry, job)})


def _spec_fields(experiment: Experiment) -> dict[str, str]:
    split = ", ".join(f"{name} {size}" for name, size in experiment.dataset.split.items())
    tuning = {"method": experiment.tuning.method, **experiment.tuning.hyperparameters()}
    return {
        "file": str(experiment.where),
        "provider": experiment.provider,
        "base model": experiment.base_model,
        "data": f"{experiment.dataset.source}, {split}",
        "tuning": ", ".join(f"{key} {value}" for key, value in tuning.items()),
        "tags": ", ".join(f"{key}={value}" for key, value in experiment.tags.items()),
        "state": experiment.lifecycle.state,
    }


def _job_fields(job: Job, revision: Mapping[str, Any] | None, now_s: float) -> dict[str, str]:
    splits = revision["dataset"]["splits"] if revision else {}
    rows = ", ".join(f"{name} {split['rows']:,}" for name, split in splits.items())
    return {
        "why": job.reason,
        "revision": f"{job.revision[:12]}, attempt {job.attempt}",
        "rows": rows,
        "provider's name": job.name or "not known: the submit was interrupted",
        "progress": f"{progress(job)} {steps(job)}".strip(),
        "loss": number(job.loss),
        "submitted": f"{utc(job.submitted_s)} ({age(now_s - job.submitted_s)} ago)",
        "took": duration(took_s(job, now_s)),
        "waits for": waits_for(job) if job.is_open else "",
        "error": job.error,
        "model": job.model or "",
        "endpoint": job.endpoint or "",
        "checkpoints": ", ".join(saved.id for saved in job.checkpoints),
        "cost": cost_line(job.estimate).removeprefix("cost: ") if job.estimate else "",
        "billed": billed_line(job.data_stats, job.estimate) if job.data_stats else "",
    }


def _print_dropped(output: Output, stats: DataStats, places: Sequence[Mapping[str, Any]]) -> None:
    """Print which rows the service did not train on, each with its place in the source."""
    if not stats.dropped:
        return
    _fields(output, {"not trained on": dropped(stats) + (", flagged" if stats.is_flagged else "")})
    for place in places[:_MOST_DROPPED]:
        where = place["where"] or "its line is not on record"
        reason = f": {place['reason']}" if place["reason"] else ""
        output.text(f"    row {place['number']:,}, {where}{line(reason)}")
    if (more := stats.dropped - min(len(places), _MOST_DROPPED)) > 0:
        output.text(f"    and {plural(more, 'other row')}; -o json has all that the service names")


def _evaluation(entry: Mapping[str, Any], job: Job) -> str:
    """Return scores with all that tells them from others: rows, model, sampling, date."""
    scores = (f"{key} {value:.1%}" for key, value in entry["scores"].items() if "." not in key)
    generation = {**entry["generation"], "system_instruction": None}
    sampling = (f"{key} {value}" for key, value in generation.items() if value is not None)
    asked = entry["model"]
    saved = next((c.id for c in job.checkpoints if c.model == asked != job.answers_at), "")
    about = [
        f"{plural(entry['rows'], 'row')} of {entry['split']}",
        f"checkpoint {saved}" if saved else "",
        *sampling,
        utc(entry["at_s"]),
    ]
    return f"{', '.join(scores)} ({', '.join(part for part in about if part)})"


def _fields(output: Output, fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if value:
            output.text(f"  {name:<16}{line(value)}")


def print_examples(output: Output, examples: Sequence[Example], *, split: str) -> None:
    """Print examples as a provider gets them."""
    for number_, example in enumerate(examples, start=1):
        output.text()
        output.styled(f"{split} {number_} (line {example.line}) prompt", "bold cyan")
        output.text(example.prompt)
        output.styled("response", "bold green")
        output.text(example.response)
        if example.rejected is not None:
            output.styled("rejected", "bold red")
            output.text(example.rejected)
