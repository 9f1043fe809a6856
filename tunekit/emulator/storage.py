"""Buckets and objects in memory."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field

from .wire import JSON, ApiError, timestamp


@dataclass(frozen=True, slots=True)
class Blob:
    """One object's bytes and the metadata it was uploaded with."""

    bucket: str
    name: str
    data: bytes
    generation: int
    created_s: float
    content_type: str
    metadata: dict[str, str]
    metageneration: int = 1

    def wire(self, base_url: str) -> JSON:
        """Return the object's resource."""
        from urllib.parse import quote

        path = f"{self.bucket}/o/{quote(self.name, safe='')}"
        created = timestamp(self.created_s)
        answer: JSON = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base_url}/storage/v1/b/{path}",
            "mediaLink": f"{base_url}/download/storage/v1/b/{path}"
            f"?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(len(self.data)),
            "md5Hash": self.md5(),
            "crc32c": self.crc32c(),
            "etag": base64.b64encode(str(self.generation).encode()).decode(),
            "timeCreated": created,
            "updated": created,
        }
        if self.metadata:
            answer["metadata"] = self.metadata
        return answer

    def md5(self) -> str:
        """Return the MD5 in base64, which clients compare after a transfer."""
        digest = hashlib.md5(self.data, usedforsecurity=False).digest()
        return base64.b64encode(digest).decode()

    def crc32c(self) -> str:
        """Return the CRC32C in base64, big-endian."""
        return base64.b64encode(crc32c(self.data).to_bytes(4, "big")).decode()


@dataclass(slots=True)
class Upload:
    """A resumable upload that is not finished."""

    bucket: str
    name: str
    content_type: str
    metadata: dict[str, str]
    conditions: dict[str, str]
    data: bytearray = field(default_factory=bytearray)


class Storage:
    """All buckets. Not locked: the world's lock guards it."""

    def __init__(self) -> None:
        self.buckets: dict[str, JSON] = {}
        self.blobs: dict[tuple[str, str], Blob] = {}
        self.uploads: dict[str, Upload] = {}
        self.last_generation = 0

    def get(self, bucket: str, name: str) -> Blob:
        """Return an object. StorageError 404 where there is none."""
        self.require_bucket(bucket)
        blob = self.blobs.get((bucket, name))
        if blob is None:
            raise StorageError(404, f"No such object: {bucket}/{name}", "notFound")
        return blob

    def require_bucket(self, bucket: str) -> JSON:
        """Return a bucket. StorageError 404 where there is none."""
        if bucket not in self.buckets:
            raise StorageError(404, "The specified bucket does not exist.", "notFound")
        return self.buckets[bucket]

    def put(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        content_type: str,
        metadata: dict[str, str],
        conditions: dict[str, str],
    ) -> Blob:
        """Store an object as a new generation. StorageError 412 where a condition fails."""
        self.require_bucket(bucket)
        self.check(bucket, name, conditions)
        # Generations are microseconds, as the service's are, and never repeat.
        self.last_generation = max(self.last_generation + 1, time.time_ns() // 1000)
        blob = Blob(bucket, name, data, self.last_generation, time.time(), content_type, metadata)
        self.blobs[bucket, name] = blob
        return blob

    def check(self, bucket: str, name: str, conditions: dict[str, str]) -> None:
        """Raise StorageError 412 where a precondition of a call does not hold."""
        blob = self.blobs.get((bucket, name))
        generation = blob.generation if blob else 0
        metageneration = blob.metageneration if blob else 0
        for key, wanted in conditions.items():
            if not wanted.lstrip("-").isdigit():
                raise StorageError(400, f"Invalid value for {key}: {wanted}", "invalid")
            found = metageneration if "Meta" in key else generation
            if (found == int(wanted)) == ("NotMatch" in key):
                text = "At least one of the pre-conditions you specified did not hold."
                raise StorageError(412, text, "conditionNotMet")

    def read(self, uri: str) -> bytes | None:
        """Return the bytes of `gs://BUCKET/NAME`, or None where there is no such object."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        blob = self.blobs.get((bucket, name))
        return blob.data if blob else None


class StorageError(ApiError):
    """A refusal in Cloud Storage's own shape."""

    def __init__(self, code: int, message: str, reason: str) -> None:
        super().__init__(code, message)
        self.reason = reason

    def body(self) -> JSON:
        """Return the error as the JSON API of Cloud Storage puts it."""
        item = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [item]}}


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the Castagnoli CRC (RFC 3720, appendix B.4)."""
    try:
        # Part of every Google client's install, and a thousand times faster.
        import google_crc32c
    except ImportError:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
        return crc ^ 0xFFFFFFFF
    return int(google_crc32c.value(data))
