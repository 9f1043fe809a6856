"""Cancelling, replacing, protecting and pruning jobs that run."""

from __future__ import annotations

import os
import signal
import time

from tests.conftest import Project


def test_submit_returns_at_once_and_the_job_goes_on(project: Project) -> None:
    project.endless()
    began = time.monotonic()
    project.ok("apply", "-y")
    assert time.monotonic() - began < 20
    first = project.running()
    later = project.until(lambda job: job["completed_steps"] > first["completed_steps"])
    assert later["state"] == "RUNNING"
    assert project.workers()


def test_cancel_ends_the_job_and_apply_does_not_bring_it_back(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    refused = project.run("cancel", "mask")
    assert (refused.returncode, "give -y" in refused.stderr) == (2, True)
    project.ok("cancel", "mask", "-y", "--wait")
    assert project.job()["state"] == "CANCELLED"
    assert project.workers() == []
    assert project.run("wait", "mask").returncode == 103

    plan = project.json("plan")
    assert [step["action"] for step in plan["steps"]] == ["hold"]
    project.ok("apply", "-y")
    assert len(project.jobs()) == 1
    project.ok("apply", "-y", "--retry", "mask")
    project.running()
    assert [job["attempt"] for job in project.jobs()] == [2, 1]


def test_a_changed_revision_replaces_the_running_job(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    project.spec(epochs=2)
    plan = project.ok("plan")
    assert "-/+ mask  re-tunes: tuning.batch_size and tuning.epochs changed; cancels job 1" in plan
    done = project.run("apply", "-y", "--wait")
    assert done.returncode == 0, done.stderr
    newest, oldest = project.jobs()
    assert (oldest["state"], newest["state"]) == ("CANCELLED", "SUCCEEDED")
    assert oldest["ended_s"] <= newest["started_s"]


def test_on_change_finish_lets_the_running_job_end_first(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    project.spec(epochs=2, more="lifecycle: {on_change: finish}\n")
    project.ok("apply", "-y")
    assert project.json("plan")["steps"][0]["action"] == "wait"
    assert [job["state"] for job in project.jobs()] == ["RUNNING"]


def test_declarative_cancel_and_back(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    project.running()
    project.endless(more="lifecycle: {state: cancelled}\n")
    project.run("apply", "-y", "--wait")
    assert project.job()["state"] == "CANCELLED"
    assert not project.json("plan")["has_changes"]
    project.endless()
    assert project.json("plan")["steps"][0]["action"] == "retry"


def test_a_protected_job_is_neither_replaced_cancelled_nor_pruned(project: Project) -> None:
    project.endless(more="lifecycle: {protect: true}\n")
    project.ok("apply", "-y")
    project.running()
    assert project.run("cancel", "mask", "-y").returncode == 2
    project.spec(more="lifecycle: {protect: true}\n")
    refused = project.run("apply", "-y")
    assert (refused.returncode, "is protected" in refused.stdout) == (2, True)
    # Protection outlives the file that asked for it.
    (project.root / "experiments/mask.yaml").unlink()
    project.spec("other")
    refused = project.run("apply", "-y", "--prune")
    assert (refused.returncode, "is protected" in refused.stdout) == (2, True)
    assert project.job()["state"] == "RUNNING"


def test_a_deleted_file_cancels_nothing_until_pruned(project: Project) -> None:
    project.endless()
    project.spec("other")
    project.ok("apply", "-y")
    project.running()
    (project.root / "experiments/mask.yaml").unlink()
    said = project.ok("apply", "-y")
    assert "in no file, but job 1 still runs" in said
    assert project.job()["state"] == "RUNNING"
    narrowed = project.run("apply", "-y", "--prune", "-f", "experiments/other.yaml")
    assert (narrowed.returncode, "leave those out" in narrowed.stderr) == (2, True)
    project.ok("apply", "-y", "--prune")
    assert project.until(lambda job: job["state"] == "CANCELLED")


def test_narrowed_files_leave_other_experiments_alone(project: Project) -> None:
    project.endless()
    project.spec("other")
    project.ok("apply", "-y")
    plan = project.json("plan", "-f", "experiments/other.yaml")
    assert [step["name"] for step in plan["steps"]] == ["other"]


def test_jobs_past_the_limit_stay_pending(project: Project) -> None:
    project.write("tunekit.yaml", "providers: {local: {max_concurrent_jobs: 1}}\n")
    names = {"a", "b", "c"}
    for name in names:
        project.endless(name)
    project.ok("apply", "-y")

    def running() -> set[str]:
        trials = project.json("status")["trials"]
        return {t["name"] for t in trials if t["job"]["state"] == "RUNNING"}

    end = time.monotonic() + 30
    while not (first := running()):
        assert time.monotonic() < end
    time.sleep(0.5)
    assert running() == first
    assert len(first) == 1
    waiting, cancelled = sorted(names - first)
    assert project.job(waiting)["state"] == "PENDING"
    assert "waiting for a free slot" in project.job(waiting)["detail"]

    project.run("cancel", cancelled, "-y", "--wait")  # one that waits can be cancelled too
    project.run("cancel", *first, "-y", "--wait")
    assert project.until(lambda job: job["state"] == "RUNNING", name=waiting)
    assert project.job(cancelled)["state"] == "CANCELLED"
    assert project.job(cancelled)["started_s"] is None


def test_a_job_past_max_duration_is_cancelled_by_apply(project: Project) -> None:
    project.endless(more="limits: {max_duration: 1s}\n")
    done = project.run("apply", "-y", "--wait")
    assert done.returncode == 103, done.stderr
    assert "cancelling (ran longer than limits.max_duration)" in done.stderr
    assert [job["state"] for job in project.jobs()] == ["CANCELLED"]


def test_ctrl_c_detaches_and_says_how_to_go_on(project: Project) -> None:
    project.endless()
    process = project.start("apply", "-y", "--wait")
    project_waits = time.monotonic() + 30
    while not project.workers() and time.monotonic() < project_waits:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the jobs go on" in said
    assert project.running()["state"] == "RUNNING"


def test_retry_tunes_a_succeeded_job_whose_model_is_gone(tuned: Project) -> None:
    import shutil

    shutil.rmtree(tuned.folders()[0])
    refused = tuned.run("predict", "mask", "x")
    assert (refused.returncode, "--retry mask" in refused.stderr) == (5, True)
    tuned.ok("apply", "-y", "--wait", "--retry", "mask")
    assert tuned.ok("predict", "mask", "Where is #1234?") == "Where is [ORDER]?\n"
    assert [job["attempt"] for job in tuned.jobs()] == [2, 1]


def test_a_cancelled_job_says_why(project: Project) -> None:
    project.endless(more="limits: {max_duration: 1s}\n")
    project.run("apply", "-y", "--wait")
    for command in (["status"], ["history"], ["plan"]):
        assert "limits.max_duration" in project.ok(*command)


def test_a_detailed_exit_code_of_2_means_changes_only(project: Project) -> None:
    project.spec()
    assert project.run("plan", "--detailed-exitcode").returncode == 2
    project.write("experiments/mask.yaml", "name: mask\n")
    assert project.run("plan", "--detailed-exitcode").returncode == 1
    assert project.run("plan").returncode == 2


def test_a_registry_that_was_named_and_is_not_there_is_an_error(project: Project) -> None:
    for command in (["status"], ["wait"], ["history"], ["metrics", "mask"]):
        done = project.run(*command, "--registry", "no/such.db")
        assert (done.returncode, "no such registry" in done.stderr) == (4, True), command


def test_closed_standard_output_is_no_bug(tuned: Project) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tunekit status >&-"],
        cwd=tuned.root,
        env=tuned.environment(),
        capture_output=True,
        text=True,
    )
    assert "bug" not in done.stderr


def test_wait_times_out_without_harming_the_job(project: Project) -> None:
    project.endless()
    project.ok("apply", "-y")
    timed = project.run("wait", "mask", "--timeout", "0.5")
    assert timed.returncode == 101
    assert project.job()["state"] in ("PENDING", "RUNNING")


def test_retries_happen_within_apply_wait(project: Project) -> None:
    project.endless(more="lifecycle: {retries: 1}\n")
    process = project.start("apply", "-y", "--wait")
    for attempt in (1, 2):
        end = time.monotonic() + 30
        while not (project.workers() and len(project.folders()) == attempt):
            assert time.monotonic() < end
            time.sleep(0.05)
        project.until(lambda job, n=attempt: job["number"] == n and job["completed_steps"] > 0)
        os.kill(project.workers()[0], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 100
    assert [job["state"] for job in project.jobs()] == ["FAILED", "FAILED"]
    assert "retry 1 of 1" in project.jobs()[0]["why"]


def test_bad_rows_of_every_data_set_are_told_at_once_each_at_its_place(project: Project) -> None:
    lines = (project.root / "data.jsonl").read_text().splitlines()
    project.write("broken.jsonl", "\n".join([*lines[:40], "{bad", *lines[41:]]))
    project.write("short.jsonl", "\n".join(lines[:20]))
    for name in ("broken", "short"):
        project.spec(name)
        spec = project.root / f"experiments/{name}.yaml"
        spec.write_text(spec.read_text().replace("data.jsonl", f"{name}.jsonl"))
    refused = project.run("plan")
    assert refused.returncode == 2
    first, second = refused.stderr.splitlines()
    assert first.startswith("experiments/broken.yaml:5:3: broken.jsonl:41: not valid JSON")
    assert second.startswith("experiments/short.yaml:8:3: dataset.split asks for 90 rows")
