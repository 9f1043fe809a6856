"""The JSON API of Cloud Storage: https://cloud.google.com/storage/docs/json_api."""

from __future__ import annotations

import json
import re
import uuid
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import quote, unquote

from starlette.responses import Response

from .storage import Blob, Storage, StorageError, Upload
from .wire import JSON, listed, page
from .world import Call, World, project_number

_CONDITIONS = re.compile(r"if(Metageneration|Generation)(Not)?Match")


def _conditions(call: Call) -> dict[str, str]:
    return {key: value for key, value in call.query.items() if _CONDITIONS.fullmatch(key)}


def create_bucket(world: World, call: Call) -> JSON:
    """Make a bucket; 409 where it exists."""
    name = str(call.body.get("name", ""))
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", name):
        raise StorageError(400, f"Invalid bucket name: '{name}'", "invalid")
    if name in world.storage.buckets:
        raise StorageError(
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
            "conflict",
        )
    now = world.now()
    bucket = {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "selfLink": f"{call.url}/storage/v1/b/{name}",
        "projectNumber": project_number(call.asked("project", "emulator")),
        "metageneration": "1",
        "location": str(call.body.get("location", "US")).upper(),
        "locationType": "region",
        "storageClass": "STANDARD",
        "etag": "CAE=",
        "timeCreated": now,
        "updated": now,
    }
    world.storage.buckets[name] = bucket
    return bucket


def get_bucket(world: World, call: Call) -> JSON:
    """Return a bucket."""
    return world.storage.require_bucket(call.path["bucket"])


def test_permissions(world: World, call: Call) -> JSON:
    """Return which of the permissions asked about are held: all but the denied ones."""
    world.storage.require_bucket(call.path["bucket"])
    asked = call.lists.get("permissions", [])
    if not asked:
        raise StorageError(400, "Required parameter: permissions", "required")
    answer: JSON = {"kind": "storage#testIamPermissionsResponse"}
    held = [name for name in asked if name not in world.faults.denied_permissions]
    return {**answer, "permissions": held} if held else answer


def list_buckets(world: World, call: Call) -> JSON:
    """List the project's buckets."""
    number = project_number(call.asked("project", "emulator"))
    found = [b for b in world.storage.buckets.values() if b["projectNumber"] == number]
    return {"kind": "storage#buckets", **listed("items", found, "")}


def delete_bucket(world: World, call: Call) -> Response:
    """Delete an empty bucket; 409 where it has objects."""
    name = call.path["bucket"]
    world.storage.require_bucket(name)
    if any(bucket == name for bucket, _ in world.storage.blobs):
        raise StorageError(409, "The bucket you tried to delete is not empty.", "conflict")
    del world.storage.buckets[name]
    return Response(status_code=204)


def upload(world: World, call: Call) -> Any:
    """Take a whole object, or begin a resumable upload."""
    bucket = call.path["bucket"]
    storage = world.storage
    storage.require_bucket(bucket)
    match call.asked("uploadType"):
        case "media":
            content_type = call.headers.get("content-type", "application/octet-stream")
            about: JSON = {"name": call.asked("name"), "contentType": content_type}
            return _stored(world, call, bucket, about, call.raw)
        case "multipart":
            about, data, content_type = _multipart(call)
            about.setdefault("contentType", content_type)
            return _stored(world, call, bucket, about, data)
        case "resumable":
            return _begin(world, call, bucket)
        case other:
            raise StorageError(400, f"Unknown uploadType '{other}'", "invalid")


def _stored(world: World, call: Call, bucket: str, about: JSON, data: bytes) -> JSON:
    name = str(about.get("name") or call.asked("name"))
    if not name:
        raise StorageError(400, "Required: name", "required")
    blob = world.storage.put(
        bucket,
        name,
        data,
        content_type=str(about.get("contentType") or "application/octet-stream"),
        metadata=dict(about.get("metadata") or {}),
        conditions=_conditions(call),
    )
    _check_sums(world.storage, blob, about)
    return blob.wire(call.url)


def _check_sums(storage: Storage, blob: Blob, about: JSON) -> None:
    for key, found in (("md5Hash", blob.md5), ("crc32c", blob.crc32c)):
        if about.get(key) and about[key] != found():
            del storage.blobs[blob.bucket, blob.name]
            raise StorageError(400, f"Provided {key} does not match the data.", "invalid")


def _multipart(call: Call) -> tuple[JSON, bytes, str]:
    """Return the metadata, the bytes and their type of a multipart/related body."""
    boundary = re.search(r'boundary="?([^";]+)', call.headers.get("content-type", ""))
    if boundary is None:
        raise StorageError(400, "The content type has no boundary.", "badRequest")
    mark = b"--" + boundary[1].strip("'").encode()
    # Split by hand: an e-mail parser would change line ends inside the data.
    pieces = (b"\r\n" + call.raw).split(b"\r\n" + mark)
    parts = [piece.lstrip(b"\r\n") for piece in pieces[1:] if not piece.startswith(b"--")]
    if len(parts) != 2:
        raise StorageError(400, "A multipart upload has two parts.", "badRequest")
    about, _ = _part(pieces[1])
    data, headers = _part(pieces[2])
    return json.loads(about[0] or b"{}"), data[0], headers.get("content-type", "")


