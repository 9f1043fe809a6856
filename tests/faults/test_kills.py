"""kill -9 of the worker, of the CLI at its worst moments, and of both.

Whatever died, the next commands tell the truth and no revision has two jobs.
"""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.conftest import Project

# Runs the command line with one method replaced by the process's own end.
DIE = """
import os, signal, sys
from {module} import {owner}
original = {owner}.{method}
def die(self, *arguments, **options):
    {before}
    os.kill(os.getpid(), signal.SIGKILL)
{owner}.{method} = die
from tunekit.cli import main
main()
"""

BEFORE_SUBMIT = DIE.format(
    module="tunekit.providers.local.provider", owner="LocalProvider", method="submit", before=""
)
BETWEEN_SUBMIT_AND_RECORD = DIE.format(
    module="tunekit.providers.local.provider",
    owner="LocalProvider",
    method="submit",
    before="original(self, *arguments, **options)",
)
BEFORE_INTENT = DIE.format(
    module="tunekit.registry", owner="Registry", method="write_intent", before=""
)
# The folder has its name, and the worker was never started.
BETWEEN_FOLDER_AND_WORKER = """
import os, signal
from tunekit.providers.local import provider
provider._start_worker = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
from tunekit.cli import main
main()
"""
# Both the CLI and the worker it has just started.
BOTH = """
import json, os, signal, time
from tunekit.providers.local.provider import LocalProvider
original = LocalProvider.submit
def die(self, job, token):
    original(self, job, token)
    started = self._job(token).path / "started.json"
    while not started.exists():
        time.sleep(0.01)
    os.kill(json.loads(started.read_text())["process"], signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
LocalProvider.submit = die
from tunekit.cli import main
main()
"""


def assert_sound(project: Project) -> None:
    """The registry is whole, knows every job folder, and no revision has two jobs."""
    assert project.sql("PRAGMA integrity_check") == [("ok",)]
    tokens = {row[0] for row in project.sql("SELECT token FROM jobs WHERE phase = 'BOUND'")}
    folders = {path.name for path in project.folders()}
    assert folders == tokens
    twice = project.sql(
        "SELECT revision, count(*) FROM jobs WHERE phase = 'BOUND' GROUP BY revision "
        "HAVING count(*) > 1"
    )
    assert twice == []


