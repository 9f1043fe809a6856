"""Requests checked against Google's own documents: path, query, content type and body.

Stricter than the services, which forgive: unknown and read-only fields, names in snake_case, enums
by number without `$alt`, and parameters that no document knows are faults here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.emulator import documents
from tests.emulator.documents import JSON, Style

# In no document, but every generated client sends it.
_SYSTEM_PARAMETERS = {"$alt"}
# The protocol of resumable uploads: https://cloud.google.com/storage/docs/performing-resumable-uploads
_OF_UPLOADS = {"upload_id"}
_RANGE = re.compile(r"bytes (?:\d+-\d+|\*)/(?:\d+|\*)")

Text = Mapping[str, str]
Fault = Iterator[str]
Check = Callable[[Any], Fault]


def find_request_faults(
    *, method: str, path: str, query: str, headers: Text, body: bytes
) -> list[str]:
    """Return what is wrong with a request; nothing where it is as documented.

    `path` is as it came over the wire, still percent-encoded; `headers` are in lower case.
    """
    if path.startswith("/_emulator/"):
        return []
    if path.startswith(("/upload/", "/download/", "/storage/")):
        faults = _faults_of_storage(method, path, query, headers, body)
    elif path.startswith("/v1beta/"):
        faults = _faults_of_gemini(method, path, query, headers, body)
    else:
        faults = _faults_of_vertex(method, path, query, headers, body)
    client = headers.get("x-goog-api-client") or headers.get("user-agent", "?")
    return [f"{method} {path} by {client[:60]}: {fault}" for fault in faults]


def _faults_of_vertex(verb: str, path: str, query: str, headers: Text, body: bytes) -> Fault:
    name = documents.document_of(path)
    called = None if name == "storage.v1" else documents.find_method(name, verb, path)
    if called is None:
        yield "no document has such a method"
        return
    yield from _faults_of_query(query, {**_common(name), **called.query})
    style = Style(
        has_enum_numbers=_speaks_numbers(query), is_request=True, has_required=verb != "PATCH"
    )
    yield from _faults_of_body(headers, body, _checked_by(name, called.request, style))


def _faults_of_storage(verb: str, path: str, query: str, headers: Text, body: bytes) -> Fault:
    name = "storage.v1"
    is_upload, is_chunk = path.startswith("/upload/"), path.startswith("/upload/") and verb == "PUT"
    plain = path.removeprefix("/upload").removeprefix("/download")
    called = documents.find_method(name, "POST" if is_chunk else verb, plain)
    if called is None:
        yield "no document has such a method"
        return
    more: dict[str, JSON] = {key: {"type": "string"} for key in _OF_UPLOADS} if is_upload else {}
    yield from _faults_of_query(query, {**_common(name), **called.query, **more})
    check = _checked_by(name, called.request, Style(is_request=True))
    kind = dict(parse_qsl(query)).get("uploadType", "")
    if is_chunk:
        span = headers.get("content-range")
        if span is not None and not _RANGE.fullmatch(span):
            yield f"Content-Range {span!r}"
    elif is_upload and kind == "multipart":
        yield from _faults_of_multipart(headers, body, check)
    elif is_upload and kind == "resumable":
        if body:
            yield from _faults_of_body(headers, body, check)
    elif is_upload and kind != "media":
        yield f"uploadType {kind!r}"
    elif not is_upload:
        yield from _faults_of_body(headers, body, check)


def _faults_of_multipart(headers: Text, body: bytes, check: Check | None) -> Fault:
    boundary = re.fullmatch(
        r"multipart/related; *boundary=[\"']?([^\"']+)[\"']?", headers.get("content-type", "")
    )
    if boundary is None:
        yield "no multipart/related body"
        return
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        yield f"{len(pieces) - 2} parts, not metadata and data"
        return
    head, _, text = pieces[1].partition(b"\r\n\r\n")
    kind = re.search(rb"content-type: *([^\r\n]+)", head, re.IGNORECASE)
    about = {"content-type": kind[1].decode() if kind else ""}
    yield from _faults_of_body(about, text, check)


def _faults_of_gemini(verb: str, path: str, query: str, headers: Text, body: bytes) -> Fault:
    called = documents.find_gemini_method(verb, path)
    if called is None:
        yield "the Gemini API has no such method"
        return
    request = documents.message(called.request)
    fields = {field.json_name: field for field in request.DESCRIPTOR.fields}
    in_query: dict[str, JSON] = {}
    if called.body != "*":
        apart = {called.body, *called.path_fields}
        in_query = {
            key: {"type": "integer" if field.type == field.TYPE_INT32 else "string"}
            for key, field in fields.items()
            if field.name not in apart
        }
    yield from _faults_of_query(query, {**_common("aiplatform.v1beta1"), **in_query})
    if not called.body:
        yield from _faults_of_body(headers, body, None)
        return
    is_whole = called.body == "*"
    kind = request if is_whole else getattr(request, called.body)

    def check(value: Any) -> Fault:
        from google.protobuf import json_format

        yield from _faults_of_names(value, kind.DESCRIPTOR, "$", has_numbers=_speaks_numbers(query))
        try:
            json_format.ParseDict(value, kind)
        except json_format.ParseError as error:
            yield str(error)

    yield from _faults_of_body(headers, body, check)


def _faults_of_names(value: Any, descriptor: Any, place: str, *, has_numbers: bool) -> Fault:
    """Judge what a protocol buffer's parser forgives: names in snake_case, enums by number."""
    is_free = descriptor.full_name.startswith("google.protobuf.")
    if is_free or descriptor.GetOptions().map_entry or not isinstance(value, dict):
        return
    fields = {field.json_name: field for field in descriptor.fields}
    for key, inner in value.items():
        field = fields.get(key)
        if field is None:
            yield f"{place}: {key!r} is no field of {descriptor.name}"
            continue
        for item in inner if isinstance(inner, list) else [inner]:
            if field.enum_type and isinstance(item, int) and not has_numbers:
                yield f"{place}.{key}: {item} is a number, without `enum-encoding=int`"
            elif field.message_type:
                where = f"{place}.{key}"
                yield from _faults_of_names(
                    item, field.message_type, where, has_numbers=has_numbers
                )


