"""Google's published models, by which a client finds out whether a base model exists."""

from __future__ import annotations

from . import wire
from .tuning_jobs import GEMINI
from .wire import JSON, listed, page
from .world import Call, World


def get(world: World, call: Call) -> JSON:
    """Return a published model."""
    name = call.path["base"].partition("@")[0]
    if name not in GEMINI:
        raise wire.not_found(f"Publisher Model `publishers/google/models/{name}`")
    return _published(name)


def list_(world: World, call: Call) -> JSON:
    """Return one page of the published models."""
    models = [(-number, _published(name)) for number, name in enumerate(sorted(GEMINI))]
    shown, token = page(models, call.query, default=100, most=1000)
    return listed("publisherModels", shown, token)


def _published(name: str) -> JSON:
    path = f"publishers/google/models/{name}"
    return {
        "name": path,
        "versionId": "default",
        "openSourceCategory": "PROPRIETARY",
        "launchStage": "GA",
        "versionState": "VERSION_STATE_STABLE",
        "publisherModelTemplate": f"projects/{{project}}/locations/{{location}}/{path}",
    }
