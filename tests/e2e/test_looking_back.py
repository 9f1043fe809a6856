"""History, comparison and origins of real jobs, and other tools reading what was exported."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project

WHO = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")


def git(project: Project, *words: str) -> str:
    done = subprocess.run(
        [*WHO, *words], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in git whose experiment `mask` was tuned, changed, and tuned again, dirty.

    The second job has other rows and one more epoch; only it is evaluated.
    """
    project = Project(tmp_path_factory.mktemp("twice"))
    project.write(".gitignore", ".tunekit/\nout/\n")
    project.spec(more="tags: {team: privacy}\ndescription: Mask names\n")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "first")
    project.ok("apply", "-y", "--wait")
    rows = (project.root / "data.jsonl").read_text().splitlines()
    rows[0] = json.dumps({"message": "Bo is new", "masked": "[NAME] is new"})
    project.write("data.jsonl", "\n".join(rows) + "\n")
    project.spec(epochs=3, more="tags: {team: privacy}\ndescription: Mask names\n")
    project.ok("apply", "-y", "--wait")
    project.ok("evaluate", "mask")
    project.spec("other")
    project.ok("apply", "-y", "--wait")
    return project


def rows_of(found: dict[str, Any]) -> dict[str, Any]:
    return {f"{row['group']}/{row['key']}": row["values"] for row in found["rows"]}


def test_compare_shows_only_what_differs(twice: Project) -> None:
    found = twice.json("compare", "mask@1", "mask@2")
    assert found["subjects"] == ["mask@1", "mask@2"]
    rows = rows_of(found)
    assert rows["hyperparameters/epochs"] == {"mask@1": 2, "mask@2": 3}
    change = rows["data/train.change"]
    assert change["mask@1"] is None
    assert {key: change["mask@2"][key] for key in ("added", "removed", "changed", "rows")} == {
        "added": 1,
        "removed": 1,
        "changed": 0,
        "rows": 0,
    }
    assert "hyperparameters/batch_size" not in rows
    assert not any(key.startswith("spec/") for key in rows)
    assert "data/validation.change" not in rows
    assert rows["scores/exact_match"]["mask@1"] is None
    assert 0 <= rows["scores/exact_match"]["mask@2"]["value"] <= 1
    points = twice.sql(
        "SELECT value FROM curves WHERE job = 'mask@2' AND metric = '/eval_total_loss' "
        "ORDER BY step"
    )
    assert rows["result/best_eval_loss"]["mask@2"] == min(value for (value,) in points)
    commits = rows["result/commit"]
    assert commits["mask@2"] == commits["mask@1"] + "+changes"


def test_one_name_is_compared_with_the_job_before_it(twice: Project) -> None:
    assert twice.json("compare", "mask") == twice.json("compare", "mask@1", "mask@2")


def test_compare_keeps_what_is_equal_where_all_is_asked_for(twice: Project) -> None:
    rows = rows_of(twice.json("compare", "mask", "--all"))
    assert rows["hyperparameters/batch_size"] == {"mask@1": 8, "mask@2": 8}
    assert rows["spec/provider"] == {"mask@1": "local", "mask@2": "local"}


def test_compare_prints_a_table_markdown_and_csv(twice: Project) -> None:
    table = twice.ok("compare", "mask")
    assert table.splitlines()[0].split() == ["mask@1", "mask@2"]
    assert "train curve" in table
    assert "▁" in table
    markdown = twice.ok("compare", "mask", "-o", "md").splitlines()
    assert markdown[2] == "|  | `mask@1` | `mask@2` |"
    assert "| `epochs` | `2` | `3` |" in markdown
    assert {line.count("|") for line in markdown if line.startswith("|")} == {4}
    rows = list(csv.DictReader(io.StringIO(twice.ok("compare", "mask", "-o", "csv"))))
    assert {"group": "hyperparameters", "key": "epochs", "mask@1": "2", "mask@2": "3"} in rows


