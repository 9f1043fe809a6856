"""Resource names, and the hosts that serve their locations. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from tunekit.errors import NotFound

# v1 shows neither tuningJobState nor tuningJobMetadata.
VERSION = "v1beta1"

# Multi-regions have hosts of another form. Confidence: high; google-genai 2.34 (_api_client.py) and
# https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations (2026-11).
MULTI_REGIONS = ("us", "eu")

_PARENT = r"projects/[A-Za-z0-9.:_-]+/locations/(?P<location>[a-z0-9-]+)"
JOB = re.compile(rf"{_PARENT}/tuningJobs/[A-Za-z0-9_-]+")
MODEL = re.compile(rf"{_PARENT}/models/[A-Za-z0-9_-]+(?:@[A-Za-z0-9_-]+)?")
ENDPOINT = re.compile(rf"{_PARENT}/endpoints/[A-Za-z0-9_-]+")
CONTEXT = re.compile(rf"{_PARENT}/metadataStores/[A-Za-z0-9_-]+/contexts/[A-Za-z0-9_.-]+")
BOARD = re.compile(rf"{_PARENT}/tensorboards/[A-Za-z0-9_-]+")
_BASE = re.compile(r"(?:publishers/google/models/)?([a-z0-9][a-z0-9.-]*)")
_LOCATION = re.compile(r"[a-z]+(?:-[a-z]+\d+)?")
_PROJECT = re.compile(r"[A-Za-z0-9.:_-]+")


@dataclass(frozen=True, slots=True)
class Places:
    """Where one profile's calls go. `endpoint` replaces every host, as for an emulator."""

    project: str
    location: str
    endpoint: str | None = None

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def text(self) -> str:
        """These places in words, the host only where it is not Google's own."""
        return f"{self.parent} at {self.endpoint}" if self.endpoint else self.parent

    def host(self, location: str) -> str:
        """Return the base URL that serves a location."""
        if self.endpoint:
            return self.endpoint
        if location == "global":
            return "https://aiplatform.googleapis.com"
        if location in MULTI_REGIONS:
            return f"https://aiplatform.{location}.rep.googleapis.com"
        return f"https://{location}-aiplatform.googleapis.com"

    def url(self, name: str, suffix: str = "") -> str:
        """Return the URL of a resource, in its own location: a model may be served elsewhere."""
        location = name.split("/")[3]
        return f"{self.host(location)}/{VERSION}/{quote(name, safe='/:@')}{suffix}"


def require(name: str, form: re.Pattern[str], what: str) -> str:
    """Return a resource's name; NotFound for what can't be one, before it becomes an address."""
    if not form.fullmatch(name):
        raise NotFound(f"{name[:200]!r} is no {what} of Vertex AI")
    return name


def base_name(model: str) -> str | None:
    """Return a Google base model's short name; None for any other kind of name."""
    match = _BASE.fullmatch(model)
    return match[1] if match else None


def is_location(text: str) -> bool:
    """True for what looks like a location, such as us-central1, eu or global."""
    return bool(_LOCATION.fullmatch(text))


def is_project(text: str) -> bool:
    """True for what can be a project's id or number."""
    return bool(_PROJECT.fullmatch(text))
