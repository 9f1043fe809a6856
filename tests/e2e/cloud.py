"""A project whose providers are an emulator on loopback."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Project
from tests.emulator.service import BUCKET, Service

API_KEY = "canary-key-93b1"

SETTINGS = """\
providers:
  vertex:
    project: p
    location: us-central1
    bucket: {bucket}
    endpoint: {url}
    request_timeout_s: {timeout_s}
    listing_lag_s: {lag_s}
  gemini-api:
    api_key_env: TEST_GEMINI_KEY
    endpoint: {url}
    request_timeout_s: {timeout_s}
    listing_lag_s: {lag_s}
"""

BASES = {"vertex": "gemini-3.5-flash", "gemini-api": "gemini-1.5-flash-001-tuning"}


class Cloud:
    """A project and the services it tunes at. Times in seconds."""

    def __init__(
        self, project: Project, service: Service, *, timeout_s: float = 5, lag_s: float = 0
    ) -> None:
        self.project = project
        self.service = service
        service.checks_requests = True
        service.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
        text = SETTINGS.format(bucket=BUCKET, url=service.url, timeout_s=timeout_s, lag_s=lag_s)
        project.write("tunekit.yaml", text)
        project.extra_environment = {
            "TEST_GEMINI_KEY": API_KEY,
            "STORAGE_EMULATOR_HOST": service.url,
        }

    def spec(self, provider: str, name: str = "mask", *, more: str = "", epochs: int = 2) -> None:
        """Write an experiment that trains in a second."""
        text = (
            f"name: {name}\nprovider: {provider}\nbase_model: {BASES[provider]}\n"
            "dataset:\n"
            "  source: {path: data.jsonl}\n"
            "  columns: {input: message, output: masked}\n"
            '  prompt: "Mask: {input}"\n'
            "  split: {train: 60, test: 20}\n"
            f"tuning: {{epochs: {epochs}}}\n"
        )
        self.project.write(f"experiments/{name}.yaml", text + more)

    def remote_jobs(self) -> dict[str, str]:
        """Return every job and tuned model that the emulator ever accepted, with its state."""
        state = self.service.state()
        return {**state["tuning_jobs"], **state["tuned_models"]}

    def requests(self) -> list[Any]:
        """Return what the emulator served, without its own paths."""
        log = self.service.call("GET", "/_emulator/log")["requests"]
        return [entry for entry in log if "/_emulator/" not in json.dumps(entry)]
