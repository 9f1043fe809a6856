"""Data sets of the Hub stay at the commit of the first apply, whatever their branch does since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunekit import dataset
from tunekit.cli.context import App
from tunekit.errors import DataError
from tunekit.model import Experiment, PreparedDataset

_SHORT = 12


def pinned(app: App, experiment: Experiment) -> Experiment:
    """Return the experiment with its hub source at one commit: the recorded one, else today's.

    Other sources stay as they are. DataError where the Hub must be asked and does not tell.
    """
    source = experiment.dataset.source
    if source.hub is None:
        return experiment
    commit = _recorded(app, experiment)
    if commit is None:
        commit = dataset.resolve(source, experiment.at("dataset.source.hub"))
    return dataset.pinned(experiment, commit)


def with_commit(made: PreparedDataset, experiment: Experiment) -> PreparedDataset:
    """Return the data with the commit that a pinned experiment reads."""
    source = experiment.dataset.source
    return replace(made, commit=source.revision) if source.hub is not None else made


def moved(app: App, found: Sequence[Experiment]) -> Iterator[str]:
    """Yield, of each branch or tag that is elsewhere than its pin, from where it moved to where.

    Asks the Hub once for each pin; one that does not answer is told of too.
    """
    for experiment in found:
        source = experiment.dataset.source
        commit = _recorded(app, experiment) if source.hub is not None else None
        if commit is None:
            continue
        try:
            now = dataset.resolve(source)
        except DataError as error:
            yield f"{experiment.name}: whether its data moved is not known: {error}"
            continue
        if now != commit:
            yield (
                f"{experiment.name}: {source.revision or 'main'} of {source} moved: "
                f"{commit[:_SHORT]} -> {now[:_SHORT]}; pinned to the first. To take the new rows, "
                f"write `revision: {now}`"
            )


def _recorded(app: App, experiment: Experiment) -> str | None:
    # A commit that the spec names needs no pin: the record's may be of a former one, whose rows
    # for training were the same.
    if not app.has_registry or dataset.is_commit(experiment.dataset.source.revision):
        return None
    return app.registry.pinned_commit(experiment.name, experiment.dataset.source)
