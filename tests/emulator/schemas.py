"""Answers checked against Google's own machine-readable documents; an unknown field is a fault.

Vertex AI and Cloud Storage: the discovery documents inside google-api-python-client, made into JSON
Schema. The Gemini API's is not among them (2.202.0), so its answers are parsed into the protocol
buffers of google-ai-generativelanguage, which refuse unknown fields, wrong types and unknown enums.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from functools import lru_cache
from typing import Any

import jsonschema

JSON = dict[str, Any]

_FORMATS = {
    "int64": r"^-?\d+$",
    "uint64": r"^\d+$",
    "google-datetime": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
    "date-time": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
}


@lru_cache
def document(name: str) -> JSON:
    """Return a discovery document."""
    folder = importlib.resources.files("googleapiclient.discovery_cache.documents")
    found: JSON = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


@lru_cache
def methods(name: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Return (HTTP method, path, answer's schema) of every method of a document."""
    found: list[tuple[str, re.Pattern[str], str]] = []
    base = "" if name != "storage.v1" else "storage/v1/"

    def walk(resource: JSON) -> None:
        for method in resource.get("methods", {}).values():
            path = base + (method.get("flatPath") or method["path"])
            parts = re.split(r"\{[^}]*\}", path)
            pattern = "[^/]+".join(map(re.escape, parts))
            answer = method.get("response", {}).get("$ref", "")
            found.append((method["httpMethod"], re.compile(f"/{pattern}"), answer))
        for inner in resource.get("resources", {}).values():
            walk(inner)

    walk(document(name))
    # The most literal path wins: `jobs/{id}:cancel` is also a `jobs/{id}`.
    found.sort(key=lambda method: -len(method[1].pattern))
    return tuple(found)


@lru_cache
def validator(name: str, schema: str, *, has_enum_numbers: bool) -> jsonschema.Draft202012Validator:
    """Return the validator of one schema of a document."""
    schemas = document(name)["schemas"]
    definitions = {key: _translated(value, has_enum_numbers) for key, value in schemas.items()}
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": definitions})


def _translated(schema: JSON, has_enum_numbers: bool) -> JSON:
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type")
    if kind == "any":
        return {}
    result: JSON = {"type": kind}
    if kind == "object":
        properties = schema.get("properties", {})
        result["properties"] = {
            key: _translated(value, has_enum_numbers) for key, value in properties.items()
        }
        more = schema.get("additionalProperties")
        result["additionalProperties"] = _translated(more, has_enum_numbers) if more else False
    elif kind == "array":
        result["items"] = _translated(schema["items"], has_enum_numbers)
    elif kind == "string" and "enum" in schema:
        # The documents say "string"; `$alt=json;enum-encoding=int` asks for the numbers.
        return {"type": "integer"} if has_enum_numbers else {"enum": schema["enum"]}
    elif kind == "string" and schema.get("format") in _FORMATS:
        result["pattern"] = _FORMATS[schema["format"]]
    return result


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
            name = _document_of(path)
            found += _faults_of_schema(where, name, method, path, query, answer)
    return found


def _document_of(path: str) -> str:
    for prefix, name in (("/v1beta1/", "aiplatform.v1beta1"), ("/v1/", "aiplatform.v1")):
        if path.startswith(prefix):
            return name
    return "storage.v1"


def _answers(body: bytes, *, is_stream: bool) -> list[Any]:
    if is_stream:
        lines = [line for line in body.decode().splitlines() if line]
        return [json.loads(line.removeprefix("data: ")) for line in lines]
    answer = json.loads(body)
    return answer if isinstance(answer, list) else [answer]


def _faults_of_schema(
    where: str, name: str, method: str, path: str, query: str, answer: Any
) -> list[str]:
    schema = next(
        (s for verb, pattern, s in methods(name) if verb == method and pattern.fullmatch(path)),
        None,
    )
    if schema is None:
        return [f"{where}: {name} has no such method"]
    numbers = "enum-encoding=int" in query.replace("%3D", "=")
    check = validator(name, schema, has_enum_numbers=numbers)
    return [f"{where}: {e.json_path}: {e.message[:300]}" for e in check.iter_errors(answer)]


def _faults_of_proto(where: str, method: str, path: str, answer: JSON) -> list[str]:
    from google.ai import generativelanguage_v1beta as glm
    from google.longrunning import operations_pb2
    from google.protobuf import empty_pb2, json_format

    kinds: list[tuple[str, str, Any]] = [
        ("POST", r"/v1beta/tunedModels", operations_pb2.Operation),
        ("GET", r"/v1beta/tunedModels", glm.ListTunedModelsResponse),
        ("GET", r"/v1beta/tunedModels/[^/]+/operations/[^/]+", operations_pb2.Operation),
        ("POST", r"/v1beta/.*enerateContent", glm.GenerateContentResponse),
        ("GET|PATCH", r"/v1beta/tunedModels/[^/]+", glm.TunedModel),
        ("DELETE", r"/v1beta/tunedModels/[^/]+", empty_pb2.Empty),
        ("GET", r"/v1beta/models", glm.ListModelsResponse),
        ("GET", r"/v1beta/models/[^/]+", glm.Model),
    ]
    for verbs, pattern, kind in kinds:
        if method in verbs.split("|") and re.fullmatch(pattern, path):
            message = kind.pb()() if hasattr(kind, "pb") else kind()
            try:
                # An operation's Any members are parsed as the types that they name.
                json_format.ParseDict(answer, message)
            except json_format.ParseError as error:
                return [f"{where}: {error}"]
            return []
    return [f"{where}: no such method"]


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
