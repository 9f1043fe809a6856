"""What Google's JSON looks like: names, enums, 64-bit integers, timestamps, errors, pages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

JSON = dict[str, Any]

# Maps whose keys are the caller's own, never field names.
_FREE_MAPS = {"labels", "metadata", "references", "trafficSplit"}
_SNAKE = re.compile(r"_([a-z0-9])")

JOB_STATES = (
    *("JOB_STATE_UNSPECIFIED", "JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"),
    *("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLING", "JOB_STATE_CANCELLED"),
    *("JOB_STATE_PAUSED", "JOB_STATE_EXPIRED", "JOB_STATE_UPDATING"),
    "JOB_STATE_PARTIALLY_SUCCEEDED",
)
# Their numbers follow no order: TWO came last.
ADAPTER_SIZES = {
    "ADAPTER_SIZE_UNSPECIFIED": 0,
    "ADAPTER_SIZE_ONE": 1,
    "ADAPTER_SIZE_FOUR": 2,
    "ADAPTER_SIZE_EIGHT": 3,
    "ADAPTER_SIZE_SIXTEEN": 4,
    "ADAPTER_SIZE_THIRTY_TWO": 5,
    "ADAPTER_SIZE_TWO": 6,
}
TUNING_JOB_STATES = tuple(
    f"TUNING_JOB_STATE_{name}"
    for name in (
        *("UNSPECIFIED", "WAITING_FOR_QUOTA", "PROCESSING_DATASET", "WAITING_FOR_CAPACITY"),
        *("TUNING", "POST_PROCESSING"),
    )
)
# field -> enum value -> number. Values of different enums under one field name don't clash.
ENUMS: Mapping[str, Mapping[str, int]] = {
    "state": {
        **{state: number for number, state in enumerate(JOB_STATES)},
        "CREATING": 1,
        "ACTIVE": 2,
        "FAILED": 3,
        "PENDING": 1,
        "LIVE": 2,
    },
    "tuningJobState": {state: number for number, state in enumerate(TUNING_JOB_STATES)},
    "adapterSize": ADAPTER_SIZES,
    "tuningMode": {"TUNING_MODE_FULL": 1, "TUNING_MODE_PEFT_ADAPTER": 2},
    "valueType": {"SCALAR": 1, "TENSOR": 2, "BLOB_SEQUENCE": 3},
    "sourceType": {"GENIE": 5},
    "finishReason": {"STOP": 1, "MAX_TOKENS": 2},
    "modality": {"TEXT": 1},
    "openSourceCategory": {"PROPRIETARY": 1},
    "launchStage": {"GA": 4},
    "versionState": {"VERSION_STATE_STABLE": 1},
}
NUMBER_OF_NEW_STATE = 99
STATUS_OF_CODE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
# google.rpc.Code
OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, INTERNAL = 0, 1, 3, 5, 13

_TYPES = "type.googleapis.com/google.rpc."


class ApiError(Exception):
    """An answer that refuses: an HTTP code and a google.rpc.Status."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: str | None = None,
        details: Sequence[JSON] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS_OF_CODE.get(code, "UNKNOWN")
        self.details = list(details)
        self.headers = dict(headers or {})

    def body(self) -> JSON:
        """Return the error as Google's APIs put it."""
        error: JSON = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def bad_fields(violations: Sequence[tuple[str, str]]) -> ApiError:
    """Return a 400 that names each field (snake_case, as the services do) and its fault."""
    found = [{"field": field, "description": text} for field, text in violations]
    first = found[0]
    return ApiError(
        400,
        f"{first['description']} (field {first['field']})",
        details=[{"@type": _TYPES + "BadRequest", "fieldViolations": found}],
    )


def not_found(what: str) -> ApiError:
    """Return the 404 of a resource."""
    return ApiError(404, f"{what} is not found.")


