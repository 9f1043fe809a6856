"""Objects of Cloud Storage, line by line where they lie.

google-cloud-storage is imported when the first object is looked at. It takes Application Default
Credentials; with STORAGE_EMULATOR_HOST in the environment it asks that host, without any.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from tunekit.dataset.sources import BadSource, OutOfReach
from tunekit.errors import MissingExtra
from tunekit.model import Location, Problem

# One call: to connect, and between two pieces of an answer.
TIMEOUT_S = (10.0, 60.0)
# Reading changes nothing, so a call that failed in passing is repeated for so long.
PATIENCE_S = 20.0
_CHUNK_BYTES = 4 * 1024 * 1024
# Far above what a model takes; a longer line means that the object is no JSON Lines.
_LONGEST_LINE_BYTES = 64 * 1024 * 1024


class Line(NamedTuple):
    """One line of an object without its line end; `number` counts from 1."""

    number: int
    raw: bytes


class _Found(NamedTuple):
    """An object and what was said of it at one moment; `crc32c` in base64."""

    blob: Any
    generation: int
    size_bytes: int
    crc32c: str
    encoding: str


class CloudStorage:
    """A connection to Cloud Storage, for use in `with`. Its errors name the object."""

    def __init__(self) -> None:
        self._client = _connected()

    def __enter__(self) -> CloudStorage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def identity(self, uri: str) -> list[str]:
        """Return strings that are equal only where the object's bytes are; one small call.

        BadSource if there is no such object, OutOfReach if it can't be asked.
        """
        found = self._found(uri)
        return ["gcs", uri, str(found.size_bytes), found.crc32c]

    def lines(self, uri: str) -> Iterator[Line]:
        """Yield every line; what was read is checked against the object's checksum at the end.

        Holds a few MiB. BadSource if the object is none of lines or changes meanwhile.
        """
        left = b""
        number = 0
        for piece in self.pieces(uri):
            *whole, left = (left + piece).split(b"\n")
            for raw in whole:
                number += 1
                yield Line(number, raw)
            if len(left) > _LONGEST_LINE_BYTES:
                fact = f"longer than {_LONGEST_LINE_BYTES // 1024**2} MiB"
                remedy = "write one JSON object a line"
                raise BadSource(Problem(fact, remedy, Location(uri, number + 1)))
        if left:
            yield Line(number + 1, left)

    def _found(self, uri: str) -> _Found:
        """Return the object with its metadata as they are now."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        with _explained(uri):
            blob = self._client.bucket(bucket).blob(name)
            blob.reload(projection="noAcl", timeout=TIMEOUT_S, retry=_patience())
        # Taken off at once: a download writes what its answer says into the blob.
        encoding = blob.content_encoding or ""
        return _Found(blob, blob.generation, int(blob.size), str(blob.crc32c), encoding)

    def pieces(self, uri: str) -> Iterator[bytes]:
        """Yield the object's bytes, 4 MiB at a time; the faults are those of `lines`."""
        import google_crc32c

        found = self._found(uri)
        if found.encoding:
            fact = f"stored with the content encoding {found.encoding[:40]!r}"
            raise BadSource(Problem(fact, "upload the file as it is", Location(uri)))
        make: Any = google_crc32c.Checksum
        checksum = make()
        done = 0
        while done < found.size_bytes:
            end = min(done + _CHUNK_BYTES, found.size_bytes)
            with _explained(uri):
                piece: bytes = found.blob.download_as_bytes(
                    start=done,
                    end=end - 1,
                    raw_download=True,
                    checksum=None,  # of the whole object only: see below
                    if_generation_match=found.generation,
                    timeout=TIMEOUT_S,
                    retry=_patience(),
                )
            if len(piece) != end - done:
                fact = f"the connection gave {len(piece)} of {end - done} bytes"
                raise OutOfReach(Problem(fact, "try again", Location(uri)))
            checksum.update(piece)
            done = end
            yield piece
        if base64.b64encode(checksum.digest()).decode() != found.crc32c:
            fact = "what was read does not have the object's checksum"
            raise OutOfReach(Problem(fact, "try again", Location(uri)))


