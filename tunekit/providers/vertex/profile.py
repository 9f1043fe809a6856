"""A profile of kind vertex in tunekit.yaml, read and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.errors import ProviderError
from tunekit.model import Problem
from tunekit.providers.google.addresses import endpoint_of, is_loopback
from tunekit.providers.vertex.places import Places, is_location, is_project
from tunekit.providers.vertex.storage import HOST

_TIMEOUT_S = 60.0
_LISTING_LAG_S = 30.0
_EMULATOR = "STORAGE_EMULATOR_HOST"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Profile:
    """One project and location; `storage` is where Cloud Storage answers."""

    project: str
    location: str
    bucket: str
    endpoint: str | None
    storage: str
    service_account: str
    kms_key: str
    timeout_s: float
    listing_lag_s: float
    options: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any], environ: Mapping[str, str]) -> Profile:
        """Return the profile; what it lacks is told by `problems`. ProviderError for a bad URL."""
        endpoint = endpoint_of(options)
        near = endpoint if is_loopback(endpoint) else None  # an emulator serves both
        emulator = endpoint_of({_EMULATOR: environ.get(_EMULATOR)}, _EMULATOR)
        return cls(
            project=_text(options, "project"),
            location=_text(options, "location"),
            bucket=_text(options, "bucket").removeprefix("gs://").rstrip("/"),
            endpoint=endpoint,
            storage=endpoint_of(options, "storage_endpoint") or emulator or near or HOST,
            service_account=_text(options, "service_account"),
            kms_key=_text(options, "kms_key"),
            timeout_s=float(options.get("request_timeout_s") or _TIMEOUT_S),
            listing_lag_s=_or(options.get("listing_lag_s"), _LISTING_LAG_S),
            options=options,
        )

    @property
    def is_local(self) -> bool:
        return is_loopback(self.endpoint)

    @property
    def places(self) -> Places:
        return Places(self.project, self.location, self.endpoint)

    def required(self) -> Places:
        """Return the places. ProviderError where project or location is missing or can't be one."""
        problem = next(self.problems(needs_bucket=False), None)
        if problem is not None:
            raise ProviderError(str(problem))
        return self.places

    def problems(self, *, needs_bucket: bool) -> Iterator[Problem]:
        """Yield what the profile lacks."""
        yield from _missing("project", self.project, is_project(self.project), "my-project-123")
        is_place = is_location(self.location)
        yield from _missing("location", self.location, is_place, "us-central1")
        if needs_bucket:
            is_bucket = bool(_BUCKET.fullmatch(self.bucket))
            yield from _missing("bucket", self.bucket, is_bucket, "my-tuning-data")


def _missing(key: str, value: str, is_right: bool, example: str) -> Iterator[Problem]:
    """Yield the problem of one key of the profile; its place in a spec is the provider's name."""
    if not value:
        fact = f"tunekit.yaml: the vertex profile has no {key}"
    elif not is_right:
        fact = f"tunekit.yaml: {key} is {value[:80]!r}, which can't be one"
    else:
        return
    yield Problem(fact, f"write it below `providers:`, such as {key}: {example}", key="provider")


def _text(options: Mapping[str, Any], key: str) -> str:
    return str(options.get(key) or "").strip()


def _or(value: Any, default: float) -> float:
    return default if value is None else float(value)
