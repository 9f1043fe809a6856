"""The script for the live service runs to its end, here on the emulator, and guards the purse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import ROOT
from tests.emulator.service import BUCKET, Service


def check(url: str, *more: str) -> subprocess.CompletedProcess[str]:
    place = ["--project", "p", "--bucket", BUCKET, "--endpoint", url]
    return subprocess.run(
        [sys.executable, str(ROOT / "tests/live/check.py"), *place, *more],
        capture_output=True,
        text=True,
        input="",
        timeout=300,
    )


@pytest.fixture
def service(serve: Callable[..., Service]) -> Service:
    made = serve(time_scale=20, checks_requests=True)
    made.call("POST", "/storage/v1/b?project=p", {"name": BUCKET})
    return made


def test_every_step_goes_well_and_what_was_made_is_removed(service: Service) -> None:
    done = check(service.url, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 of 7 steps went well" in done.stdout
    state = service.state()
    assert sorted(state["tuning_jobs"].values()) == ["JOB_STATE_CANCELLED", "JOB_STATE_SUCCEEDED"]
    assert state["models"] == state["endpoints"] == []


def test_more_than_the_stated_sum_is_never_spent(service: Service) -> None:
    done = check(service.url, "--yes", "--most-usd", "0.001")
    assert done.returncode == 2
    assert "Nothing was submitted" in done.stdout
    assert service.state()["tuning_jobs"] == {}


def test_a_step_that_goes_wrong_is_told(service: Service) -> None:
    service.set_faults(denied_projects=["p"])
    done = check(service.url, "--yes")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "roles/" in done.stdout


def test_without_anybody_to_ask_nothing_is_submitted(service: Service) -> None:
    done = check(service.url)
    assert done.returncode == 1
    assert "--yes" in done.stdout
    assert "Traceback" not in done.stderr
    assert service.state()["tuning_jobs"] == {}


@pytest.mark.parametrize("given", [[], ["PROJECT=p"], ["BUCKET=b"]])
def test_make_names_what_it_needs_before_it_installs_anything(given: list[str]) -> None:
    done = subprocess.run(
        ["make", "live-check", "VENV=/nonexistent/venv", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "make live-check PROJECT=my-project BUCKET=my-bucket" in done.stderr
    assert "pip" not in done.stdout
