"""The main job: commit YAML, apply, watch, judge."""

from __future__ import annotations

import csv
import io
import json

from tests.conftest import Project, rows


def test_apply_wait_trains_and_a_second_apply_changes_nothing(project: Project) -> None:
    project.spec()
    first = project.run("apply", "-y", "--wait")
    assert first.returncode == 0, first.stderr
    assert "+ mask  new" in first.stdout
    job = project.job()
    assert (job["state"], job["completed_steps"], job["percent"]) == ("SUCCEEDED", 16, 100.0)
    assert job["total_steps"] == 16  # ceil(60 / 8) x 2

    events = project.sql("SELECT count(*) FROM events")
    again = project.run("apply", "-y")
    assert again.returncode == 0
    assert "Nothing to do" in again.stderr
    assert project.sql("SELECT count(*) FROM events") == events
    assert len(project.jobs()) == len(project.folders()) == 1


def test_metrics_hold_every_step_and_every_epoch(tuned: Project) -> None:
    table = list(csv.DictReader(io.StringIO(tuned.ok("metrics", "mask", "-o", "csv"))))
    assert [int(row["step"]) for row in table] == list(range(1, 17))
    assert all(row["/train_total_loss"] and row["/train_num_predictions"] for row in table)
    ends = [row for row in table if row["mean_loss"]]
    assert [row["step"] for row in ends] == ["8", "16"]
    assert all(row["/eval_total_loss"] for row in ends)
    assert float(ends[1]["mean_loss"]) < float(ends[0]["mean_loss"])

    drawn = tuned.ok("metrics", "mask", "--plot")
    assert "mask@1" in drawn
    assert "step" in drawn
    series = tuned.json("metrics", "mask")["jobs"][0]["series"]
    assert len(series["/train_total_loss"]["steps"]) == 16


def test_status_as_csv_names_the_experiment(tuned: Project) -> None:
    (row,) = csv.DictReader(io.StringIO(tuned.ok("status", "-o", "csv")))
    assert (row["name"], row["job"], row["state"]) == ("mask", "mask@1", "SUCCEEDED")


def test_evaluate_scores_held_out_rows_beside_baselines(tuned: Project) -> None:
    said = tuned.json("evaluate", "mask")
    assert said["rows"] == 20
    assert said["scores"]["exact_match"] > said["baselines"]["copy"]["exact_match"]
    assert set(said["scores"]) == {"exact_match", "token_f1"}
    ((scores, baselines),) = tuned.sql("SELECT scores, baselines FROM evaluations")
    assert json.loads(scores) == said["scores"]
    assert json.loads(baselines) == said["baselines"]

    shown = tuned.ok("evaluate", "mask", "--again", "--show", "2")
    assert shown.count("expected") == 2
    assert "TUNED" in shown


def test_evaluate_refuses_when_training_rows_have_changed(tuned: Project) -> None:
    tuned.write("data.jsonl", rows(100, seed=2))
    refused = tuned.run("evaluate", "mask")
    assert refused.returncode == 3
    assert "may not be held out" in refused.stderr
    assert tuned.sql("SELECT count(*) FROM evaluations") == [(0,)]


def test_predict_answers_texts_lines_and_raw_prompts(tuned: Project) -> None:
    assert tuned.ok("predict", "mask", "Where is #1234?") == "Where is [ORDER]?\n"
    assert tuned.ok("predict", "mask", stdin="Where is #1234?\n") == "Where is [ORDER]?\n"
    assert tuned.ok("predict", "mask", "--raw", "Mask: Where is #1234?") == "Where is [ORDER]?\n"
    said = tuned.json("predict", "mask", "Where is #77?", "--target", "checkpoint:1")
    assert said["model"].endswith("@1")
    refused = tuned.run("predict", "mask", "x", "--target", "checkpoint:9")
    assert (refused.returncode, "it has: 1, 2" in refused.stderr) == (2, True)


def test_only_what_affects_training_makes_a_new_revision(tuned: Project) -> None:
    tuned.spec(more="description: other words\ntags: {team: privacy}\nlimits: {max_duration: 1h}\n")
    plan = tuned.json("plan")
    assert [step["action"] for step in plan["steps"]] == ["update"]
    assert "nothing re-tunes" in plan["steps"][0]["reason"]
    tuned.ok("apply", "-y")
    assert tuned.json("status", "-l", "team=privacy")["trials"]
    assert not tuned.json("status", "-l", "team=other")["trials"]
    assert len(tuned.jobs()) == 1

    text = (tuned.root / "experiments/mask.yaml").read_text()
    tuned.write("experiments/mask.yaml", text.replace("test: 20", "test: 30"))
    assert tuned.json("plan")["steps"][0]["action"] == "update"
    tuned.write("experiments/mask.yaml", text.replace("Mask: {input}", "Hide: {input}"))
    step = tuned.json("plan")["steps"][0]
    assert (step["action"], step["reason"]) == ("retune", "re-tunes: dataset.prompt changed")


