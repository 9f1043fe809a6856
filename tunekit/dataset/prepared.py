"""Prepared data sets: what every split holds, by digest, and how to read it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tunekit.dataset.checks import open_source
from tunekit.dataset.pipeline import Pipeline
from tunekit.errors import DataError, StalePlan
from tunekit.model import Example, Experiment, PreparedDataset, SplitInfo, digest

# Raise it with any change that makes other bytes of the same source and spec: former preparations
# are then done afresh.
RENDERING = 1

_JSON = json.JSONEncoder(ensure_ascii=False)


def source_key(experiment: Experiment, *, root: Path) -> str:
    """Return a key that is equal only where a former preparation still holds; parses nothing.

    DataError if the source can't be read.
    """
    spec = experiment.dataset
    return digest(
        {
            "rendering": RENDERING,
            "source": open_source(experiment, root=root).identity(),
            "columns": dict(spec.columns),
            "prompt": spec.prompt,
            "system_instruction": spec.system_instruction,
            "take": spec.take,
            "shuffle": spec.shuffle_seed,
            "split": dict(spec.split),
        }
    )


def prepare(experiment: Experiment, *, root: Path) -> PreparedDataset:
    """Read, render and split the whole data set once; holds digests, not rows.

    Past the head of the source, rows that no split uses are not looked at. DataError names the
    file and line of a bad row; SpecError if `dataset` is wrong as written.
    """
    pipeline = Pipeline.of(experiment, root=root)
    splits = pipeline.splits()
    examples = pipeline.examples(range(max(part.stop for part in splits.values())))
    found: dict[str, SplitInfo] = {}
    for name, part in splits.items():
        measured = _Measure()
        for example in islice(examples, len(part)):
            measured.add(example)
        found[name] = measured.info()
        if measured.rows < len(part):
            # The source ended early, so the number of rows is known by now.
            pipeline.refuse_shortage(part.start + measured.rows)
            raise DataError(f"{pipeline.reader.name}: changed while it was read; try again")
    return PreparedDataset(
        fingerprint=_fingerprint(found, experiment.dataset.system_instruction),
        splits=found,
        read=partial(_read, experiment, root, found),
        system_instruction=experiment.dataset.system_instruction,
    )


def to_record(dataset: PreparedDataset) -> dict[str, Any]:
    """Return what `from_record` needs, as plain data: no rows, only sizes and digests."""
    splits = {
        name: {"rows": info.rows, "characters": info.characters, "digest": info.digest}
        for name, info in dataset.splits.items()
    }
    return {"fingerprint": dataset.fingerprint, "splits": splits}


def from_record(
    experiment: Experiment, *, root: Path, record: Mapping[str, Any]
) -> PreparedDataset:
    """Return the data set that `to_record` described; opens no file before it is read."""
    splits = {
        name: SplitInfo(rows=info["rows"], characters=info["characters"], digest=info["digest"])
        for name, info in record["splits"].items()
    }
    return PreparedDataset(
        fingerprint=record["fingerprint"],
        splits=splits,
        read=partial(_read, experiment, root, splits),
        system_instruction=experiment.dataset.system_instruction,
    )


def preview(
    experiment: Experiment, *, root: Path, rows: int, split: str = "train"
) -> list[Example]:
    """Return the first `rows` examples of a split as they would be sent; DataError as `prepare`."""
    pipeline = Pipeline.of(experiment, root=root)
    splits = pipeline.splits()
    if split not in splits:
        raise _no_such_split(split, splits)
    positions = splits[split]
    return list(pipeline.examples(positions[: max(rows, 0)]))


def _read(
    experiment: Experiment, root: Path, splits: Mapping[str, SplitInfo], split: str
) -> Iterator[Example]:
    """Yield a split's examples afresh; StalePlan at the latest after the last if they differ."""
    if split not in splits:
        raise _no_such_split(split, splits)
    return _checked(experiment, root, split, splits[split])


def _checked(experiment: Experiment, root: Path, split: str, info: SplitInfo) -> Iterator[Example]:
    measured = _Measure()
    try:
        pipeline = Pipeline.of(experiment, root=root)
        for example in pipeline.examples(pipeline.splits()[split]):
            measured.add(example)
            yield example
    except DataError as error:
        # It could be read when it was prepared.
        first = str(error).partition("\n")[0]
        raise _changed(experiment, f"split {split}: {first}") from error
    if measured.info() != info:
        raise _changed(experiment, f"split {split} is no longer what was planned")


def _changed(experiment: Experiment, detail: str) -> StalePlan:
    source = experiment.dataset.source
    return StalePlan(
        f"{source}: the data set changed while it was in use ({detail}); run plan again"
    )


def _no_such_split(split: str, known: Mapping[str, object]) -> DataError:
    return DataError(f"the data set has no split {split!r}; it has {', '.join(known)}")


class _Measure:
    """Counts rows and characters and hashes examples in the order that they are added."""

    def __init__(self) -> None:
        self.rows = 0
        self._characters = 0
        self._hash = hashlib.sha256()

    def add(self, example: Example) -> None:
        """Take in one example: a line of canonical JSON, keys sorted."""
        prompt, response = example.prompt, example.response
        line = f'{{"prompt":{_JSON.encode(prompt)},"response":{_JSON.encode(response)}}}\n'
        self._hash.update(line.encode())
        self.rows += 1
        self._characters += len(prompt) + len(response)

    def info(self) -> SplitInfo:
        return SplitInfo(self.rows, self._characters, self._hash.hexdigest())


def _fingerprint(splits: Mapping[str, SplitInfo], system_instruction: str | None) -> str:
    return digest(
        {
            "splits": {name: info.digest for name, info in splits.items()},
            "system_instruction": system_instruction,
        }
    )