def test_a_killed_worker_is_seen_as_failed_with_its_reason(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    (worker,) = project.workers()
    os.kill(worker, signal.SIGKILL)
    job = project.until(lambda job: job["state"] != "RUNNING")
    assert job["state"] == "FAILED"
    assert f"process {worker}" in job["error"]
    assert "after step" in job["error"]
    assert "killed" in project.ok("status")
    assert project.run("wait", "mask").returncode == 100
    step = project.json("plan")["steps"][0]
    assert (step["action"], "--retry mask" in step["reason"]) == ("hold", True)
    assert project.json("metrics", "mask")["jobs"][0]["series"]["/train_total_loss"]["steps"]
    assert_sound(project)


def test_the_cli_killed_between_submit_and_record_is_made_good(project: Project) -> None:
    project.spec(epochs=50)
    assert project.run("apply", "-y", code=BETWEEN_SUBMIT_AND_RECORD).returncode == -signal.SIGKILL
    assert project.sql("SELECT phase FROM jobs") == [("INTENT",)]
    assert len(project.folders()) == 1

    # `status` finds the job by its token; nothing has to be applied for that.
    assert project.job()["phase"] == "BOUND"
    project.ok("apply", "-y", "--wait")
    assert [job["state"] for job in project.jobs()] == ["SUCCEEDED"]
    assert_sound(project)


def test_apply_finds_an_interrupted_submit_before_submitting(project: Project) -> None:
    project.spec(epochs=50)
    project.run("apply", "-y", code=BETWEEN_SUBMIT_AND_RECORD)
    project.ok("apply", "-y", "--wait")
    assert len(project.folders()) == 1
    assert_sound(project)


@pytest.mark.parametrize("code", [BEFORE_SUBMIT, BETWEEN_FOLDER_AND_WORKER])
def test_a_submit_that_never_arrived_is_given_up_and_done_again(
    project: Project, code: str
) -> None:
    project.spec()
    assert project.run("apply", "-y", code=code).returncode == -signal.SIGKILL
    assert project.job()["phase"] == "INTENT"
    assert "interrupted" in project.ok("status")
    assert "interrupted" in project.ok("plan")
    assert "interrupted" in project.run("cancel", "mask", "-y").stderr
    done = project.run("apply", "-y", "--wait")
    assert done.returncode == 0, done.stderr
    (job,) = project.jobs()
    assert (job["attempt"], job["state"]) == (1, "SUCCEEDED")
    kinds = [event["kind"] for event in project.json("history", "--events")["events"]]
    assert kinds.count("intent") == 2
    assert "absent" in kinds
    trained = [f for f in project.folders() if (f / "started.json").exists()]
    assert len(trained) == 1


def test_the_cli_killed_before_the_intent_leaves_nothing(project: Project) -> None:
    project.spec()
    assert project.run("apply", "-y", code=BEFORE_INTENT).returncode == -signal.SIGKILL
    assert project.jobs() == []
    project.ok("apply", "-y", "--wait")
    assert_sound(project)


def test_both_killed_is_one_failed_job(project: Project) -> None:
    project.endless()
    assert project.run("apply", "-y", code=BOTH).returncode == -signal.SIGKILL
    job = project.job()
    assert (job["phase"], job["state"]) == ("BOUND", "FAILED")
    project.ok("apply", "-y")
    assert len(project.folders()) == 1
    assert_sound(project)


def test_an_interrupted_submit_of_a_revision_that_changed_is_ended_first(project: Project) -> None:
    project.endless()
    project.run("apply", "-y", code=BETWEEN_SUBMIT_AND_RECORD)
    project.spec(epochs=2)
    project.ok("apply", "-y", "--wait")
    newest, oldest = project.jobs()
    assert (oldest["state"], newest["state"]) == ("CANCELLED", "SUCCEEDED")
    assert oldest["ended_s"] <= newest["started_s"]
    assert_sound(project)


def test_a_job_whose_folder_is_gone_is_unknown_until_somebody_closes_it(project: Project) -> None:
    import shutil

    project.endless(more="lifecycle: {retries: 3}\n")
    project.ok("apply", "-y")
    project.running()
    (worker,) = project.workers()
    os.kill(worker, signal.SIGKILL)
    shutil.rmtree(project.folders()[0])
    project.until(lambda job: job["state"] == "UNKNOWN")
    assert "cancel mask@1" in project.ok("status")
    project.ok("apply", "-y")
    assert project.folders() == []  # nothing is paid again in haste
    project.ok("cancel", "mask", "-y")
    # One look without it decides nothing.
    project.until(lambda job: job["state"] == "CANCELLED")
    project.ok("apply", "-y", "--retry", "mask")
    assert project.running()["attempt"] == 2


def test_random_kills_never_make_two_jobs(project: Project) -> None:
    """Apply is killed at random moments, then runs to its end."""
    chance = random.Random(7)
    names = [f"mask-{number}" for number in range(4)]
    for name in names:
        project.spec(name)
    killed = 0
    for _ in range(12):
        process = project.start("apply", "-y")
        time.sleep(chance.uniform(0.05, 1.0))
        if process.poll() is None:
            process.kill()
            killed += 1
        process.communicate()
    done = project.run("apply", "-y", "--wait")
    assert done.returncode == 0, done.stderr
    assert killed > 3
    states = {t["name"]: t["job"]["state"] for t in project.json("status")["trials"]}
    assert states == dict.fromkeys(names, "SUCCEEDED")
    started = [f for f in project.folders() if (f / "started.json").exists()]
    assert len(started) == len(names)
    bound = project.sql("SELECT count(*) FROM jobs WHERE phase = 'BOUND'")
    assert bound == [(len(names),)]


def test_two_applies_at_once_submit_once(project: Project) -> None:
    project.spec(epochs=20)
    processes = [project.start("apply", "-y", "--lock-timeout", "60") for _ in range(4)]
    codes = [(process.communicate()[1], process.returncode)[1] for process in processes]
    assert codes == [0, 0, 0, 0]
    assert len(project.folders()) == 1
    assert len(project.jobs()) == 1


def test_a_held_lock_names_its_holder_and_dies_with_it(project: Project) -> None:
    project.spec()
    holder = project.start(
        code="import sys, time; from pathlib import Path\n"
        "from tunekit.registry import ApplierLock, Holder\n"
        "lock = ApplierLock(Path('.tunekit/registry.db.lock'), Holder('ana@ci', 1, 'apply', 0.0))\n"
        "with lock: print('held', flush=True); time.sleep(60)"
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = project.run("apply", "-y")
    assert (refused.returncode, "ana@ci holds this registry" in refused.stderr) == (4, True)
    holder.kill()
    holder.communicate()
    project.ok("apply", "-y", "--wait")
