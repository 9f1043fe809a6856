"""Data sets of the Hugging Face Hub, read by `datasets` at one commit.

What is not large is kept as Arrow files in `datasets`' own cache (below HF_HOME) and read from
there ever after, without the Hub; what is larger is streamed at each pass. Both hold some MiB.
`datasets` runs no code of a data set since its version 4; older ones are not accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tunekit.dataset.arrowfiles import ArrowFiles
from tunekit.dataset.columnar import NotText, rows_of
from tunekit.dataset.hub_api import (
    HubTable,
    NoConnection,
    commit_of,
    explained,
    is_commit,
    listed,
    sizes_bytes,
    token,
)
from tunekit.dataset.sources import BadSource, FoundLater, Row
from tunekit.errors import MissingExtra
from tunekit.model import Experiment, Location, Problem, Source

# Files of the Hub above this are streamed; below, they are kept on disk, about twice their size.
MOST_KEPT_BYTES = 2 * 1024**3
_BATCH_ROWS = 512
# A stream that breaks is taken up again by huggingface_hub, for half a minute. `datasets` would
# have it do so 20 times over.
_STREAM_TRIES = 1
_DOWNLOAD_TRIES = 3


def resolve(source: Source, where: Location | None = None) -> str:
    """Return the commit that a hub source means now; a commit written in full costs no call.

    BadSource if it has no such revision; OutOfReach if the Hub can't be asked, or refuses.
    """
    if source.hub is None:
        raise ValueError("only a hub source has commits")
    if is_commit(source.revision):
        return str(source.revision)
    return commit_of(_table(source, where))


def pinned(experiment: Experiment, commit: str) -> Experiment:
    """Return the experiment with its hub source at a commit, whatever its branch does since."""
    data = experiment.dataset
    source = replace(data.source, revision=commit)
    return replace(experiment, dataset=replace(data, source=source))


def _table(source: Source, where: Location | None) -> HubTable:
    return HubTable(str(source.hub), source.config, source.split, source.revision, where)


@dataclass(frozen=True)
class HubSource(FoundLater):
    """A split of a data set of the Hub; a row's line is its number in the split."""

    table: HubTable

    @classmethod
    def of(cls, source: Source, where: Location | None) -> HubSource:
        return cls(_table(source, where))

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def commit(self) -> str:
        revision = self.table.revision
        return str(revision) if is_commit(revision) else commit_of(self.table)

    def identity(self) -> list[str]:
        """Return the name and the commit; asks the Hub only where the spec names no commit."""
        config, split = self.table.config or "", self.table.split or ""
        return ["hub", self.table.repo, config, split, self.commit]

    @cached_property
    def _opened(self) -> ArrowFiles | _Stream:
        return _open(self.table, self.commit)


@lru_cache(maxsize=8)
def _open(table: HubTable, commit: str) -> ArrowFiles | _Stream:
    """Return a split at a commit: from the cache if it is there, else from the Hub."""
    kept = _kept(table, commit)
    return kept if kept is not None else _fetched(table, commit)


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingExtra(needs="datasets", extra="hub") from None
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    datasets.config.STREAMING_READ_MAX_RETRIES = _STREAM_TRIES
    return datasets


def _kept(table: HubTable, commit: str) -> ArrowFiles | None:
    """Return the split out of the cache, None where just this commit and config is not there.

    `datasets` itself takes the newest of any commit there, whenever the Hub refuses or is away.
    """
    datasets = _datasets()
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache

    *owner, name = table.repo.split("/")
    home = "___".join([*owner, camelcase_to_snakecase(name)])
    # A data set whose default goes by another name is asked of the Hub: only it knows which.
    config = table.config or "default"
    folders = Path(datasets.config.HF_DATASETS_CACHE, home, config).glob(f"*/{commit}")
    folder = next((f for f in folders if (f / "dataset_info.json").is_file()), None)
    if folder is None:
        return None
    with explained(table):
        builder = Cache(
            repo_id=table.repo,
            dataset_name=name,
            config_name=config,
            version=folder.parent.name,
            hash=commit,
        )
        return _as_files(table, builder, [str(split) for split in builder.info.splits or ()])