def _part(piece: bytes) -> Any:
    head, _, body = piece.partition(b"\r\n\r\n")
    headers = message_from_bytes(head.lstrip(b"\r\n") + b"\r\n\r\n", policy=HTTP)
    return (body,), {name.lower(): str(value) for name, value in headers.items()}


def _begin(world: World, call: Call, bucket: str) -> Response:
    about = json.loads(call.raw or b"{}")
    name = str(about.get("name") or call.asked("name"))
    if not name:
        raise StorageError(400, "Required: name", "required")
    key = uuid.uuid4().hex
    kind = about.get("contentType") or call.headers.get("x-upload-content-type")
    world.storage.check(bucket, name, _conditions(call))
    world.storage.uploads[key] = Upload(
        bucket,
        name,
        str(kind or "application/octet-stream"),
        dict(about.get("metadata") or {}),
        _conditions(call),
    )
    place = f"{call.url}/upload/storage/v1/b/{quote(bucket)}/o?uploadType=resumable&upload_id={key}"
    return Response(status_code=200, headers={"location": place, "x-guploader-uploadid": key})


def resume(world: World, call: Call) -> Any:
    """Take a chunk of a resumable upload; 308 with what is there until it is whole."""
    key = call.asked("upload_id") or call.asked("uploadId")
    going = world.storage.uploads.get(key)
    if going is None:
        raise StorageError(404, "No such upload.", "notFound")
    span = call.headers.get("content-range", "")
    match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", span)
    if span and match is None:
        raise StorageError(400, f"Invalid Content-Range: {span}", "badRequest")
    if match is None or match[1] is not None:
        start = int(match[1]) if match else 0
        if start > len(going.data):
            raise StorageError(503, "The chunk does not follow the last one.", "backendError")
        # A client that lost an answer sends a chunk again: what is there is kept.
        going.data.extend(call.raw[len(going.data) - start :])
    total = match[3] if match else str(len(going.data))
    if total == "*" or len(going.data) < int(total):
        headers = {"range": f"bytes=0-{len(going.data) - 1}"} if going.data else {}
        return Response(status_code=308, headers=headers)
    blob = world.storage.put(
        going.bucket,
        going.name,
        bytes(going.data),
        content_type=going.content_type,
        metadata=going.metadata,
        conditions=going.conditions,
    )
    del world.storage.uploads[key]
    return blob.wire(call.url)


def get_object(world: World, call: Call) -> Any:
    """Return an object's resource, or with alt=media its bytes."""
    blob = world.storage.get(call.path["bucket"], unquote(call.path["object"]))
    world.storage.check(blob.bucket, blob.name, _conditions(call))
    if call.asked("generation") not in ("", str(blob.generation)):
        raise StorageError(404, f"No such object: {blob.bucket}/{blob.name}", "notFound")
    if call.asked("alt") != "media":
        return blob.wire(call.url)
    return _download(blob, call.headers.get("range", ""))


def _download(blob: Blob, asked: str) -> Response:
    headers = {
        "content-type": blob.content_type,
        "accept-ranges": "bytes",
        "x-goog-generation": str(blob.generation),
        "x-goog-metageneration": str(blob.metageneration),
        "x-goog-storage-class": "STANDARD",
        "x-goog-hash": f"crc32c={blob.crc32c()},md5={blob.md5()}",
        "x-goog-stored-content-length": str(len(blob.data)),
        "x-goog-stored-content-encoding": "identity",
    }
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if match is None or not (match[1] or match[2]):
        return Response(blob.data, headers=headers)
    size = len(blob.data)
    start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    end = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if start >= size:
        headers["content-range"] = f"bytes */{size}"
        return Response(status_code=416, headers=headers)
    headers["content-range"] = f"bytes {start}-{end}/{size}"
    return Response(blob.data[start : end + 1], status_code=206, headers=headers)


def list_objects(world: World, call: Call) -> JSON:
    """List objects by prefix; with a delimiter, what lies deeper as prefixes."""
    bucket, prefix = call.path["bucket"], call.asked("prefix")
    world.storage.require_bucket(bucket)
    blobs = [
        b
        for (in_, name), b in world.storage.blobs.items()
        if in_ == bucket and name.startswith(prefix)
    ]
    delimiter = call.asked("delimiter")
    prefixes = set()
    if delimiter:
        flat = []
        for blob in blobs:
            head, mark, _ = blob.name[len(prefix) :].partition(delimiter)
            if mark:
                prefixes.add(prefix + head + mark)
            else:
                flat.append(blob)
        blobs = flat
    ordered = sorted(blobs, key=lambda blob: blob.name, reverse=True)
    found, token = page(list(enumerate(ordered)), call.query, default=1000, most=1000)
    answer = {"kind": "storage#objects"}
    answer.update(listed("items", [blob.wire(call.url) for blob in found], token))
    if prefixes:
        answer["prefixes"] = sorted(prefixes)  # type: ignore[assignment]
    return answer


def delete_object(world: World, call: Call) -> Response:
    """Delete an object."""
    blob = world.storage.get(call.path["bucket"], unquote(call.path["object"]))
    world.storage.check(blob.bucket, blob.name, _conditions(call))
    del world.storage.blobs[blob.bucket, blob.name]
    return Response(status_code=204)


__all__ = [
    *("create_bucket", "delete_bucket", "delete_object", "get_bucket", "get_object"),
    *("list_buckets", "list_objects", "resume", "test_permissions", "upload"),
]