def _checked_by(name: str, schema: str, style: Style) -> Check | None:
    if not schema:
        return None

    def check(value: Any) -> Fault:
        for error in documents.validator(name, schema, style).iter_errors(value):
            yield f"{error.json_path}: {error.message[:300]}"

    return check


def _faults_of_body(headers: Text, body: bytes, check: Check | None) -> Fault:
    if check is None:
        if body:
            yield "a body, where none belongs"
        return
    if not body:
        yield from check({})  # an absent body is an empty message
        return
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        yield f"Content-Type {headers.get('content-type')!r}, not application/json"
    try:
        value = json.loads(body)
    except ValueError:
        yield "the body is not JSON"
        return
    if not isinstance(value, dict):
        yield "the body is no JSON object"
        return
    yield from check(value)


def _common(name: str) -> Mapping[str, JSON]:
    common: Mapping[str, JSON] = documents.document(name)["parameters"]
    return {**common, **{key: {"type": "string"} for key in _SYSTEM_PARAMETERS}}


def _speaks_numbers(query: str) -> bool:
    return "enum-encoding=int" in dict(parse_qsl(query)).get("$alt", "")


def _faults_of_query(query: str, known: Mapping[str, JSON]) -> Fault:
    seen: set[str] = set()
    for key, value in parse_qsl(query, keep_blank_values=True):
        schema = known.get(key)
        if schema is None:
            yield f"no query parameter {key!r} is documented"
            continue
        if key in seen and not schema.get("repeated"):
            yield f"the query parameter {key!r} comes twice"
        seen.add(key)
        match schema.get("type"):
            case "integer":
                is_right = bool(re.fullmatch(r"-?\d+", value))
            case "boolean":
                is_right = value in ("true", "false")
            case _:
                is_right = value in schema.get("enum", [value])
        # Google's own common parameter `alt` has values that its documents leave out.
        if not is_right and (key, value) != ("alt", "sse"):
            yield f"{key}={value[:60]!r} is no value of that query parameter"
