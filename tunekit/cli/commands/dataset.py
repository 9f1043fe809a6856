"""`tunekit dataset`: show, stats, diff, export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from tunekit.cli import counting, options
from tunekit.cli.context import App
from tunekit.cli.versions import Version, data_of, examples_at, split_of, version
from tunekit.cli.writing import written_whole
from tunekit.errors import StalePlan, Unsupported, UsageError
from tunekit.model import Example, JobSpec, RowIndex, Trial
from tunekit.plan import RowChanges, compare
from tunekit.providers.base import WritesRows
from tunekit.views import dataset as view

_PRIVATE = 0o600
_FORMATS = ("table", "json", "yaml")
_SAMPLE = 200


@click.group(epilog=options.example("tunekit dataset diff quickstart@1 quickstart"))
def command() -> None:
    """Show, compare and export the rows that jobs are tuned on.

    NAME is the data set as the files have it now, NAME@JOB as that job was tuned on it. The
    registry keeps hashes and lengths of rows, never their texts.
    """


@command.command(epilog=options.example("tunekit dataset show quickstart@1"))
@options.name
@options.files
@options.with_app(_FORMATS)
def show(app: App, name: str, files: tuple[str, ...]) -> None:
    """Show where the rows come from, how many there are, and which jobs were tuned on them."""
    found = version(app, files, name)
    jobs = app.registry.jobs_tuned_on(found.splits["train"].digest)
    content = view.show_json(
        name=found.title,
        experiment=found.experiment,
        fingerprint=found.fingerprint,
        splits=found.splits,
        jobs=[job.title for job in jobs],
    )
    if app.format == "table":
        view.print_shown(app.output, content)
    else:
        app.output.data("dataset.show", content)


@command.command(epilog=options.example("tunekit dataset stats quickstart"))
@options.name
@options.files
@click.option(
    "--count-tokens",
    "count_by",
    type=click.Choice((counting.PROVIDER, counting.TOKENIZER)),
    help="Count a sample's tokens: the service does, which is sent those rows, or the base "
    "model's tokenizer on this machine.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=_SAMPLE,
    show_default=True,
    help="Count so many rows of each split, spread evenly over it.",
)
@options.with_app(_FORMATS)
def stats(app: App, name: str, files: tuple[str, ...], count_by: str | None, sample: int) -> None:
    """Show how long the rows are, and how many repeat.

    Lengths are in tokens, guessed as characters / 4; --count-tokens says how far that is off.
    """
    found = version(app, files, name)
    content: dict[str, Any] = {
        "name": found.title,
        "tokens_are": "characters / 4, rounded",
        "splits": {
            split: view.stats_json(info, app.registry.rows(info.digest))
            for split, info in found.splits.items()
        },
    }
    if count_by:
        model, said = counting.counts(app, found, by=count_by, most=sample)
        by = {"by": count_by, "provider": found.experiment.provider, "model": model}
        content["counted_by"] = by
        for split, one in said.items():
            content["splits"][split]["counted"] = view.counted_json(one)
    if app.format == "table":
        view.print_stats(app.output, content)
    else:
        app.output.data("dataset.stats", content)


@command.command(epilog=options.example("tunekit dataset diff quickstart@1 quickstart@2"))
@click.argument("before", metavar="A", shell_complete=options.complete_names)
@click.argument("after", metavar="B", shell_complete=options.complete_names)
@options.files
@click.option(
    "--rows",
    "most",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List so many rows of each kind; -o json lists all.",
)
@click.option("--texts", "has_texts", is_flag=True, help="Print rows that can still be read.")
@options.with_app(_FORMATS)
def diff(
    app: App, before: str, after: str, files: tuple[str, ...], most: int, has_texts: bool
) -> None:
    """Show which rows B has added, removed and changed since A; each is NAME or NAME@JOB.

    A row is changed where it is made of the same input: another answer, another prompt.
    """
    old, new = version(app, files, before), version(app, files, after)
    content: dict[str, Any] = {"before": old.title, "after": new.title, "splits": {}}
    for split in dict.fromkeys([*old.splits, *new.splits]):
        indexes = _rows(app, old, split), _rows(app, new, split)
        if None in indexes:
            content["splits"][split] = None
            continue
        was, now = (index or RowIndex() for index in indexes)
        changes = compare(was, now)
        limit = None if app.format != "table" else most
        texts = _texts(app, (old, new), split, changes, limit) if has_texts else ({}, {})
        content["splits"][split] = view.diff_json(
            changes,
            (was, now),
            texts=texts,
            places=(partial(old.place, split), partial(new.place, split)),
        )
    if app.format == "table":
        view.print_diff(app.output, content, most=most)
    else:
        app.output.data("dataset.diff", content)


def _rows(app: App, found: Version, split: str) -> RowIndex | None:
    """Return what is kept of a split's rows: none where it has no such split."""
    if split not in found.splits:
        return RowIndex()
    return app.registry.rows(found.splits[split].digest)


def _texts(
    app: App, sides: tuple[Version, Version], split: str, changes: RowChanges, limit: int | None
) -> tuple[dict[int, Example], dict[int, Example]]:
    """Return old and new rows by position, as far as they can still be read."""
    changed = changes.changed[:limit]
    wanted = (
        [*changes.removed[:limit], *(before for before, _ in changed)],
        [*changes.added[:limit], *(after for _, after in changed)],
    )
    found: list[dict[int, Example]] = []
    for side, places in zip(sides, wanted, strict=True):
        try:
            found.append(examples_at(app, side, split, places))
        except StalePlan as error:
            app.say(f"{side.title}: without texts: {error}")
            found.append({})
    return found[0], found[1]


@command.command(epilog=options.example("tunekit dataset export quickstart --to train.jsonl"))
@options.name
@options.files
@click.option("--split", default="train", show_default=True, help="Which split.")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; one that is there is never overwritten.",
)
@options.with_app(_FORMATS)
def export(app: App, name: str, files: tuple[str, ...], split: str, target: Path) -> None:
    """Write a split's rows exactly as the provider gets them, readable by you alone.

    Of NAME@JOB only while its rows can still be read, which is checked.
    """
    found = version(app, files, name)
    info = split_of(found, split)
    job = JobSpec.of(Trial.of(found.experiment, data_of(app, found, [split])))
    if split in job.dataset.uris:
        uri = job.dataset.uris[split]
        raise UsageError(f"{uri} is sent as it lies; copy it: gcloud storage cp {uri} {target}")
    size = _write(target, _lines(app, found.experiment.provider, job, split))
    content = {
        "name": found.title,
        "split": split,
        "file": str(target),
        "rows": info.rows,
        "size_bytes": size,
    }
    if app.format == "table":
        sizes = f"{info.rows:,} rows, {size:,} bytes"
        app.say(f"{target}: {sizes}, as {found.experiment.provider} gets them")
    else:
        app.output.data("dataset.export", content)


def _lines(app: App, name: str, job: JobSpec, split: str) -> Iterator[bytes]:
    provider = app.provider_of(name)
    if not isinstance(provider, WritesRows):
        raise Unsupported(f"{name} does not tell how its rows travel, so they can't be exported")
    return provider.lines(job, split)


def _write(target: Path, lines: Iterable[bytes]) -> int:
    """Write a new file; return its size in bytes."""
    size = 0
    with written_whole(target, flag="--to", is_private=True, replaces=False) as file:
        for line in lines:
            size += file.write(line)
    return size
