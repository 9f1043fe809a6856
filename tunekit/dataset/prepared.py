"""Prepared data sets: what every split holds, by digest, and how to read it again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tunekit.dataset.gcs import CloudStorage
from tunekit.dataset.opening import open_source
from tunekit.dataset.preflight.rules import VERSION as RULES_VERSION
from tunekit.dataset.readymade import example_of
from tunekit.dataset.sources import BadSource, Files, OutOfReach
from tunekit.errors import DataError, StalePlan
from tunekit.model import (
    Example,
    Experiment,
    Finding,
    Location,
    OnRows,
    PreparedDataset,
    Problem,
    RowCheck,
    SplitInfo,
    digest,
)

# Raise it with any change that makes other bytes of the same source and spec, or a record of more:
# former preparations are then done afresh. 2: a record holds tokens and a histogram; bytes and
# digests are those of 1. 3: a record tells how many rows hold more than text.
RENDERING = 3
_VERSIONS = {"rendering": RENDERING, "preflight": RULES_VERSION}


def source_key(experiment: Experiment, *, root: Path) -> str:
    """Return a key that is equal only where a former preparation still holds; parses nothing.

    Of Cloud Storage only the metadata is asked. DataError if the source can't be read.
    """
    spec = experiment.dataset
    if objects := spec.source.objects():
        with CloudStorage() as storage:
            identities = {split: storage.identity(uri) for split, uri in objects.items()}
        key = {**_VERSIONS, "objects": identities, "method": experiment.tuning.method}
        return digest(key)
    return digest(
        {
            **_VERSIONS,
            "source": open_source(experiment, root=root).identity(),
            "columns": dict(spec.columns),
            "prompt": spec.prompt,
            "system_instruction": spec.system_instruction,
            "take": spec.take,
            "shuffle": spec.shuffle_seed,
            "split": dict(spec.split),
            "stratify": spec.stratify,
            "group": spec.group,
            "filter": spec.filter,
            "dedupe": spec.dedupe,
            "messages": spec.messages,
            "ready_made": spec.ready_made,
            "method": experiment.tuning.method,
        }
    )


def prepare(
    experiment: Experiment,
    *,
    root: Path,
    preflight: RowCheck | None = None,
    on_rows: OnRows | None = None,
) -> PreparedDataset:
    """Read, render and split the whole data set once; holds digests, not rows.

    Past the head of the source, rows that no split uses are not looked at. Ready-made objects are
    read whole and checked. Every used row is shown to `preflight` and told to `on_rows`. DataError
    names the file and line of a bad row; SpecError if `dataset` is wrong as written.
    """
    is_ready_made = bool(experiment.dataset.source.objects())
    measured = _measured_objects if is_ready_made else _rendered
    splits, files = measured(experiment, root, _Audience(preflight, on_rows))
    return _prepared(
        experiment,
        root,
        splits=splits,
        fingerprint=_fingerprint(splits, experiment.dataset.system_instruction),
        files=files,
    )


_Measured = tuple[dict[str, SplitInfo], Files]


class _Audience(NamedTuple):
    """Who is told of every row while a data set is prepared."""

    preflight: RowCheck | None
    on_rows: OnRows | None


def _rendered(experiment: Experiment, root: Path, audience: _Audience) -> _Measured:
    # Imported where rows are read: most commands read none.
    from tunekit.dataset.measure import Measure
    from tunekit.dataset.pipeline import Pipeline

    pipeline = Pipeline.of(experiment, root=root)
    splits = pipeline.splits()
    preflight, on_rows = audience
    measured = {name: Measure(name, on_rows) for name in splits}
    sizes = {name: len(part) for name, part in splits.items()}
    batches = pipeline.batches(splits, with_rows=preflight is not None)
    del splits  # a shuffle's order takes room
    for split, examples, rows in batches:
        measured[split].add(examples)
        if preflight:
            preflight.see(split, examples, rows)
    if any(measured[name].rows < size for name, size in sizes.items()):
        # The source ended early, so the number of rows is known by now.
        pipeline.refuse_shortage(sum(one.rows for one in measured.values()))
        raise DataError(f"{pipeline.reader.name}: changed while it was read; try again")
    return {name: one.info() for name, one in measured.items()}, pipeline.reader.files()


def _measured_objects(experiment: Experiment, _: Path, audience: _Audience) -> _Measured:
    from tunekit.dataset.fastjson import loads
    from tunekit.dataset.measure import Measure
    from tunekit.dataset.pipeline import BATCH_ROWS, batched

    found: dict[str, SplitInfo] = {}
    for split, uri in experiment.dataset.source.objects().items():
        measured = Measure(split, audience.on_rows)
        for examples in batched(_ready_made(experiment, split), BATCH_ROWS):
            measured.add(examples)
            if audience.preflight:
                rows = [loads(example.raw or b"") for example in examples]
                audience.preflight.see(split, examples, rows)
        found[split] = measured.info()
        if not measured.rows:
            fact = "no rows"
            raise BadSource(Problem(fact, "add rows or name another object", Location(uri)))
    return found, ()


def _ready_made(experiment: Experiment, split: str) -> Generator[Example]:
    """Yield the examples of a split that is an object of ready-made lines."""
    uri, method = experiment.dataset.source.objects()[split], experiment.tuning.method
    with CloudStorage() as storage:
        for line in storage.lines(uri):
            example = example_of(line, uri=uri, method=method)
            if example is not None:
                yield example._replace(raw=line.raw)


def _prepared(
    experiment: Experiment,
    root: Path,
    *,
    splits: Mapping[str, SplitInfo],
    fingerprint: str,
    findings: tuple[Finding, ...] = (),
    files: Files = (),
) -> PreparedDataset:
    return PreparedDataset(
        fingerprint=fingerprint,
        splits=splits,
        read=partial(_read, experiment, root, splits),
        system_instruction=experiment.dataset.system_instruction,
        uris=experiment.dataset.source.objects(),
        findings=findings,
        source=str(experiment.dataset.source),
        files=files,
    )


def to_record(dataset: PreparedDataset) -> dict[str, Any]:
    """Return what `from_record` needs, as plain data: no rows, only sizes, digests and findings."""
    splits = {
        name: {**asdict(info), "histogram": list(info.histogram)}
        for name, info in dataset.splits.items()
    }
    findings = [asdict(finding) for finding in dataset.findings]
    return {
        "fingerprint": dataset.fingerprint,
        "splits": splits,
        "findings": findings,
        "files": [list(file) for file in dataset.files],
    }


def from_record(
    experiment: Experiment, *, root: Path, record: Mapping[str, Any]
) -> PreparedDataset:
    """Return the data set that `to_record` described; opens no file before it is read."""
    splits = {
        name: SplitInfo(**{**info, "histogram": tuple(info["histogram"])})
        for name, info in record["splits"].items()
    }
    return _prepared(
        experiment,
        root,
        splits=splits,
        fingerprint=record["fingerprint"],
        findings=tuple(Finding.from_record(finding) for finding in record["findings"]),
        files=tuple((name, before) for name, before in record["files"]),
    )


def preview(
    experiment: Experiment, *, root: Path, rows: int, split: str = "train"
) -> list[Example]:
    """Return the first `rows` examples of a split as they would be sent; DataError as `prepare`."""
    if objects := experiment.dataset.source.objects():
        if split not in objects:
            raise _no_such_split(split, objects)
        with closing(_ready_made(experiment, split)) as examples:
            return list(islice(examples, max(rows, 0)))
    from tunekit.dataset.pipeline import Pipeline

    pipeline = Pipeline.of(experiment, root=root)
    splits = pipeline.splits()
    if split not in splits:
        raise _no_such_split(split, splits)
    wanted = splits[split][: max(rows, 0)]
    return [one for batch in pipeline.batches({split: wanted}) for one in batch.examples]


def _read(
    experiment: Experiment, root: Path, splits: Mapping[str, SplitInfo], split: str
) -> Iterator[Example]:
    """Yield a split's examples afresh; StalePlan at the latest after the last if they differ."""
    if split not in splits:
        raise _no_such_split(split, splits)
    return _checked(experiment, root, split, splits[split])


