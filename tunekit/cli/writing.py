"""Files that a command writes: there whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tunekit.errors import UsageError

_PRIVATE, _SHARED = 0o600, 0o666


@contextmanager
def written_whole(
    path: Path, *, flag: str, is_private: bool = False, replaces: bool = True
) -> Iterator[BinaryIO]:
    """Open a file that appears under its name once all is written, whatever ends this process.

    `is_private`: only its owner may read it. Without `replaces`, one that is there is kept.
    UsageError, which names `flag`, where the file can't be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    mode = _PRIVATE if is_private else _SHARED
    try:
        if not replaces and path.exists():
            raise FileExistsError(17, "it is there already")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb") as file:
                yield file
            # A link, unlike a rename, refuses a name that somebody has taken meanwhile.
            os.replace(part, path) if replaces else os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{flag} {path}: {reason}; name another file") from error
