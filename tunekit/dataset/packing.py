"""Compressed files, unpacked piece by piece: gzip by the standard library, zstd by pyarrow."""

from __future__ import annotations

import gzip
import io
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from tunekit.errors import MissingExtra

# By the last ending of a file's name.
PACKINGS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_PIECE_BYTES = 1 << 18


class Damaged(Exception):
    """A compressed file that does not unpack; says how, without a byte of it."""


@contextmanager
def unpacked(file: BinaryIO, packing: str) -> Iterator[BinaryIO]:
    """Yield the plain bytes of a file; packing "" is none. Damaged where they break off.

    MissingExtra for zstd without pyarrow. Holds less than a MiB.
    """
    if not packing:
        yield file
        return
    raw = _Zstd(file) if packing == "zstd" else _Gzip(file)
    with io.BufferedReader(raw, _PIECE_BYTES) as plain:
        yield plain


class _Unpacker(io.RawIOBase):
    """The plain bytes of a packed file, as far as they are asked for."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        piece = self._read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    @abstractmethod
    def _read(self, size_bytes: int) -> bytes:
        """Return at most so many plain bytes, none at the end. Damaged where they break off."""


class _Gzip(_Unpacker):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._plain = gzip.GzipFile(fileobj=file, mode="rb")

    def _read(self, size_bytes: int) -> bytes:
        try:
            return self._plain.read(size_bytes)
        except EOFError:
            raise Damaged("the gzip data is cut short") from None
        except (gzip.BadGzipFile, zlib.error):
            raise Damaged("this is no whole gzip data") from None

    def close(self) -> None:
        self._plain.close()
        super().close()


class _Zstd(_Unpacker):
    """Frames one after another, as `zstd` and `pzstd` write them."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        try:
            import pyarrow
        except ImportError:
            raise MissingExtra(needs="pyarrow, which reads zstd,", extra="hub") from None
        self._plain = pyarrow.CompressedInputStream(file, "zstd")

    def _read(self, size_bytes: int) -> bytes:
        try:
            piece: bytes = self._plain.read(size_bytes)
        except OSError as error:
            is_cut = "runcated" in str(error)
            fact = "the zstd data is cut short" if is_cut else "this is no whole zstd data"
            raise Damaged(fact) from None
        return piece
