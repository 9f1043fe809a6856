"""Which reader a spec's source asks for. Nothing of the data is read here."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunekit.dataset.formats import SUPPORTED, JsonArray, JsonLines, reader_of
from tunekit.dataset.gcs import StoredObject
from tunekit.dataset.hub import HubSource
from tunekit.dataset.saved import SavedFolder, is_saved
from tunekit.dataset.sources import BadSource, Files, FileSource, LocalFile, Reader, Row
from tunekit.model import Experiment, Location, Problem

_NO_PATH = "not a path that can be opened"
_WRITE_ENDING = f"supported are {SUPPORTED}, all text as UTF-8"


def open_source(experiment: Experiment, *, root: Path) -> Reader:
    """Return the reader of the experiment's source; BadSource if there can be none."""
    source = experiment.dataset.source
    if source.path is not None:
        where = experiment.at("dataset.source.path")
        return open_path(source.path, split=source.split, root=root, where=where)
    if source.hub is not None:
        return HubSource.of(source, experiment.at("dataset.source.hub"))
    if source.gcs is not None:
        return _open_object(source.gcs, experiment.at("dataset.source.gcs"))
    fact = "dataset.source names no data"
    raise BadSource(Problem(fact, "give path: FILE", experiment.at("dataset.source")))


def open_path(name: str, *, root: Path, where: Location, split: str | None = None) -> Reader:
    """Return the reader of a file, a folder or several files below `root`."""
    try:
        if Path(name).is_absolute():
            fact = "the path is absolute"
            raise _refused(fact, "write it relative to the project's root", where)
        path = _inside(name, root, where)
        is_folder = path.is_dir()
        is_pattern = glob.has_magic(name) and not os.path.lexists(root / name)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL, a name too long
        raise _refused(_NO_PATH, "name a file below the root", where) from None
    if is_folder and is_saved(path):
        return SavedFolder(path, name, split, where)
    if split is not None:
        fact = "split goes with a folder that datasets saved, or with hub"
        key = "dataset.source.split"
        raise BadSource(Problem(f"{key}: {fact}", "remove it; rows are split below", where))
    if is_pattern:
        return _open_several(name, root, where)
    return _open_file(name, path, where)


def _open_file(name: str, path: Path, where: Location) -> FileSource:
    reader = reader_of(name, LocalFile(path))
    if reader is None:
        if path.is_dir():
            fact = f"{name} is a folder that datasets did not save"
            remedy = f"name its files, e.g. {name.rstrip('/')}/*.jsonl"
            raise _refused(fact, remedy, where)
        raise _refused(f"{name} has no known ending", _WRITE_ENDING, where)
    if not path.exists():
        raise _refused(f"{name} does not exist", "paths are relative to the project's root", where)
    if not path.is_file():
        raise _refused(f"{name} is not a file", f"name one that ends in {SUPPORTED}", where)
    return reader


def _open_several(pattern: str, root: Path, where: Location) -> Reader:
    try:
        found = glob.glob(pattern, root_dir=root, recursive=True)
    except (OSError, ValueError):
        raise _refused(_NO_PATH, "name a file below the root", where) from None
    names = sorted(name for name in found if not (root / name).is_dir())
    if not names:
        fact = f"{pattern} matches no file"
        raise _refused(fact, "paths are relative to the project's root", where)
    files = tuple(_open_file(name, _inside(name, root, where), where) for name in names)
    return SeveralFiles(pattern, files)


def _open_object(uri: str, where: Location) -> FileSource:
    reader = reader_of(uri, StoredObject(uri))
    if reader is None:
        fact = f"dataset.source.gcs: {uri} has no known ending"
        raise BadSource(Problem(fact, _WRITE_ENDING, where))
    return reader


def _inside(name: str, root: Path, where: Location) -> Path:
    path = (root / name).resolve()
    if os.path.lexists(root / name):
        os.stat(root / name)  # where `resolve` lets a loop of links pass, this does not
    if not path.is_relative_to(root.resolve()):
        fact = f"{name} leads out of the project"
        raise _refused(fact, "name a file below the project's root", where)
    return path


def _refused(fact: str, remedy: str, where: Location) -> BadSource:
    return BadSource(Problem(f"dataset.source.path: {fact}", remedy, where))


@dataclass(frozen=True)
class SeveralFiles:
    """Files that one pattern matches, read one after another in the order of their names."""

    name: str
    parts: Sequence[FileSource]
    # How many lines were counted before each file that was reached.
    _before: dict[str, int] = field(default_factory=dict, compare=False)

    def rows(self) -> Iterator[Row]:
        last = 0
        for part in self.parts:
            before = self._before[part.name] = last
            for line, values, raw in part.rows():
                last = before + line
                yield Row(last, values, raw)

    def files(self) -> Files:
        return tuple(self._before.items())

    def columns(self, wanted: Collection[str] = ()) -> Sequence[str]:
        """Return the columns of the first file that has rows; of JSON, until each `wanted` is seen.

        A table's rows have all its columns, so what its header lacks is no other's to give.
        """
        known: dict[str, None] = {}
        for file in self.parts:
            missing = set(wanted) - known.keys()
            known |= dict.fromkeys(file.columns(missing))
            if known and not (missing - known.keys() and isinstance(file, JsonLines | JsonArray)):
                break
        return list(known)

    def count(self, limit: int | None = None) -> int:
        total = 0
        for file in self.parts:
            if limit is not None and total >= limit:
                break
            total += file.count(None if limit is None else limit - total)
        return total

    def identity(self) -> list[str]:
        """Return the identities of all files, in their order."""
        return [text for file in self.parts for text in file.identity()]
