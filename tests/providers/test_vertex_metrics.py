"""Training metrics by the documented chain: complete, live, and without a single write."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.service import Service
from tests.providers.conftest import Requests
from tests.providers.support import JOB, TOKEN, answering, job_spec, open_vertex, prepared
from tests.providers.support import until_ended as ended
from tunekit.errors import Unavailable
from tunekit.model import EVAL_LOSS, TRAIN_CORRECT, TRAIN_LOSS, TRAIN_PREDICTIONS
from tunekit.providers.vertex.provider import VertexProvider


def test_a_job_has_google_s_six_series_by_rising_step(vertex: VertexProvider) -> None:
    job = job_spec(prepared(40, 8), hyperparameters={"epochs": 2})
    seen = ended(vertex, vertex.submit(job, TOKEN).name)
    points = list(vertex.metrics(seen.name, 0))
    assert {p.metric for p in points} == {
        *(TRAIN_LOSS, TRAIN_CORRECT, TRAIN_PREDICTIONS),
        *(EVAL_LOSS, "/eval_fraction_of_correct_next_step_preds", "/eval_num_predictions"),
    }
    assert [p.step for p in points] == sorted(p.step for p in points)
    assert [p.step for p in points if p.metric == TRAIN_LOSS] == list(range(1, 21))
    assert [p.step for p in points if p.metric == EVAL_LOSS] == [10, 20]
    assert all(p.time_s and abs(p.time_s - time.time()) < 60 for p in points)
    losses = [p.value for p in points if p.metric == TRAIN_LOSS]
    assert losses[-1] < losses[0]


def test_more_than_a_thousand_points_come_complete(vertex: VertexProvider) -> None:
    job = job_spec(prepared(40), hyperparameters={"epochs": 130})
    seen = ended(vertex, vertex.submit(job, TOKEN).name)
    steps = [p.step for p in vertex.metrics(seen.name, 0) if p.metric == TRAIN_LOSS]
    assert steps == list(range(1, 1_301))
    later = [p.step for p in vertex.metrics(seen.name, 1_290) if p.metric == TRAIN_LOSS]
    assert later == list(range(1_291, 1_301))
    assert list(vertex.metrics(seen.name, 1_300)) == []


def test_reading_writes_nothing(
    vertex: VertexProvider, service: Service, requests_seen: Requests
) -> None:
    seen = ended(vertex, vertex.submit(job_spec(), TOKEN).name)
    before = service.state()
    requests_seen.seen.clear()
    assert list(vertex.metrics(seen.name, 0))
    assert {method for method, _, _ in requests_seen.seen} == {"GET"}
    assert {**service.state(), "requests": 0} == {**before, "requests": 0}
    # What cannot change is asked for once.
    requests_seen.seen.clear()
    assert list(vertex.metrics(seen.name, seen.total_steps or 0)) == []
    assert len(requests_seen.seen) == 1


def test_points_are_there_while_the_job_runs(serve: Callable[..., Service], tmp_path: Path) -> None:
    slow = serve(time_scale=50)
    vertex = open_vertex(slow.url, tmp_path)
    job = job_spec(prepared(60, uris={"train": slow.put_rows()}), hyperparameters={"epochs": 200})
    name = vertex.submit(job, TOKEN).name
    assert list(vertex.metrics(name, 0)) == []  # no experiment yet
    end = time.monotonic() + 30
    taken: list[int] = []
    while time.monotonic() < end and len(taken) < 6:
        after = max(taken, default=0)
        taken += [p.step for p in vertex.metrics(name, after) if p.metric == TRAIN_LOSS]
    assert not vertex.get(name).state.is_terminal
    vertex.cancel(name)
    assert taken == list(range(1, len(taken) + 1))


class Board:
    """The chain as a server of fixed answers; runs are named with or without a prefix."""

    def __init__(self, run: str, **changes: Any) -> None:
        place = "projects/7/locations/us-central1"
        self.store = f"{place}/metadataStores/default/contexts"
        self.run = f"{place}/tensorboards/5/experiments/exp/runs/{run}"
        self.series = [{"name": f"{self.run}/timeSeries/1", "displayName": TRAIN_LOSS}]
        self.context: Any = {
            "name": f"{self.store}/exp",
            "schemaTitle": "system.Experiment",
            "metadata": {"backing_tensorboard_resource": f"{place}/tensorboards/5"},
            **changes,
        }
        self.values: list[Any] = [{"step": "1", "scalar": {"value": 0.5}}]

    def __call__(self, asked: Any) -> Any:
        path = asked.path.split("/", 2)[2]
        if path == JOB:
            return 200, {"name": JOB, "experiment": f"{self.store}/exp"}
        if path == f"{self.store}/exp":
            return 200, self.context
        if path == self.store:
            wanted = f'schema_title="system.ExperimentRun" AND parent_contexts:"{self.store}/exp"'
            assert asked.query["filter"] == wanted
            return 200, {"contexts": [{"name": f"{self.store}/exp-run-1"}]}
        if path == self.run:
            return 200, {"name": self.run}
        if path == f"{self.run}/timeSeries":
            return 200, {"tensorboardTimeSeries": self.series}
        if path.endswith(":read"):
            assert asked.query["maxDataPoints"] == "-1"
            return 200, {"timeSeriesData": {"valueType": "SCALAR", "values": self.values}}
        return 404, {"error": {"code": 404, "status": "NOT_FOUND"}}


@pytest.mark.parametrize("run", ["run-1", "exp-run-1"])
def test_both_names_of_a_run_are_tried(tmp_path: Path, run: str) -> None:
    with answering(Board(run)) as server:
        [point] = open_vertex(server.url, tmp_path).metrics(JOB, 0)
    assert (point.metric, point.step, point.value, point.time_s) == (TRAIN_LOSS, 1, 0.5, None)


@pytest.mark.parametrize(
    "board",
    [
        Board("elsewhere"),
        Board("run-1", schemaTitle="system.Other"),
        Board("run-1", metadata={}),
    ],
)
def test_a_chain_that_leads_nowhere_has_no_points(tmp_path: Path, board: Board) -> None:
    with answering(board) as server:
        assert list(open_vertex(server.url, tmp_path).metrics(JOB, 0)) == []


def test_odd_points_are_left_out(tmp_path: Path) -> None:
    board = Board("run-1")
    board.values = [
        {"step": "1", "scalar": {"value": "NaN"}},
        {"step": "2", "scalar": {"value": "Infinity"}},
        {"step": "3", "tensor": {}},
        {"step": "4"},
        {"step": "5", "scalar": {}, "unknown": 1},
        {"step": "0", "scalar": {"value": 1}},
    ]
    with answering(board) as server:
        found = list(open_vertex(server.url, tmp_path).metrics(JOB, 0))
    assert [(p.step, p.value) for p in found] == [(0, 1.0), (5, 0.0)]


@pytest.mark.parametrize("values", [[{"step": "x"}], [5], "x"])
def test_a_garbled_series_may_be_asked_for_again(tmp_path: Path, values: Any) -> None:
    board = Board("run-1")
    board.values = values
    with answering(board) as server, pytest.raises(Unavailable, match="could not be read"):
        list(open_vertex(server.url, tmp_path).metrics(JOB, 0))
