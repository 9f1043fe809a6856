"""Both Google providers while the service is slow, refusing, silent or forgetful.

Under every switch: no second job, no lost job, and words that say what to do.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tests.conftest import Project
from tests.e2e.cloud import Cloud
from tests.emulator.service import Service

# The command line with waits between tries of a tenth of a second at most.
HASTY = """
from tunekit import retry
retry._LONGEST_S = 0.1
from tunekit.cli import main
main()
"""
BOTH = pytest.mark.parametrize("provider", ["vertex", "gemini-api"])
Serve = Callable[..., Service]


def assert_one_each(cloud: Cloud, count: int = 1) -> None:
    """The registry knows every remote job, and no revision has two."""
    assert len(cloud.remote_jobs()) == count
    bound = cloud.project.sql("SELECT count(DISTINCT name), count(*) FROM jobs WHERE phase='BOUND'")
    assert bound == [(count, count)]


@BOTH
@pytest.mark.parametrize(
    "switches",
    [
        {"error_503": 0.3},
        {"error_429": 0.3, "retry_after_s": 1},
        {"truncate": 0.3},
        {"drop_after_accept": 1.0},
        {"delay_s": 0.3},
        {"list_lag_s": 1.0, "drop_after_accept": 1.0},
    ],
    ids=str,
)
def test_apply_ends_with_one_job(
    project: Project, serve: Serve, provider: str, switches: dict[str, float]
) -> None:
    cloud = Cloud(project, serve(), lag_s=2, timeout_s=3)
    cloud.spec(provider)
    project.ok("plan")
    cloud.service.set_faults(**switches)
    done = project.run("apply", "-y", "--wait", code=HASTY)
    if done.returncode:
        # What could not be finished now is finished by the next apply.
        cloud.service.set_faults(**dict.fromkeys(switches, 0))
        done = project.run("apply", "-y", "--wait", code=HASTY)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert project.job()["state"] == "SUCCEEDED"
    assert_one_each(cloud)


@BOTH
@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"error_503": 1.0}, "503"),
        ({"error_429": 1.0, "retry_after_s": 0.1}, "429"),
        ({"truncate": 1.0}, "broke off the connection"),
        ({"delay_s": 5.0}, "no whole answer within 1 s"),
    ],
    ids=str,
)
def test_a_service_that_never_answers_is_named_and_nothing_is_lost(
    project: Project, serve: Serve, provider: str, switches: dict[str, float], words: str
) -> None:
    cloud = Cloud(project, serve(), lag_s=0.5, timeout_s=1)
    cloud.spec(provider)
    cloud.service.set_faults(**switches)
    done = project.run("apply", "-y", code=HASTY)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    cloud.service.set_faults(**{name: type(value)() for name, value in switches.items()})
    after = project.run("apply", "-y", "--wait", code=HASTY)
    assert after.returncode == 0, after.stderr
    assert_one_each(cloud)


def test_a_missing_login_is_one_actionable_message(project: Project, serve: Serve) -> None:
    cloud = Cloud(project, serve())
    cloud.spec("vertex")
    cloud.service.set_faults(require_auth=True)
    done = project.run("apply", "-y")
    assert done.returncode == 5
    assert "HTTP 401" in done.stderr
    assert "gcloud auth application-default login" in done.stderr
    assert "Traceback" not in done.stderr
    cloud.service.set_faults(require_auth=False)
    project.ok("apply", "-y", "--wait")
    assert_one_each(cloud)


def test_a_denied_project_is_one_actionable_message(project: Project, serve: Serve) -> None:
    cloud = Cloud(project, serve())
    cloud.spec("vertex")
    cloud.service.set_faults(denied_projects=["p"])
    done = project.run("apply", "-y", code=HASTY)
    assert done.returncode == 5
    assert "roles/" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_quota_of_concurrent_jobs_is_waited_for(project: Project, serve: Serve) -> None:
    cloud = Cloud(project, serve(max_concurrent=1), lag_s=1)
    for name in ("one", "two"):
        cloud.spec("vertex", name)
    done = project.run("apply", "-y", "--wait", code=HASTY)
    if done.returncode:
        assert "quota" in done.stderr.lower()
        done = project.run("apply", "-y", "--wait", code=HASTY)
    assert done.returncode == 0, done.stderr
    assert_one_each(cloud, 2)


@BOTH
def test_kills_at_any_moment_leave_one_job_each(
    project: Project, serve: Serve, provider: str
) -> None:
    cloud = Cloud(project, serve(delay_s=0.05, list_lag_s=0.5), lag_s=1)
    for number in range(3):
        cloud.spec(provider, f"m{number}", more=f"description: '{number}'\n")
    chance = random.Random(3)
    landed = 0
    for _ in range(6):
        process = project.start("apply", "-y")
        time.sleep(1.0 + chance.random() * 2.5)
        landed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert landed, "no kill met a running apply"
    done = project.run("apply", "-y", "--wait", code=HASTY)
    assert done.returncode == 0, done.stderr
    assert_one_each(cloud, 3)
