"""The chain from a job to its training metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.emulator.service import Service

TRAIN = ("/train_total_loss", "/train_fraction_of_correct_next_step_preds",
         "/train_num_predictions")  # fmt: skip
EVAL = ("/eval_total_loss", "/eval_fraction_of_correct_next_step_preds", "/eval_num_predictions")


def run_of(service: Service, job: Any) -> tuple[str, str]:
    """Follow the notebook's chain; return the TensorBoard and its run."""
    experiment = service.call("GET", f"/v1/{job['experiment']}")
    assert experiment["schemaTitle"] == "system.Experiment"
    board = experiment["metadata"]["backing_tensorboard_resource"]
    store = job["experiment"].rpartition("/")[0]
    wanted = f'schema_title="system.ExperimentRun" AND parent_contexts:"{job["experiment"]}"'
    (run,) = service.call("GET", f"/v1/{store}", params={"filter": wanted})["contexts"]
    assert service.call("GET", f"/v1/{board}")["name"] == board
    experiment_id = job["experiment"].rpartition("/")[2]
    run_id = run["name"].rpartition("/")[2].removeprefix(f"{experiment_id}-")
    name = f"{board}/experiments/{experiment_id}/runs/{run_id}"
    assert service.call("GET", f"/v1/{name}")["name"] == name
    return board, name


def points(service: Service, board: str, run: str) -> dict[str, list[tuple[int, float]]]:
    listed = service.call("GET", f"/v1/{run}/timeSeries").get("tensorboardTimeSeries", [])
    tags = {series["name"].rpartition("/")[2]: series["displayName"] for series in listed}
    if not tags:
        return {}
    asked = [("timeSeries", series["name"]) for series in listed]
    read = service.call("GET", f"/v1/{board}:batchRead", params=asked)
    return {
        tags[data["tensorboardTimeSeriesId"]]: [
            (int(point["step"]), point["scalar"]["value"]) for point in data["values"]
        ]
        for data in read["timeSeriesData"]
    }


def test_the_six_metrics_are_where_the_notebook_looks(service: Service) -> None:
    spec = {
        "trainingDatasetUri": service.put_rows(count=100),
        "validationDatasetUri": service.put_rows("validation.jsonl", 20),
        "hyperParameters": {"epochCount": "3"},
    }
    job = service.tuned(supervisedTuningSpec=spec)
    found = points(service, *run_of(service, job))
    assert set(found) == {*TRAIN, *EVAL}
    steps = int(job["tuningDataStats"]["supervisedTuningDataStats"]["tuningStepCount"])
    for tag in TRAIN:
        assert [step for step, _ in found[tag]] == list(range(1, steps + 1))
    for tag in EVAL:
        assert [step for step, _ in found[tag]] == [steps // 3, 2 * steps // 3, steps]
    losses = [loss for _, loss in found["/train_total_loss"]]
    assert losses[-1] < losses[0] / 2
    assert found["/eval_total_loss"][-1][1] < found["/eval_total_loss"][0][1]
    assert 0 <= found["/train_fraction_of_correct_next_step_preds"][-1][1] <= 1


def test_metrics_grow_while_the_job_runs(serve: Callable[..., Service]) -> None:
    service = serve(time_scale=50)
    name = service.create(hyperParameters={"epochCount": "6"})["name"]
    counts: list[int] = []
    while True:
        job = service.call("GET", f"/v1/{name}")
        if job["state"] != "JOB_STATE_RUNNING" and counts:
            break
        if "experiment" in job:
            found = points(service, *run_of(service, job))
            counts.append(len(found.get(TRAIN[0], [])))
            if job["state"] == "JOB_STATE_SUCCEEDED":
                break
        time.sleep(0.01)
    assert counts == sorted(counts)
    assert len({count for count in counts if count}) > 3


def test_past_a_thousand_points_only_an_export_is_complete(service: Service) -> None:
    # 1,200 steps of simulated pace; the rows are labels, which train fastest.
    rows = "".join(
        f'{{"contents":[{{"role":"user","parts":[{{"text":"{word} {i}"}}]}},'
        f'{{"role":"model","parts":[{{"text":"{label}"}}]}}]}}\n'
        for i in range(20)
        for word, label in (("refund", "billing"), ("parcel", "shipping"))
    )
    job = service.tuned(
        version="v1beta1",
        baseModel="google/gemma-3-27b-it",
        outputUri="gs://tuning-data/out",
        uri=service.put_rows("labels.jsonl", text=_as_messages(rows)),
        hyperParameters={"epochCount": 60, "batchSize": 2},
    )
    board, run = run_of(service, job)
    listed = service.call("GET", f"/v1/{run}/timeSeries")["tensorboardTimeSeries"]
    series = {s["displayName"]: s["name"] for s in listed}[TRAIN[0]]
    assert service.call("GET", f"/v1/{series}")["metadata"]["maxStep"] == "1200"
    sampled = points(service, board, run)[TRAIN[0]]
    assert len(sampled) == 1000
    assert sampled == sorted(sampled)
    data = service.call("GET", f"/v1/{series}:read")["timeSeriesData"]
    assert len(data["values"]) == 1000
    data = service.call("GET", f"/v1/{series}:read?maxDataPoints=-1")["timeSeriesData"]
    assert [int(point["step"]) for point in data["values"]] == list(range(1, 1201))
    exported: list[int] = []
    token = ""
    while True:
        asked = {"pageSize": 500, "pageToken": token}
        page = service.call("POST", f"/v1/{series}:exportTensorboardTimeSeries", asked)
        exported += [int(point["step"]) for point in page["timeSeriesDataPoints"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert exported == list(range(1, 1201))
    assert len(job["tunedModel"]["checkpoints"]) <= 10
    assert job["tunedModel"]["checkpoints"][-1]["epoch"] == "60"


def _as_messages(gemini: str) -> str:
    lines = []
    for line in gemini.splitlines():
        (_, prompt), (_, answer) = (
            (turn["role"], turn["parts"][0]["text"]) for turn in json.loads(line)["contents"]
        )
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": turns}))
    return "\n".join(lines)


def test_an_artifact_is_made_once_and_joins_a_context(service: Service) -> None:
    job = service.tuned(hyperParameters={"epochCount": "1"})
    store = job["experiment"].partition("/contexts/")[0]
    # Snake case and enum numbers, as the generated clients send them.
    body = {"schema_title": "google.VertexTensorboardRun", "state": 2, "metadata": {"a_b": True}}
    path = f"/v1/{store}/artifacts?artifactId=run-tb-run"
    made = service.call("POST", path, body)
    assert (made["schemaTitle"], made["state"]) == ("google.VertexTensorboardRun", "LIVE")
    assert made["metadata"] == {"a_b": True}
    service.call("POST", path, body, status=409)
    assert service.call("GET", f"/v1/{made['name']}") == made
    numbers = service.call("GET", f"/v1/{made['name']}?$alt=json;enum-encoding=int")
    assert numbers["state"] == 2
    joined = f"/v1/{job['experiment']}:addContextArtifactsAndExecutions"
    assert service.call("POST", joined, {"artifacts": [made["name"]]}) == {}
    lineage = service.call("GET", f"/v1/{job['experiment']}:queryContextLineageSubgraph")
    assert lineage["artifacts"] == [made]
    wanted = 'schema_title="google.VertexTensorboardRun"'
    listed = service.call("GET", f"/v1/{store}/artifacts", params={"filter": wanted})
    assert listed["artifacts"] == [made]
    assert service.call("GET", f"/v1/{store}/executions") == {}
