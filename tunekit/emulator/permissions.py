"""Which IAM permission a call needs: https://cloud.google.com/iam/docs/permissions-reference."""

from __future__ import annotations

import re

_VERTEX = re.compile(r"/v1(?:beta1)?/projects/[^/]+/locations/[^/]+/(.+)")
_VERBS = {"GET": "get", "POST": "create", "PUT": "create", "PATCH": "update", "DELETE": "delete"}


def permission_of(method: str, path: str) -> str:
    """Return the permission of a call to Vertex AI or Cloud Storage; empty where there is none."""
    if path.startswith(("/upload/", "/download/", "/storage/")):
        return _of_storage(method, path)
    found = _VERTEX.fullmatch(path)
    if found is None:
        return ""
    if path.lower().endswith(("generatecontent", ":counttokens")):
        return "aiplatform.endpoints.predict"
    place, _, verb = found[1].partition(":")
    parts = place.split("/")
    if verb and len(parts) % 2 == 0:
        return f"aiplatform.{parts[-2]}.{'cancel' if verb == 'cancel' else 'update'}"
    if len(parts) % 2 == 0:
        return f"aiplatform.{parts[-2]}.{_VERBS[method]}"
    return f"aiplatform.{parts[-1]}.{'list' if method == 'GET' else _VERBS[method]}"


def _of_storage(method: str, path: str) -> str:
    if path.endswith("/iam/testPermissions"):
        return ""
    if path.startswith("/upload/"):
        return "storage.objects.create"
    _, _, place = path.partition("/v1/b")
    parts = place.strip("/").split("/", 2) if place.strip("/") else []
    kind = "objects" if len(parts) > 1 else "buckets"
    is_list = method == "GET" and len(parts) in (0, 2)
    return f"storage.{kind}.{'list' if is_list else _VERBS[method]}"
