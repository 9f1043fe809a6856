"""Training files in Cloud Storage: written once, under the digest of their bytes.

Uploads are resumable: whatever breaks one off, the next try goes on where the server says, also in
another process. Nothing is tried again here; that is the caller's. A broken one leaves no object.
Source: https://docs.cloud.google.com/storage/docs/resumable-uploads
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from tunekit.errors import NotFound, ProviderError, Unavailable
from tunekit.providers.base import Progress
from tunekit.providers.google.addresses import is_loopback
from tunekit.providers.google.faults import Refused, fault, retry_after_s
from tunekit.providers.google.packages import load
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import limits

HOST = "https://storage.googleapis.com"
ROLE = "roles/storage.objectAdmin"

# A multiple of 256 KiB, as the service demands; small enough to leave on a slow line in time.
_CHUNK = 4 << 20
_PACKAGE = "google-cloud-storage"
_NEEDED = ["storage.objects.create", "storage.objects.get", "storage.objects.delete"]
_TYPE = "application/jsonl"


class _AlreadyThere(Exception):
    """The object came into being meanwhile."""


@dataclass(slots=True)
class Spooled:
    """A training file on this machine's disk, without a name: it is gone with its process."""

    file: IO[bytes]
    size_bytes: int
    sha256: str
    crc32c: str

    @property
    def name(self) -> str:
        """The object that holds exactly these bytes."""
        return f"tunekit/{self.sha256}.jsonl"


@contextmanager
def spool(lines: Iterable[bytes], folder: Path) -> Iterator[Spooled]:
    """Write lines to disk and sum them up; holds one line in memory. ProviderError past 1 GiB."""
    google_crc32c = load("google_crc32c", package=_PACKAGE, extra="vertex")
    digest, crc, size = hashlib.sha256(), google_crc32c.Checksum(), 0
    _make_private(folder)
    with tempfile.TemporaryFile(dir=folder) as file:
        for line in lines:
            size += len(line)
            if size > limits.MOST_FILE_BYTES:
                raise ProviderError(
                    "the training file is larger than 1 GB, Vertex AI's limit "
                    f"({limits.SUPERVISED_URL}); take fewer rows"
                )
            digest.update(line)
            crc.update(line)
            file.write(line)
        file.flush()
        checksum = base64.b64encode(crc.digest()).decode()
        yield Spooled(file, size, digest.hexdigest(), checksum)


