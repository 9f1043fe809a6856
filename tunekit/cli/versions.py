"""NAME[@JOB] -> a version of a data set: as the files have it now, or as a job was tuned on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.cli import asking, desired
from tunekit.cli.context import App
from tunekit.errors import DataError, StalePlan, UsageError
from tunekit.model import Example, Experiment, Job, Location, PreparedDataset, SplitInfo, placed

Files = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Version:
    """What is on record of one version; its rows may be gone. `job` None: as the files say now."""

    title: str
    experiment: Experiment
    fingerprint: str
    splits: Mapping[str, SplitInfo]
    files: Files
    job: Job | None = None

    def place(self, split: str, line: int) -> Location:
        """Return where in the source the row of a line was."""
        source = self.experiment.dataset.source
        return placed(line, self.files, source=source.objects().get(split, str(source)))


def version(app: App, files: tuple[str, ...], name: str) -> Version:
    """Return the version that a name means. UsageError where there is none."""
    plain, _, number = name.partition("@")
    experiment = None if number else desired.of_name(app, files, plain)
    if experiment is not None:
        data = desired.prepared(app, experiment)
        return Version(plain, experiment, data.fingerprint, data.splits, data.files)
    trial, job = app.job(name)
    kept = app.registry.revision(job)["dataset"]
    return Version(
        job.title,
        asking.experiment_of(app, trial, job),
        kept["fingerprint"],
        {split: _info(values) for split, values in kept["splits"].items()},
        tuple((name, before) for name, before in kept.get("files", ())),
        job,
    )


def split_of(found: Version, split: str) -> SplitInfo:
    """Return one split. UsageError where there is none."""
    if split not in found.splits:
        has = ", ".join(found.splits)
        raise UsageError(f"{found.title} has no split {split!r}; it has {has}")
    return found.splits[split]


def data_of(app: App, found: Version, splits: Collection[str]) -> PreparedDataset:
    """Return the data, which can be read again. StalePlan where those of a job are gone."""
    try:
        data = desired.prepared(app, found.experiment)
    except DataError as error:
        if found.job is None:
            raise
        raise StalePlan(f"the rows of {found.title} can't be read any more: {error}") from error
    for split in splits:
        now = data.splits.get(split)
        if now is None or now.digest != split_of(found, split).digest:
            raise StalePlan(
                f"{found.experiment.dataset.source}: its {split} rows are no longer those of "
                f"{found.title}; restore the data of then"
            )
    return data


def examples_at(
    app: App, found: Version, split: str, places: Collection[int]
) -> dict[int, Example]:
    """Return the rows at these positions, from 0. StalePlan where they can't be read any more."""
    if not places:
        return {}
    wanted, last = set(places), max(places)
    picked: dict[int, Example] = {}
    for place, example in enumerate(data_of(app, found, [split]).read(split)):
        if place in wanted:
            picked[place] = example
        if place == last:
            break
    return picked


def _info(values: Mapping[str, Any]) -> SplitInfo:
    return SplitInfo(**{**values, "histogram": tuple(values.get("histogram", ()))})