def test_compare_takes_current_jobs_by_their_tags_and_states(twice: Project) -> None:
    found = twice.json("compare", "--state", "SUCCEEDED", "--sort", "name")
    assert found["subjects"] == ["mask@2", "other@1"]
    done = twice.run("compare", "-l", "team=privacy")
    assert done.returncode == 2
    assert "needs two jobs, 1 match" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mask@2", "mask"], "named twice"),
        (["other"], "is the first job of other"),
        ([], "name the jobs to compare"),
        (["mask", "--state", "FAILED"], "not both"),
        (["mask", "nothing"], "no experiment 'nothing'"),
        (["mask@9"], "has no job 9, nor a revision"),
    ],
)
def test_compare_says_what_it_needs(twice: Project, arguments: list[str], said: str) -> None:
    done = twice.run("compare", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_history_filters_sorts_and_exports(twice: Project) -> None:
    every = [row["job"] for row in twice.json("history")["jobs"]]
    assert every == ["other@1", "mask@2", "mask@1"]
    assert [r["job"] for r in twice.json("history", "--sort", "job")["jobs"]] == sorted(every)
    tagged = twice.json("history", "-l", "team=privacy", "--sort", "submitted_s")["jobs"]
    assert [row["job"] for row in tagged] == ["mask@1", "mask@2"]
    assert [row["is_dirty"] for row in tagged] == [False, True]
    assert tagged[0]["commit"] == git(twice, "rev-parse", "HEAD")
    assert twice.json("history", "--since", "2999-01-01")["jobs"] == []
    assert len(twice.json("history", "--since", "1h")["jobs"]) == 3
    assert twice.json("history", "--state", "FAILED")["jobs"] == []
    rows = list(csv.DictReader(io.StringIO(twice.ok("history", "mask", "-o", "csv"))))
    assert [row["job"] for row in rows] == ["mask@2", "mask@1"]
    assert rows[0]["why"]


def test_status_filters_and_sorts(twice: Project) -> None:
    def listed(*arguments: str) -> list[str]:
        return [trial["name"] for trial in twice.json("status", *arguments)["trials"]]

    assert listed("--sort", "name") == ["mask", "other"]
    assert listed("--sort", "-name") == ["other", "mask"]
    assert listed("-l", "team=privacy") == ["mask"]
    assert listed("--since", "2999-01-01") == []
    assert listed("--state", "RUNNING") == []
    table = twice.ok("status", "--sort", "-name").splitlines()
    assert [line.split()[0] for line in table[1:]] == ["other", "mask"]


def test_show_takes_a_former_job_by_its_number_and_by_its_revision(twice: Project) -> None:
    first = twice.json("show", "mask@1")
    assert first["job"]["number"] == 1
    assert first["spec"]["tuning"]["epochs"] == 2
    revision = first["revision"]["digest"]
    assert twice.json("show", f"mask@{revision[:8]}") == first
    done = twice.run("show", f"mask@{revision[:4]}zz")
    assert done.returncode == 2
    assert "nor a revision that begins so" in done.stderr


def test_why_leads_from_a_model_to_commit_rows_and_scores(twice: Project) -> None:
    job = twice.job()
    (origin,) = twice.json("why", job["model"])["origins"]
    assert origin["job"] == "mask@2"
    assert origin["commit"] == git(twice, "rev-parse", "HEAD")
    assert origin["is_dirty"] is True
    assert origin["splits"]["train"]["rows"] == 60
    assert origin["hyperparameters"]["epochs"] == 3
    assert origin["path"].startswith("experiments/mask.yaml")
    assert set(origin["evaluations"][0]["scores"]) >= {"exact_match"}
    saved = job["checkpoints"][0]
    (origin,) = twice.json("why", saved["model"])["origins"]
    assert (origin["job"], origin["checkpoint"]) == ("mask@2", saved["id"])
    assert twice.json("why", "mask@1")["origins"][0]["job"] == "mask@1"
    shown = twice.ok("why", job["model"])
    assert "60 rows train" in shown
    assert "exact_match" in shown


def test_what_a_service_wrote_into_the_record_stays_text(project: Project) -> None:
    project.spec()
    project.ok("apply", "-y", "--wait")
    evil = "models/\x1b[2J\x1b]52;c;ZXZpbA==\x07[bold]\u202e|`<img src=x>"
    connection = sqlite3.connect(project.root / ".tunekit/registry.db")
    with connection:
        connection.execute("UPDATE jobs SET model = ?, reason = ?, error = ?", [evil] * 3)
    connection.close()
    for arguments in (["history"], ["status"], ["why", evil], ["show", "mask@1"]):
        for form in ("table", "json", "yaml"):
            shown = project.ok(*arguments, "-o", form, "--project", ".")
            assert not any(bad in shown for bad in ("\x1b", "\x07", "\u202e")), (arguments, form)
    assert project.json("why", evil)["origins"][0]["model"] == evil


def test_why_says_where_to_look_for_a_model_that_nobody_made(twice: Project) -> None:
    done = twice.run("why", "projects/p/locations/l/endpoints/404")
    assert done.returncode == 2
    assert "no recorded job made" in done.stderr
    assert "tunekit discover" in done.stderr


def test_mlflow_reads_what_was_exported(twice: Project) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    to = twice.root / "out/mlflow"
    first = twice.json("export", "mlflow", "--to", str(to))["jobs"]
    assert [row["job"] for row in first] == ["mask@1", "mask@2", "other@1"]
    assert all(row["is_new"] for row in first)
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{to / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mask")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"mask@1", "mask@2"}
    run = runs["mask@2"]
    job = twice.job()
    assert run.info.status == "FINISHED"
    assert run.info.end_time == int(job["ended_s"] * 1000)
    assert run.data.params["epochs"] == "3"
    assert run.data.params["train_rows"] == "60"
    assert run.data.tags["team"] == "privacy"
    assert run.data.tags["tunekit.model"] == job["model"]
    assert run.data.tags["mlflow.source.git.commit"] == git(twice, "rev-parse", "HEAD")
    assert run.data.tags["tunekit.is_dirty"] == "True"
    for metric in ("/train_total_loss", "/eval_total_loss"):
        recorded = twice.sql(
            "SELECT step, value FROM curves WHERE job = 'mask@2' AND metric = ? ORDER BY step",
            [metric],
        )
        read = client.get_metric_history(run.info.run_id, metric[1:])
        assert sorted((m.step, m.value) for m in read) == recorded
        assert recorded
    (scores,) = twice.sql("SELECT scores FROM evaluations")[0]
    assert run.data.metrics["score/exact_match"] == json.loads(scores)["exact_match"]


def test_a_second_export_to_mlflow_doubles_nothing_and_adds_what_is_new(project: Project) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    project.spec()
    project.ok("apply", "-y", "--wait")
    to = str(project.root / "runs.db")
    (job,) = project.json("export", "mlflow", "mask", "--to", to)["jobs"]
    project.ok("evaluate", "mask")
    (again,) = project.json("export", "mlflow", "mask@1", "--to", to)["jobs"]
    assert (again["where"], again["is_new"]) == (job["where"], False)
    scores = len(json.loads(project.sql("SELECT scores FROM evaluations")[0][0]))
    assert again["points"] == scores
    (third,) = project.json("export", "mlflow", "--to", to)["jobs"]
    assert third["points"] == 0
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{to}")
    experiment = client.get_experiment_by_name("mask")
    assert len(client.search_runs([experiment.experiment_id])) == 1
    history = client.get_metric_history(job["where"], "train_total_loss")
    assert len(history) == len({metric.step for metric in history})


def test_tensorboard_reads_what_was_exported(twice: Project) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    to = twice.root / "out/board"
    for is_new in (True, False):
        jobs = twice.json("export", "tensorboard", "mask", "--to", str(to))["jobs"]
        assert [(row["job"], row["is_new"]) for row in jobs] == [
            ("mask@1", is_new),
            ("mask@2", is_new),
        ]
        read = events.EventAccumulator(str(to / "mask@2"), size_guidance={"scalars": 0})
        read.Reload()
        recorded = twice.sql(
            "SELECT step, value FROM curves WHERE job = 'mask@2' AND metric = '/train_total_loss' "
            "ORDER BY step"
        )
        scalars = read.Scalars("train_total_loss")
        assert [(s.step, pytest.approx(s.value, rel=1e-6)) for s in scalars] == recorded
        assert "score/exact_match" in read.Tags()["scalars"]
        content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        asked = HParamsPluginData.FromString(content).session_start_info.hparams
        assert asked["epochs"].number_value == 3
        assert asked["base_model"].string_value == "text-editor"
    assert (
        sorted(p.name for p in Path(to).rglob("*") if p.is_file())
        == ["events.out.tfevents.0000000000.tunekit"] * 2
    )


@pytest.mark.parametrize("to", [".tunekit/registry.db"])
def test_export_refuses_to_write_into_the_registry(twice: Project, to: str) -> None:
    done = twice.run("export", "mlflow", "--to", to)
    assert done.returncode == 2
    assert "is the registry itself" in done.stderr
    assert twice.sql("SELECT count(*) FROM jobs") == [(3,)]
    assert twice.sql("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'") == [(0,)]


def test_an_export_that_a_server_refuses_says_so_without_the_password(twice: Project) -> None:
    pytest.importorskip("mlflow.tracking")
    done = twice.run("export", "mlflow", "--to", "http://ana:canary-7f@127.0.0.1:9")
    assert done.returncode == 1
    assert "MLflow refused" in done.stderr
    assert "canary-7f" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
