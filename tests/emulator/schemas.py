"""Answers checked against Google's own documents; an unknown field is a fault.

The Gemini API's answers are parsed into its protocol buffers, which refuse unknown fields, wrong
types and unknown enums. Requests are checked in request_schemas.
"""

from __future__ import annotations

import json
from typing import Any

from tests.emulator import documents
from tests.emulator.documents import JSON, Style


def find_faults(*, method: str, path: str, query: str, status: int, body: bytes) -> list[str]:
    """Return what is wrong with an answer; nothing where it is as documented."""
    where = f"{method} {path} {status}"
    if path.startswith("/_emulator/"):
        return []
    is_media = "alt=media" in query or path.startswith("/download/")
    if status == 204 or status == 308 or (is_media and status < 300):
        return []
    if path.startswith("/upload/") and not body:
        return []
    answers = _answers(body, is_stream="alt=sse" in query)
    if status >= 400:
        return [fault for answer in answers for fault in _faults_of_error(where, answer)]
    # Cloud Storage's upload paths are in its document without their prefix.
    if path.startswith("/upload/"):
        method = "POST"  # a resumable upload ends with a PUT that the document leaves out
    path = path.removeprefix("/upload").removeprefix("/download")
    found: list[str] = []
    for answer in answers:
        if path.startswith("/v1beta/"):
            found += _faults_of_proto(where, method, path, answer)
        else:
            name = documents.document_of(path)
            found += _faults_of_schema(where, name, method, path, query, answer)
    return found


def _answers(body: bytes, *, is_stream: bool) -> list[Any]:
    if is_stream:
        lines = [line for line in body.decode().splitlines() if line]
        return [json.loads(line.removeprefix("data: ")) for line in lines]
    answer = json.loads(body)
    return answer if isinstance(answer, list) else [answer]


def _faults_of_schema(
    where: str, name: str, method: str, path: str, query: str, answer: Any
) -> list[str]:
    called = documents.find_method(name, method, path)
    if called is None:
        return [f"{where}: {name} has no such method"]
    style = Style(has_enum_numbers="enum-encoding=int" in query.replace("%3D", "="))
    check = documents.validator(name, called.answer, style)
    return [f"{where}: {e.json_path}: {e.message[:300]}" for e in check.iter_errors(answer)]


def _faults_of_proto(where: str, method: str, path: str, answer: JSON) -> list[str]:
    from google.protobuf import json_format

    called = documents.find_gemini_method(method, path)
    if called is None:
        return [f"{where}: no such method"]
    try:
        # An operation's Any members are parsed as the types that they name.
        json_format.ParseDict(answer, documents.message(called.answer))
    except json_format.ParseError as error:
        return [f"{where}: {error}"]
    return []


def _faults_of_error(where: str, answer: Any) -> list[str]:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or set(answer) != {"error"}:
        return [f"{where}: an error is not {{'error': …}}"]
    if "errors" in error:  # Cloud Storage
        is_right = set(error) == {"code", "message", "errors"}
        return [] if is_right else [f"{where}: {sorted(error)}"]
    known = {"code", "message", "status", "details"}
    faults = [f"{where}: {key}" for key in set(error) - known]
    for detail in error.get("details", []):
        faults += _faults_of_detail(where, detail)
    return faults


def _faults_of_detail(where: str, detail: JSON) -> list[str]:
    from google.protobuf import json_format
    from google.rpc import error_details_pb2

    kind = detail.get("@type", "").rpartition(".")[2]
    rest = {key: value for key, value in detail.items() if key != "@type"}
    try:
        json_format.ParseDict(rest, getattr(error_details_pb2, kind)())
    except (AttributeError, json_format.ParseError) as error:
        return [f"{where}: {error}"]
    return []
