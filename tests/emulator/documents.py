"""Google's own machine-readable documents: which methods there are, and what goes in and out.

Vertex AI and Cloud Storage: the discovery documents inside google-api-python-client, made into
JSON Schema. The Gemini API's is not among them (2.202.0); its methods are the rows of `GEMINI`,
after the HTTP annotations of google-ai-generativelanguage, whose protocol buffers stand for the
schemas.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Method:
    """One method of a discovery document: names of schemas, and its query parameters' schemas."""

    verb: str
    pattern: re.Pattern[str]
    answer: str
    request: str
    query: Mapping[str, JSON]


@dataclass(frozen=True)
class Style:
    """How JSON is spelled; requests have more ways than answers."""

    has_enum_numbers: bool = False
    is_request: bool = False
    # A PATCH carries the fields that its mask names, and no others.
    has_required: bool = False


@lru_cache
def document(name: str) -> JSON:
    """Return a discovery document."""
    folder = importlib.resources.files("googleapiclient.discovery_cache.documents")
    found: JSON = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def document_of(path: str) -> str:
    """Return the name of the document that describes a path."""
    for prefix, name in (("/v1beta1/", "aiplatform.v1beta1"), ("/v1/", "aiplatform.v1")):
        if path.startswith(prefix):
            return name
    return "storage.v1"


@lru_cache
def methods(name: str) -> tuple[Method, ...]:
    """Return every method of a document, the most literal path first."""
    found: list[Method] = []
    base = "" if name != "storage.v1" else "storage/v1/"

    def walk(resource: JSON) -> None:
        for method in resource.get("methods", {}).values():
            path = base + (method.get("flatPath") or method["path"])
            parts = re.split(r"\{[^}]*\}", path)
            # A verb after a colon is no part of an id; in the name of an object a colon may be.
            pattern = ("[^/]+" if base else "[^/:]+").join(map(re.escape, parts))
            parameters = method.get("parameters", {})
            found.append(
                Method(
                    verb=method["httpMethod"],
                    pattern=re.compile(f"/{pattern}"),
                    answer=method.get("response", {}).get("$ref", ""),
                    request=method.get("request", {}).get("$ref", ""),
                    query={k: p for k, p in parameters.items() if p.get("location") == "query"},
                )
            )
        for inner in resource.get("resources", {}).values():
            walk(inner)

    walk(document(name))
    # The most literal path wins: `jobs/{id}:cancel` is also a `jobs/{id}`.
    found.sort(key=lambda method: -len(method.pattern.pattern))
    return tuple(found)


def find_method(name: str, verb: str, path: str) -> Method | None:
    """Return the method of a document that a request calls."""
    fits = (m for m in methods(name) if m.verb == verb and m.pattern.fullmatch(path))
    return next(fits, None)


@lru_cache
def validator(name: str, schema: str, style: Style) -> jsonschema.Draft202012Validator:
    """Return the validator of one schema of a document."""
    schemas = document(name)["schemas"]
    definitions = {key: translated(value, style) for key, value in schemas.items()}
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": definitions})


def translated(schema: JSON, style: Style) -> JSON:
    """Return JSON Schema for a schema of a discovery document; unknown fields are refused."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type")
    if kind == "any":
        return {}
    result: JSON = {"type": kind}
    if kind == "object":
        properties = schema.get("properties", {})
        # The service ignores what only it may write: whoever sends it means something else.
        result["properties"] = {
            key: translated(value, style)
            for key, value in properties.items()
            if not (style.is_request and value.get("readOnly"))
        }
        more = schema.get("additionalProperties")
        result["additionalProperties"] = translated(more, style) if more else False
        if style.has_required:
            result["required"] = [
                key
                for key, value in properties.items()
                if value.get("description", "").startswith("Required.")
            ]
    elif kind == "array":
        result["items"] = translated(schema["items"], style)
    elif kind == "string" and "enum" in schema:
        # The documents say "string"; `$alt=json;enum-encoding=int` speaks in numbers.
        strings = {"enum": schema["enum"]}
        if not style.has_enum_numbers:
            return strings
        return (
            {"anyOf": [strings, {"type": "integer"}]} if style.is_request else {"type": "integer"}
        )
    elif kind == "string" and schema.get("format") in _FORMATS:
        result["pattern"] = _FORMATS[schema["format"]]
        if style.is_request and schema["format"].endswith("int64"):
            # Either is accepted: https://protobuf.dev/programming-guides/json/
            return {"anyOf": [result, {"type": "integer"}]}
    return result


@dataclass(frozen=True)
class GeminiMethod:
    """One method of the Gemini API: protocol buffers by name, in v1beta or google.longrunning."""

    verb: str
    pattern: str
    request: str
    answer: str
    body: str = ""  # the request's field that is the body; "*": all that is not in the path
    path_fields: tuple[str, ...] = ("name",)


GEMINI = (
    GeminiMethod(
        "POST", r"/tunedModels", "CreateTunedModelRequest", "Operation", "tuned_model", ()
    ),
    GeminiMethod(
        "GET", r"/tunedModels", "ListTunedModelsRequest", "ListTunedModelsResponse", "", ()
    ),
    GeminiMethod(
        "GET", r"/tunedModels/[^/]+/operations", "ListOperationsRequest", "ListOperationsResponse"
    ),
    GeminiMethod("GET", r"/tunedModels/[^/]+/operations/[^/]+", "GetOperationRequest", "Operation"),
    GeminiMethod(
        "POST",
        r"/(?:tunedModels|models)/[^/]+:(?:generateContent|streamGenerateContent)",
        "GenerateContentRequest",
        "GenerateContentResponse",
        "*",
        ("model",),
    ),
    GeminiMethod(
        "POST",
        r"/models/[^/]+:countTokens",
        "CountTokensRequest",
        "CountTokensResponse",
        "*",
        ("model",),
    ),
    GeminiMethod("GET", r"/tunedModels/[^/:]+", "GetTunedModelRequest", "TunedModel"),
    GeminiMethod(
        "PATCH", r"/tunedModels/[^/:]+", "UpdateTunedModelRequest", "TunedModel", "tuned_model", ()
    ),
    GeminiMethod("DELETE", r"/tunedModels/[^/:]+", "DeleteTunedModelRequest", "Empty"),
    GeminiMethod("GET", r"/models", "ListModelsRequest", "ListModelsResponse", "", ()),
    GeminiMethod("GET", r"/models/[^/:]+", "GetModelRequest", "Model"),
)


def find_gemini_method(verb: str, path: str) -> GeminiMethod | None:
    """Return the method of the Gemini API that a request calls."""
    path = path.removeprefix("/v1beta")
    return next((m for m in GEMINI if m.verb == verb and re.fullmatch(m.pattern, path)), None)


def message(name: str) -> Any:
    """Return a new, empty protocol buffer."""
    from google.ai import generativelanguage_v1beta as glm
    from google.longrunning import operations_pb2
    from google.protobuf import empty_pb2

    for module in (operations_pb2, empty_pb2):
        if hasattr(module, name):
            return getattr(module, name)()
    return getattr(glm, name).pb()()
