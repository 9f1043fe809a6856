"""Folders that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote.

Source: https://huggingface.co/docs/datasets/process#save
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tunekit.dataset.arrowfiles import ArrowFiles
from tunekit.dataset.hub import pick_split
from tunekit.dataset.sources import BadSource, FoundLater, LocalFile
from tunekit.model import Location, Problem

_STATE = "state.json"
_SPLITS = "dataset_dict.json"


def is_saved(folder: Path) -> bool:
    """Say whether `datasets` saved this folder."""
    return (folder / _STATE).is_file() or (folder / _SPLITS).is_file()


@dataclass(frozen=True)
class SavedFolder(FoundLater):
    """A saved data set, or one split of several; a row's line is its number in the split."""

    path: Path
    name: str
    split: str | None
    where: Location

    def identity(self) -> list[str]:
        """Return the SHA-256 of every file of the split, in the order of their names."""
        try:
            files = sorted(path for path in self._folder.iterdir() if path.is_file())
            return ["saved", *(text for path in files for text in self._identity(path))]
        except OSError as error:
            raise self._bad(f"can't be read ({error.strerror or type(error).__name__})") from None

    @staticmethod
    def _identity(path: Path) -> list[str]:
        return [path.name, *LocalFile(path).identity()]

    @cached_property
    def _folder(self) -> Path:
        if (self.path / _STATE).is_file():
            if self.split is not None:
                fact = f"{self.name} is one split already"
                raise BadSource(Problem(fact, "remove dataset.source.split", self.where))
            return self.path
        try:
            known = json.loads((self.path / _SPLITS).read_bytes())["splits"]
        except (OSError, ValueError, KeyError, TypeError):
            raise self._bad(f"{_SPLITS} does not name its splits") from None
        names = [name for name in known if isinstance(name, str)] if known else []
        return self.path / pick_split(self.name, self.split, names, self.where)

    @cached_property
    def _opened(self) -> ArrowFiles:
        try:
            state = json.loads((self._folder / _STATE).read_bytes())
            names = [file["filename"] for file in state["_data_files"]]
            is_old = bool(state.get("_indices_data_files") or state.get("_indices_files"))
            files = tuple(self._folder / name for name in names)
            home = self._folder.resolve()
            is_inside = all(path.resolve().is_relative_to(home) for path in files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise self._bad(f"{_STATE} does not name its files") from None
        if is_old:
            raise self._bad("saved by a `datasets` older than 2.0")
        if not is_inside:
            raise self._bad("its state names files outside of it")
        return ArrowFiles(files, self.name)

    def _bad(self, fact: str) -> BadSource:
        return BadSource(Problem(fact, "save it again", Location(self.name)))
