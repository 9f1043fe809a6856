"""Checkpoints on disk: a folder with model.json and model.npz, readable by their owner only."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np

from .learner import Snapshot

FORMAT = "tunekit.model/1"


def make_folder(folder: Path) -> None:
    """Make the folder and its parents, mode 0700, where they are missing."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write_checkpoint(folder: Path, snapshot: Snapshot) -> None:
    """Write a checkpoint so that it is there whole or not at all, replacing an older one."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    try:
        text = json.dumps({"format": FORMAT, **snapshot.description}, indent=1)
        with open(partial / "model.json", "xb", opener=_open_private) as file:
            file.write(text.encode("ascii"))
            _sync(file.fileno())
        with open(partial / "model.npz", "xb", opener=_open_private) as file:
            np.savez_compressed(file, **dict(snapshot.arrays))  # type: ignore[arg-type]
            _sync(file.fileno())
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_checkpoint(folder: Path) -> Snapshot:
    """Read a checkpoint. Raises FileNotFoundError, or ValueError where it is not one."""
    try:
        description = json.loads((folder / "model.json").read_bytes())
    except ValueError as error:
        raise ValueError(f"{folder / 'model.json'} is not JSON") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError(f"{folder / 'model.json'} is not of the format {FORMAT}")
    with np.load(folder / "model.npz", allow_pickle=False) as arrays:
        return Snapshot(description, {name: arrays[name] for name in arrays.files})


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(descriptor: int) -> None:
    # Renaming is only safe once the bytes are on the disk.
    os.fsync(descriptor)
