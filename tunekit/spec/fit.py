"""An experiment against what a provider can do. Pure and offline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tunekit.model import Capabilities, Experiment, Hyperparameter, Problem, Severity
from tunekit.spec.check import in_order
from tunekit.spec.wording import choices, guess, number


def check_provider(
    experiment: Experiment, *, kind: str, capabilities: Capabilities
) -> list[Problem]:
    """Return what this kind of provider would refuse, sorted by place."""
    found = [
        *_method(experiment, kind, capabilities),
        *_hyperparameters(experiment, kind, capabilities),
        *_system_instruction(experiment, kind, capabilities),
        *_base_model(experiment, kind, capabilities),
        *_checkpoints(experiment, kind, capabilities),
    ]
    return list(in_order(found))


def _method(experiment: Experiment, kind: str, capabilities: Capabilities) -> Iterator[Problem]:
    method = experiment.tuning.method
    if method not in capabilities.methods:
        remedy = f"{kind} supports {choices(sorted(capabilities.methods), 'and')} only"
        yield Problem(f"tuning.method is {method}", remedy, experiment.at("tuning.method"))


def _hyperparameters(
    experiment: Experiment, kind: str, capabilities: Capabilities
) -> Iterator[Problem]:
    taken = capabilities.hyperparameters
    for key, value in experiment.tuning.hyperparameters().items():
        path = f"tuning.{key}"
        where = experiment.at(path)
        if key not in taken:
            yield Problem(f"{path} is not taken by {kind}", _instead(key, taken), where)
        elif needs := _refused(value, taken[key]):
            yield Problem(f"{path} is {number(value)}", f"{kind} {needs}", where)


# The two ways of writing one thing: a provider takes the one or the other.
_TWINS = {
    "learning_rate": ("learning_rate_multiplier", "a factor on its recommended rate"),
    "learning_rate_multiplier": ("learning_rate", "the rate itself"),
}


def _instead(key: str, taken: Mapping[str, Hyperparameter]) -> str:
    twin, meaning = _TWINS.get(key, ("", ""))
    return f"remove it, or write {twin}, {meaning}" if twin in taken else "remove it"


def _refused(value: float, allowed: Hyperparameter) -> str | None:
    if allowed.choices and value not in allowed.choices:
        return f"takes {choices(number(choice) for choice in allowed.choices)}"
    if allowed.minimum is not None and value < allowed.minimum:
        return f"needs at least {number(allowed.minimum)}"
    if allowed.maximum is not None and value > allowed.maximum:
        return f"takes at most {number(allowed.maximum)}"
    return None


def _system_instruction(
    experiment: Experiment, kind: str, capabilities: Capabilities
) -> Iterator[Problem]:
    if experiment.dataset.system_instruction and not capabilities.has_system_instruction:
        path = "dataset.system_instruction"
        remedy = "move its text to the beginning of dataset.prompt"
        yield Problem(f"{path} is not taken by {kind}", remedy, experiment.at(path))


# How Google's services name tuned models. Publishers' models have another path.
_TUNED = re.compile(r"(projects/[^/]+/locations/[^/]+/models|tunedModels)/[^/]+")


def _base_model(experiment: Experiment, kind: str, capabilities: Capabilities) -> Iterator[Problem]:
    model, known = experiment.base_model, capabilities.base_models
    if experiment.parent or _TUNED.fullmatch(model):
        if not capabilities.can_continue:
            which = f"the model of {experiment.parent.experiment}" if experiment.parent else model
            fact = f"base_model is {which}, a tuned one, which {kind} can't tune further"
            yield Problem(fact, _untuned(known), experiment.at("base_model"))
        return
    if model in known or not (known or capabilities.knows_all_base_models):
        return
    near = guess(model, known)
    fact = f"base_model is {model}, which {kind} does not have"
    severity = Severity.ERROR
    remedy = f"did you mean {near}?" if near else f"write {choices(known)}"
    if not capabilities.knows_all_base_models:
        severity = Severity.WARNING
        fact = f"base_model is {model}, which tunekit does not know for {kind}"
        remedy = f"did you mean {near}?" if near else "make sure that it can be tuned there"
    yield Problem(fact, remedy, experiment.at("base_model"), severity)


def _untuned(known: tuple[str, ...]) -> str:
    return f"write an untuned one's name, such as {known[0]}" if known else "name an untuned one"


def _checkpoints(
    experiment: Experiment, kind: str, capabilities: Capabilities
) -> Iterator[Problem]:
    key = "tuning.export_last_checkpoint_only"
    if experiment.tuning.export_last_checkpoint_only and not capabilities.has_checkpoint_choice:
        yield Problem(f"{key} is not taken by {kind}", "remove it", experiment.at(key))
