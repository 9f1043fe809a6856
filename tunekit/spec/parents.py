"""Experiments that go on from others: whether these are there, fit, and end somewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tunekit.model import Experiment, Problem, Severity
from tunekit.spec.experiment import BEST

_KEY = "base_model.experiment"
# A longer circle is cut in messages.
_MOST_NAMES = 8


def check_parents(
    experiments: Sequence[Experiment],
) -> tuple[tuple[Experiment, ...], list[Problem]]:
    """Return the experiments whose parents are possible, and every problem; names are unique.

    A parent that is not among them may be in the registry: that is a warning.
    """
    known = {experiment.name: experiment for experiment in experiments}
    circles = _circles(known)
    sound: list[Experiment] = []
    problems: list[Problem] = []
    for experiment in experiments:
        found = [*_problems(experiment, known, circles.get(experiment.name, ()))]
        problems += found
        if not any(problem.severity is Severity.ERROR for problem in found):
            sound.append(experiment)
    return tuple(sound), problems


def _problems(
    child: Experiment, known: Mapping[str, Experiment], circle: Sequence[str]
) -> Iterator[Problem]:
    if child.parent is None:
        return
    where, name = child.at(_KEY), child.parent.experiment
    if circle:
        names = [*circle[:_MOST_NAMES], *["…"] * (len(circle) > _MOST_NAMES), circle[0]]
        fact = f"{_KEY} is {name}, which leads back here: {' -> '.join(names)}"
        yield Problem(fact, "let one of them start from a model", where)
        return
    parent = known.get(name)
    if parent is None:
        fact = f"{_KEY} is {name}, which these files do not have"
        remedy = "check the name, unless the registry has the experiment"
        yield Problem(fact, remedy, where, Severity.WARNING)
    elif parent.provider != child.provider:
        fact = f"{_KEY} is {name}, which is tuned on {parent.provider}, not on {child.provider}"
        yield Problem(
            fact, "a model is tuned further where it is; name one provider in both", where
        )
    elif child.parent.checkpoint == BEST and "validation" not in parent.dataset.split:
        fact = f"base_model.checkpoint is best, but {name} has no validation rows to tell by"
        remedy = "add dataset.split.validation there, or write last"
        yield Problem(fact, remedy, child.at("base_model.checkpoint"), Severity.WARNING)


def _circles(known: Mapping[str, Experiment]) -> dict[str, Sequence[str]]:
    """Return each experiment that is its own ancestor, with the names on the way, from itself."""
    circles: dict[str, Sequence[str]] = {}
    seen: set[str] = set()
    for start in known:
        path: dict[str, int] = {}
        name = start
        while name in known and name not in seen and name not in path:
            path[name] = len(path)
            parent = known[name].parent
            name = parent.experiment if parent else ""
        if name in path:
            ring = list(path)[path[name] :]
            circles |= {ring[i]: [*ring[i:], *ring[:i]] for i in range(len(ring))}
        seen |= path.keys()
    return circles
