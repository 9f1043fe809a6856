"""Google's own clients in one script, against `tunekit emulator`; each in a process of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator.service import Service
from tests.emulator.test_command import started


def is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # not even its namespace
        return False


NEEDS = ("google.generativeai", "google.genai", "vertexai", "google.cloud.storage", "pandas")
# Looked for, not imported: the script does that, in its own process.
LACKS = [package for package in NEEDS if not is_there(package)]
pytestmark = [
    pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)} (extra dev)"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]

SCRIPT = Path(__file__).with_name("google_clients.py")


def run(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), url], capture_output=True, text=True, timeout=240
    )


def steps(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the steps that were as expected, of a script that must have passed."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO  " not in done.stdout
    return [line[4:] for line in done.stdout.splitlines() if line.startswith("ok  ")]


def test_every_client_ends_as_on_the_service() -> None:
    with started("--time-scale", "1000") as process:
        assert process.stdout
        url = process.stdout.readline().removeprefix("Listening on ").strip()
        first = steps(run(url))
        # What one run left behind does not disturb the next.
        assert steps(run(url)) == first
    clients = ("storage", "generativeai", "vertexai", "genai", "aiplatform", "curl")
    assert {step.partition(":")[0] for step in first[:-1]} == set(clients)
    assert first[-1] == "no code of tunekit was imported"


def test_what_the_clients_send_is_documented(serve: Callable[..., Service]) -> None:
    service = serve(checks_requests=True)
    assert steps(run(service.url))
    assert service.watched.requests > 50


def test_the_script_ends_at_the_first_step_that_is_not_so(
    serve: Callable[..., Service],
) -> None:
    service = serve(list_lag_s=600)
    done = run(service.url)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    wanted = "['tunedModels/order-numbers']"
    assert last == f"NO  generativeai: list_tuned_models: expected {wanted}, seen []"