def test_changed_rows_behind_the_same_spec_retune(tuned: Project) -> None:
    tuned.write("data.jsonl", rows(100, seed=2))
    step = tuned.json("plan")["steps"][0]
    assert (step["action"], step["reason"]) == ("retune", "re-tunes: dataset rows changed")


def test_going_back_to_a_tuned_revision_reuses_its_job(tuned: Project) -> None:
    tuned.spec(epochs=3)
    tuned.ok("apply", "-y", "--wait")
    tuned.spec(epochs=2)
    assert tuned.json("plan")["steps"][0]["action"] == "reuse"
    tuned.ok("apply", "-y")
    assert tuned.job()["number"] == 1
    assert len(tuned.jobs()) == 2
    assert not tuned.json("plan")["has_changes"]


def test_history_says_who_when_which_commit_and_why(project: Project) -> None:
    import subprocess

    def git(*arguments: str) -> str:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", *names, *arguments],
            cwd=project.root,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    project.spec()
    project.write(".gitignore", ".tunekit/\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "specs")
    project.ok("apply", "-y", "--wait")
    project.spec(epochs=3)
    project.ok("apply", "-y", "--wait")
    newest, oldest = project.jobs()
    assert (oldest["commit"], oldest["is_dirty"]) == (git("rev-parse", "HEAD"), False)
    assert (newest["commit"], newest["is_dirty"]) == (git("rev-parse", "HEAD"), True)
    assert newest["why"] == "re-tunes: tuning.epochs changed"
    assert newest["command"] == "tunekit apply -y --wait"
    assert "@" in newest["who"]
    assert "mask@2" in project.ok("history")
    kinds = [event["kind"] for event in project.json("history", "--events")["events"]]
    assert kinds[:2] == ["intent", "bound"]


def test_a_reviewed_plan_is_the_one_applied_or_none(project: Project) -> None:
    project.spec()
    checksum = project.json("plan")["checksum"]
    project.spec(epochs=3)
    refused = project.run("apply", "-y", "--expect", checksum)
    assert refused.returncode == 3
    assert "have changed since" in refused.stderr
    assert project.folders() == []
    project.spec(epochs=2)
    project.ok("apply", "-y", "--expect", checksum)
    assert len(project.folders()) == 1


def test_apply_without_a_terminal_refuses_to_guess(project: Project) -> None:
    project.spec()
    refused = project.run("apply")
    assert refused.returncode == 2
    assert "apply -y" in refused.stderr
    assert project.folders() == []


def test_data_that_the_model_cannot_express_is_refused_before_any_submit(project: Project) -> None:
    lines = [
        json.dumps({"message": f"question {i}", "masked": f"answer{i * 7}"}) for i in range(100)
    ]
    project.write("data.jsonl", "\n".join(lines))
    project.spec()
    for command in (["plan"], ["apply", "-y"]):
        refused = project.run(*command)
        assert refused.returncode == 2, refused.stdout
        assert "can't express" in refused.stderr
    assert project.folders() == []
    assert project.jobs() == []


def test_the_same_seed_gives_the_same_model(project: Project) -> None:
    project.spec("one")
    project.spec("two")
    project.ok("apply", "-y", "--wait")
    first, second = (sorted((f / "model").rglob("*.*")) for f in project.folders())
    assert len(first) == len(second) > 0
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_no_pickle_and_nothing_readable_by_others(tuned: Project) -> None:
    files = [p for p in (tuned.root / ".tunekit").rglob("*") if p.is_file()]
    assert files
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.suffix not in (".pkl", ".pickle", ".joblib")


def test_training_rows_reach_no_registry_log_or_output(project: Project) -> None:
    canary = "Zanzibar-canary-4711"
    lines = [
        json.dumps({"message": f"{canary} order #{i}", "masked": f"{canary} order [ORDER]"})
        for i in range(1000, 1100)
    ]
    project.write("data.jsonl", "\n".join(lines))
    project.spec()
    said = project.run("apply", "-y", "--wait")
    outputs = [said.stdout, said.stderr]
    outputs += [project.run(*c).stdout for c in (["status"], ["history"], ["evaluate", "mask"])]
    assert all("canary" not in text for text in outputs)
    for path in (project.root / ".tunekit").glob("registry.db*"):
        assert b"canary" not in path.read_bytes()
    for folder in project.folders():
        assert b"canary" not in (folder / "worker.log").read_bytes()


def test_waiting_has_no_words_for_what_ended_long_ago(tuned: Project) -> None:
    tuned.spec("other", epochs=3)
    done = tuned.run("apply", "-y", "--wait")
    assert done.returncode == 0
    assert "other@1 SUCCEEDED" in done.stderr
    assert "mask" not in done.stderr