def _fetched(table: HubTable, commit: str) -> ArrowFiles | _Stream:
    datasets = _datasets()
    # Asked first, for `datasets` answers a refusal with whatever commit it has in its cache.
    commit_of(table._replace(revision=commit))
    path = f"hf://datasets/{table.repo}"  # else a folder of this name would be taken for it
    try:
        with explained(table):
            builder = datasets.load_dataset_builder(
                path, name=table.config, revision=commit, token=token()
            )
    except BadSource:
        _refuse_config(table, commit)
        raise
    if builder.hash != commit:
        fact = f"{table.name}: the Hub stopped answering"
        raise NoConnection(Problem(fact, "try again", table.where))
    files = {str(split): some for split, some in (builder.config.data_files or {}).items()}
    split = pick_split(table.name, table.split, list(files), table.where)
    prefix = f"hf://datasets/{table.repo}@{commit}/"
    paths = [str(f).removeprefix(prefix) for some in files.values() for f in some]
    if sizes_bytes(table, commit, paths) > MOST_KEPT_BYTES:
        # Each piece is a request of its own.
        _read_by_pieces(builder, buffer_bytes=8 << 20)
        with explained(table):
            return _Stream(table, builder.as_streaming_dataset(split=split))
    _download(table, builder)
    return _as_files(table, builder, list(files))


def _read_by_pieces(builder: Any, *, buffer_bytes: int) -> None:
    """Have Parquet read in small pieces: as it comes, `datasets` holds many row groups at once."""
    if not hasattr(builder.config, "fragment_scan_options"):
        return
    from pyarrow.dataset import ParquetFragmentScanOptions

    builder.config.batch_size = _BATCH_ROWS
    builder.config.fragment_scan_options = ParquetFragmentScanOptions(
        use_buffered_stream=True, buffer_size=buffer_bytes, pre_buffer=False
    )


def _download(table: HubTable, builder: Any) -> None:
    """Bring a data set's files into the cache; what came before a connection broke is kept."""
    _read_by_pieces(builder, buffer_bytes=1 << 20)
    for tries_left in reversed(range(_DOWNLOAD_TRIES)):
        try:
            with explained(table):
                # The commit says what the rows are; what the card says of their number may be old.
                builder.download_and_prepare(verification_mode="no_checks")
            return
        except NoConnection:
            if not tries_left:
                raise


def _as_files(table: HubTable, builder: Any, splits: Sequence[str]) -> ArrowFiles:
    split = pick_split(table.name, table.split, splits, table.where)
    from datasets.naming import filenames_for_dataset_split

    with explained(table):
        info = builder.info.splits[split]
        files = filenames_for_dataset_split(
            builder.cache_dir,
            dataset_name=builder.dataset_name,
            split=split,
            filetype_suffix="arrow",
            shard_lengths=info.shard_lengths,
        )
    return ArrowFiles(tuple(map(Path, files)), table.name, info.num_examples)


def _refuse_config(table: HubTable, commit: str) -> None:
    """Raise BadSource if it was the config's name that was wrong; else return."""
    with explained(table):
        known = _datasets().get_dataset_config_names(
            f"hf://datasets/{table.repo}", revision=commit, token=token()
        )
    if table.config in known or (table.config is None and len(known) < 2):
        return
    fact = (
        f"{table.name}: no config {table.config[:60]!r}"
        if table.config
        else f"{table.name}: has several configs and no default"
    )
    raise BadSource(Problem(fact, f"write config: one of {listed(known)}", table.where))


def pick_split(name: str, wanted: str | None, known: Sequence[str], where: Location | None) -> str:
    """Return the split to read: the one wanted, else train, else the only one. BadSource if none.

    `known` is all that there are.
    """
    if wanted is None:
        if "train" in known:
            return "train"
        if len(known) == 1:
            return str(known[0])
    elif wanted in known:
        return wanted
    fact = f"{name}: no split {wanted[:60]!r}" if wanted else f"{name}: which split is not clear"
    remedy = f"write split: one of {listed(known)}" if known else "name another data set"
    raise BadSource(Problem(fact, remedy, where))


@dataclass(frozen=True)
class _Stream:
    """A split too large to keep, read from the Hub at each pass."""

    table: HubTable
    dataset: Any

    def rows(self) -> Iterator[Row]:
        number = 0
        names: list[str] = []
        batches = iter(self.dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS))
        while True:
            with explained(self.table):
                batch = next(batches, None)
            if batch is None:
                return
            names = names or list(batch.column_names)
            try:
                for row, values in enumerate(rows_of(batch, names), number + 1):
                    yield Row(row, values)
            except NotText as error:
                where = Location(self.table.name, number + error.row)
                raise BadSource(Problem("not UTF-8", "name other columns", where)) from None
            number += batch.num_rows

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        if self.dataset.column_names:
            return list(self.dataset.column_names)
        row = next(self.rows(), None)
        return [] if row is None else list(row.values)

    def count(self, limit: int | None = None) -> int:
        total = 0
        for _ in self.rows():
            total += 1
            if total == limit:
                break
        return total