def precondition(message: str) -> ApiError:
    """Return a 400 for a resource in the wrong state."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def over_quota(metric: str, limit: int, subject: str) -> ApiError:
    """Return the 429 of a quota."""
    text = f"Quota exceeded for metric {metric} (limit {limit})."
    detail = {
        "@type": _TYPES + "QuotaFailure",
        "violations": [{"subject": subject, "description": text}],
    }
    return ApiError(429, text, details=[detail])


def slow_down(seconds: float) -> ApiError:
    """Return a 429 with Retry-After and RetryInfo."""
    return ApiError(
        429,
        "Resource has been exhausted (e.g. check quota).",
        details=[{"@type": _TYPES + "RetryInfo", "retryDelay": f"{seconds:g}s"}],
        headers={"retry-after": str(max(1, round(seconds)))},
    )


def forbidden(permission: str, resource: str) -> ApiError:
    """Return the 403 of a missing permission."""
    detail = {
        "@type": _TYPES + "ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "aiplatform.googleapis.com",
        "metadata": {"permission": permission, "resource": resource},
    }
    text = f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
    return ApiError(403, text, details=[detail])


def camel(name: str) -> str:
    """Return a field name in camelCase, whichever of the two spellings it came in."""
    return _SNAKE.sub(lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """Return a field name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def normalized(value: Any) -> Any:
    """Return a request body with camelCase names and enum strings."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: JSON = {}
    for key, inner in value.items():
        field = camel(key)
        # Which enum a `state` is depends on the resource; its handler knows.
        if field in ENUMS and field != "state" and isinstance(inner, int):
            names = [name for name, number in ENUMS[field].items() if number == inner]
            result[field] = names[0] if names else inner
        else:
            result[field] = inner if field in _FREE_MAPS else normalized(inner)
    return result


def with_enum_numbers(value: Any) -> Any:
    """Return an answer with enums as numbers, which clients ask for by `$alt`."""
    if isinstance(value, list):
        return [with_enum_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: JSON = {}
    for key, inner in value.items():
        if key in ENUMS and isinstance(inner, str):
            # Only the admin path makes states that are none; others are faults of ours to be seen.
            unknown = NUMBER_OF_NEW_STATE if inner.startswith("JOB_STATE_") else inner
            result[key] = ENUMS[key].get(inner, unknown)
        else:
            # An operation's metadata is a message with enums; a context's is the caller's map.
            is_free = key in _FREE_MAPS and not (isinstance(inner, dict) and "@type" in inner)
            result[key] = inner if is_free else with_enum_numbers(inner)
    return result


def timestamp(seconds: float) -> str:
    """Return a Unix time as RFC 3339 in UTC, to the microsecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def integer(value: Any, field: str, *, least: int = 1) -> int | None:
    """Return an int64 that came as a number or a string; None where it is absent or 0."""
    if value is None or value in ("", 0, "0"):
        return None
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool):
        raise bad_fields([(field, f"Invalid value ({value!r}), expected int64.")])
    if number < least:
        raise bad_fields([(field, f"The value {number} must be at least {least}.")])
    return number


def real(value: Any, field: str) -> float | None:
    """Return a positive double; None where it is absent or 0."""
    if value is None or value == 0:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise bad_fields([(field, f"Invalid value ({value!r}), expected double.")])
    if not 0 < value < float("inf"):
        raise bad_fields([(field, f"The value {value} must be above 0.")])
    return float(value)


Item = TypeVar("Item")


def page(
    items: Sequence[tuple[int, Item]], query: Mapping[str, str], *, default: int, most: int
) -> tuple[list[Item], str]:
    """Return one page of (sequence number, item), newest first, and the next page's token.

    A token holds the last number shown, so that what is created meanwhile shifts no page.
    """
    size = query.get("pageSize") or query.get("page_size") or query.get("maxResults") or "0"
    if not re.fullmatch(r"-?\d+", size) or int(size) < 0:
        raise bad_fields([("page_size", f"Invalid value ({size!r}), expected 0 or more.")])
    count = min(int(size) or default, most)
    token = query.get("pageToken") or query.get("page_token") or ""
    ordered = sorted(items, key=lambda pair: -pair[0])
    if token:
        last = _read_token(token)
        ordered = [pair for pair in ordered if pair[0] < last]
    shown = ordered[:count]
    following = ""
    if len(ordered) > count:
        following = base64.urlsafe_b64encode(f"after:{shown[-1][0]}".encode()).decode()
    return [item for _, item in shown], following


def _read_token(token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        word, _, number = text.partition(":")
        if word == "after":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise bad_fields([("page_token", "The page token is invalid.")])


def listed(field: str, items: Sequence[Any], token: str) -> JSON:
    """Return a list answer; like Google's, without what is empty."""
    answer: JSON = {}
    if items:
        answer[field] = list(items)
    if token:
        answer["nextPageToken"] = token
    return answer