@dataclass(slots=True)
class Store:
    """One bucket. `base` is the service's URL; open uploads are noted in `folder`."""

    rest: Rest
    project: str
    location: str
    bucket: str
    base: str
    folder: Path
    progress: Progress

    def put(self, spooled: Spooled) -> str:
        """Return the gs:// URI of an object with these bytes, uploading it where there is none."""
        uri = f"gs://{self.bucket}/{spooled.name}"
        doing = f"upload {uri}"
        if not self._has(spooled, doing):
            with suppress(_AlreadyThere):  # somebody else was quicker with the same bytes
                self._upload(spooled, doing)
        self._note(spooled).unlink(missing_ok=True)
        self.progress(spooled.name, spooled.size_bytes, spooled.size_bytes)
        return uri

    def _has(self, spooled: Spooled, doing: str) -> bool:
        blob = self._client().bucket(self.bucket).blob(spooled.name)
        try:
            with self._watching(doing):
                blob.reload(timeout=self.rest.waits_s, retry=None)
        except NotFound:
            return False
        # Same name, same bytes; a damaged one is refused rather than trained on.
        if blob.crc32c != spooled.crc32c:
            raise ProviderError(f"{doing}: an object of this name holds other bytes; remove it")
        return True

    def _upload(self, spooled: Spooled, doing: str) -> None:
        note = self._note(spooled)
        address, done = self._resumed(spooled, note, doing)
        if address is None:
            address, done = self._begin(spooled, note, doing), 0
        while done is not None:
            self.progress(spooled.name, done, spooled.size_bytes)
            before, done = done, self._send(spooled, address, done, note, doing)
            if done is not None and done <= before:
                raise Unavailable(f"{doing}: the service took nothing of what was sent")

    def _begin(self, spooled: Spooled, note: Path, doing: str) -> str:
        """Open an upload session and remember its address, which lets one object be written."""
        blob = self._client().bucket(self.bucket).blob(spooled.name)
        blob.crc32c = spooled.crc32c  # the service refuses bytes that do not fit
        try:
            with self._watching(doing):
                address = blob.create_resumable_upload_session(
                    content_type=_TYPE,
                    size=spooled.size_bytes,
                    timeout=self.rest.waits_s,
                    checksum=None,
                    if_generation_match=0,
                    retry=None,
                )
        except Refused as error:
            if error.status == 412:
                raise _AlreadyThere from error
            raise
        if urlsplit(str(address)).netloc != urlsplit(self.base).netloc:
            raise ProviderError(f"{doing}: the service sends the upload to another host")
        _make_private(note.parent)
        handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump({"address": address, "size_bytes": spooled.size_bytes}, file)
        return str(address)

    def _resumed(self, spooled: Spooled, note: Path, doing: str) -> tuple[str | None, int | None]:
        """Return a former session and how much it has; no address where there is none to go on."""
        try:
            kept = json.loads(note.read_text(encoding="utf-8"))
            address, size = str(kept["address"]), kept["size_bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, None
        is_ours = urlsplit(address).netloc == urlsplit(self.base).netloc
        if not is_ours or size != spooled.size_bytes:
            return None, None
        try:
            return address, self._send(spooled, address, None, note, doing)
        except NotFound:
            return None, None

    def _send(
        self, spooled: Spooled, address: str, start: int | None, note: Path, doing: str
    ) -> int | None:
        """Send the piece from `start`, or with None only ask; return what the server then has.

        None once the object is whole. NotFound where the session is no more.
        """
        size = spooled.size_bytes
        piece = b""
        if start is not None:
            spooled.file.seek(start)
            piece = spooled.file.read(_CHUNK)
        span = f"{start}-{start + len(piece) - 1}" if start is not None and piece else "*"
        session = self.rest.session(is_local=is_loopback(self.base))
        with self.rest.watching(doing, self.base):
            answer = session.request(  # type: ignore[no-untyped-call]
                "PUT",
                address,
                data=piece,
                headers={"content-range": f"bytes {span}/{size}"},
                # The first number bounds also the sending of the whole piece.
                timeout=(self.rest.timeout_s, self.rest.timeout_s),
                allow_redirects=False,
            )
            status, text = answer.status_code, answer.text
        if status == 308:
            return _held(answer.headers.get("range"), size)
        if status in (200, 201):
            self._verify(spooled, text, doing)
            return None
        if status == 412:
            raise _AlreadyThere
        if status in (404, 410):
            note.unlink(missing_ok=True)
            raise NotFound(f"{doing}: the upload session has expired; the next try begins anew")
        # Its words may repeat rows.
        raise self._fault(status, "", doing, retry_after_s(answer.headers.get("retry-after")))

    def _verify(self, spooled: Spooled, text: str, doing: str) -> None:
        try:
            stored = json.loads(text)
        except ValueError:
            raise Unavailable(f"{doing}: the answer is no JSON object") from None
        is_whole = isinstance(stored, dict) and stored.get("crc32c") == spooled.crc32c
        if not is_whole:
            blob = self._client().bucket(self.bucket).blob(spooled.name)
            with self._watching(doing):
                blob.delete(timeout=self.rest.waits_s, retry=None)
            raise Unavailable(f"{doing}: the bytes were damaged on the way; removed again")

    # --- the client ----------------------------------------------------------------------------

    def _client(self) -> Any:
        storage = load("google.cloud.storage", package=_PACKAGE, extra="vertex")
        return storage.Client(
            project=self.project,
            credentials=self.rest.signer(),
            _http=self.rest.session(is_local=is_loopback(self.base)),
            client_options={"api_endpoint": self.base},
        )

    def about_bucket(self) -> tuple[str, list[str] | None]:
        """Return the bucket's location and which needed permissions we lack. Writes nothing.

        None where it could not be asked which. NotFound where there is no such bucket.
        """
        doing = f"look at gs://{self.bucket}"
        bucket = self._client().bucket(self.bucket)
        with self._watching(doing):
            bucket.reload(timeout=self.rest.waits_s, retry=None)
        try:
            with self._watching(doing):
                allowed = bucket.test_iam_permissions(
                    _NEEDED, timeout=self.rest.waits_s, retry=None
                )
        except ProviderError:
            return str(bucket.location or ""), None
        return str(bucket.location or ""), [name for name in _NEEDED if name not in allowed]

    @contextmanager
    def _watching(self, doing: str) -> Iterator[None]:
        load("google.api_core.exceptions", package=_PACKAGE, extra="vertex")
        from google.api_core.exceptions import GoogleAPICallError

        try:
            with self.rest.watching(doing, self.base):
                yield
        except GoogleAPICallError as error:
            # The service's own words where they came; the client wraps them in the call's address.
            said = getattr(error.response, "text", "")
            body = said or {"error": {"message": error.message, "errors": list(error.errors)}}
            header = getattr(error.response, "headers", {}).get("retry-after")
            raise self._fault(int(error.code or 0), body, doing, retry_after_s(header)) from error

    def _fault(
        self, status: int, body: Mapping[str, Any] | str, doing: str, wait_s: float | None
    ) -> ProviderError:
        found = fault(status, body, doing=doing, retry_after_s=wait_s, advice=self.rest.advice)
        if status == 404 and "bucket" in str(found).lower():
            return NotFound(f"{found}; run: {self.create_command()}")
        return found

    def create_command(self) -> str:
        """Return the command that makes the bucket."""
        if is_loopback(self.base):  # no account's command reaches an emulator
            body = json.dumps({"name": self.bucket})
            return (
                f"curl '{self.base}/storage/v1/b?project={self.project}' "
                f"-H 'content-type: application/json' -d '{body}'"
            )
        return (
            f"gcloud storage buckets create gs://{self.bucket} --project={self.project} "
            f"--location={self.location}"
        )

    def _note(self, spooled: Spooled) -> Path:
        # The session belongs to one bucket of one service.
        where = hashlib.sha256(f"{self.base}/{self.bucket}".encode()).hexdigest()[:12]
        return self.folder / f"{spooled.sha256}-{where}.upload.json"


def _held(header: str | None, size: int) -> int:
    """Return how many bytes a 308 says the server has: `bytes=0-N`, nothing without a range."""
    end = (header or "").rpartition("-")[2]
    return min(int(end) + 1, size) if end.isdigit() else 0


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ProviderError(f"can't write {folder}: {error.strerror}") from error