def _checked(experiment: Experiment, root: Path, split: str, info: SplitInfo) -> Iterator[Example]:
    from tunekit.dataset.measure import Measure

    measured = Measure(split)
    try:
        for examples in _again(experiment, root, split):
            measured.add(examples)
            yield from examples
    except OutOfReach:
        raise
    except DataError as error:
        # It could be read when it was prepared.
        first = str(error).partition("\n")[0]
        raise _changed(experiment, f"split {split}: {first}") from error
    if measured.info() != info:
        raise _changed(experiment, f"split {split} is no longer what was planned")


def _again(experiment: Experiment, root: Path, split: str) -> Iterator[list[Example]]:
    from tunekit.dataset.pipeline import BATCH_ROWS, Pipeline, batched

    if experiment.dataset.source.objects():
        yield from batched(_ready_made(experiment, split), BATCH_ROWS)
        return
    pipeline = Pipeline.of(experiment, root=root)
    for batch in pipeline.batches({split: pipeline.splits()[split]}):
        yield batch.examples


def _changed(experiment: Experiment, detail: str) -> StalePlan:
    source = experiment.dataset.source
    return StalePlan(
        f"{source}: the data set changed while it was in use ({detail}); run plan again"
    )


def _no_such_split(split: str, known: Mapping[str, object]) -> DataError:
    return DataError(f"the data set has no split {split!r}; it has {', '.join(known)}")


def _fingerprint(splits: Mapping[str, SplitInfo], system_instruction: str | None) -> str:
    return digest(
        {
            "splits": {name: info.digest for name, info in splits.items()},
            "system_instruction": system_instruction,
        }
    )