@dataclass(frozen=True)
class StoredObject:
    """An object as a file to read from its beginning, checked against its checksum at the end."""

    uri: str

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        with CloudStorage() as storage:
            raw = _Pieces(storage.pieces(self.uri))
            with io.BufferedReader(raw, _CHUNK_BYTES) as file:
                yield file

    def identity(self) -> list[str]:
        """Return what `CloudStorage.identity` does."""
        with CloudStorage() as storage:
            return storage.identity(self.uri)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        view = memoryview(buffer).cast("B")
        size_bytes = min(len(view), len(self._left))
        view[:size_bytes] = self._left[:size_bytes]
        self._left = self._left[size_bytes:]
        return size_bytes


def _connected() -> Any:
    """Return a client; MissingExtra without its package, OutOfReach without credentials."""
    try:
        with warnings.catch_warnings():
            # Google's packages warn of each Python version a year ahead.
            warnings.simplefilter("ignore", FutureWarning)
            from google.cloud import storage
    except ImportError:
        raise MissingExtra(needs="google-cloud-storage", extra="vertex") from None
    with _explained("Cloud Storage"):
        # No project: objects are named without one.
        return storage.Client(project=None)


def _patience() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(PATIENCE_S)


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Turn the errors of the four libraries below into ours."""
    try:
        yield
    except Exception as error:
        explained = _explain(error, Location(uri))
        if explained is None:
            raise
        raise explained from None


def _explain(error: Exception, where: Location) -> BadSource | None:
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import (
        DefaultCredentialsError,
        GoogleAuthError,
        InvalidOperation,
        TransportError,
    )
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    match error:
        case RetryError() if isinstance(error.cause, Exception):
            return _explain(error.cause, where)
        case DefaultCredentialsError() if not isinstance(error, InvalidOperation):
            fact = "there are no Google credentials on this machine"
            return OutOfReach(Problem(fact, _LOG_IN, where))
        case TransportError() | RequestException() | HTTPError() | OSError():
            fact = f"Cloud Storage can't be reached ({_reason(error)})"
            return OutOfReach(Problem(fact, "check the network, then try again", where))
        case GoogleAuthError():
            fact = "Google does not take the credentials of this machine"
            return OutOfReach(Problem(fact, _LOG_IN, where))
        case GoogleAPICallError():
            return _refusal(int(error.code or 0), where)
        case _:
            return None


_LOG_IN = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


def _refusal(status: int, where: Location) -> BadSource:
    match status:
        case 404:
            fact = "no such object or bucket"
            return BadSource(Problem(fact, f"check it with: gcloud storage ls {where.path}", where))
        case 412:
            return BadSource(Problem("changed while it was read", "try again", where))
        case 401:
            fact = "Google does not take the credentials of this machine"
            return OutOfReach(Problem(fact, _LOG_IN, where))
        case 403:
            fact = "your account may not read it"
            remedy = "have the role roles/storage.objectViewer granted to it on the bucket"
            return OutOfReach(Problem(fact, remedy, where))
        case 429 | 500 | 502 | 503 | 504:
            fact = f"Cloud Storage answered {status}"
            return OutOfReach(Problem(fact, "try again in a while", where))
        case _:
            fact = f"Cloud Storage refused with {status}"
            return BadSource(Problem(fact, "check the object's name", where))


def _reason(error: BaseException) -> str:
    """Return in a word what went wrong below; the text of such errors holds addresses."""
    from requests.exceptions import ConnectTimeout, JSONDecodeError, ProxyError, SSLError, Timeout

    names = {
        ConnectTimeout: "no connection in time",
        Timeout: "no answer in time",
        SSLError: "no secure connection",
        ProxyError: "the proxy refused",
        JSONDecodeError: "the answer was cut short",
    }
    return next(
        (text for kind, text in names.items() if isinstance(error, kind)), "the connection broke"
    )
