"""What differs between a recorded spec and a desired one, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunekit.model import Job, RecordedTrial, Trial


def changes(recorded: RecordedTrial, trial: Trial) -> tuple[str, ...]:
    """Return the dotted paths whose value differs, and in words what moved without the spec:

    the data set's rows, the tuned model that tuning continues from.
    """
    before, after = _flatten(recorded.document), _flatten(trial.experiment.document)
    paths = [p for p in sorted(before.keys() | after.keys()) if before.get(p) != after.get(p)]
    data = recorded.training_identity
    rendered_differs = data is not None and data != trial.dataset.training_identity()
    if rendered_differs and not any(map(_shapes_training_data, paths)):
        paths.append("dataset rows")
    if (
        trial.base
        and recorded.base_model not in (None, trial.base.model)
        and not any(path.startswith("base_model") for path in paths)
    ):
        paths.append("base model's tuning")
    return tuple(paths)


def retune_reason(paths: Iterable[str], former: Job | None = None) -> str:
    """Say which changes make a new revision, or that a former job already tuned it."""
    if former is not None:
        return f"back to the revision that job {former.number} tuned, nothing re-tunes"
    training = [p for p in paths if not p.startswith(_NEVER_TRAINS)]
    return f"re-tunes: {_listed(training)} changed" if training else "re-tunes: new revision"


def values(recorded: RecordedTrial, trial: Trial, paths: Iterable[str]) -> dict[str, list[Any]]:
    """Return what each changed path held before and holds now."""
    before, after = _flatten(recorded.document), _flatten(trial.experiment.document)
    return {p: [before.get(p), after.get(p)] for p in paths if p in before or p in after}


_HELD_OUT = ("dataset.split.test", "dataset.source.test")
_NEVER_TRAINS = ("name", "display_name", "description", "tags", "evaluate", "limits", "lifecycle")


def _shapes_training_data(path: str) -> bool:
    return path.startswith("dataset") and path not in _HELD_OUT


def sections(paths: Iterable[str]) -> str:
    tops = dict.fromkeys(
        path if path.startswith(("dataset", "tuning")) else path.split(".")[0] for path in paths
    )
    return _listed(list(tops))


def _listed(words: Sequence[str]) -> str:
    if len(words) > 4:
        return ", ".join(words[:3]) + f" and {len(words) - 3} more"
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _flatten(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        flat: dict[str, Any] = {}
        for key, inner in value.items():
            flat |= _flatten(inner, f"{path}.{key}" if path else str(key))
        return flat
    return {path: value}
