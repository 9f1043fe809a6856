"""Training metrics, by the chain that Google's notebook follows; nothing is ever written.

experiment context -> run contexts -> TensorBoard runs -> time series -> points. All of v1. Source:
GoogleCloudPlatform/generative-ai, gemini/tuning/sft_gemini_summarization.ipynb; the calls are high,
the names that Google assigns medium confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tunekit.errors import NotFound
from tunekit.model import MetricPoint
from tunekit.providers.vertex.gapic import Clients
from tunekit.providers.vertex.places import BOARD, CONTEXT, require

_EXPERIMENT, _RUN = "system.Experiment", "system.ExperimentRun"
_BOARD_KEY = "backing_tensorboard_resource"
# Else a read returns at most 1,000 points, a random sample of a longer series.
_ALL = -1


@dataclass(slots=True)
class Metrics:
    """Reads the points of tuning jobs; remembers which TensorBoard runs are an experiment's."""

    clients: Clients
    _runs: dict[str, list[str]] = field(default_factory=dict)

    def points(self, experiment: str, after_step: int) -> list[MetricPoint]:
        """Return the points of all series past `after_step` (0: all), by rising step.

        `experiment` is a job's, a context's name. Empty where nothing has been written yet.
        """
        require(experiment, CONTEXT, "experiment context")
        found = {
            (point.step, point.metric): point
            for run in self._runs_of(experiment)
            for point in self._points_of(run, after_step)
        }
        return [found[key] for key in sorted(found)]

    def _runs_of(self, experiment: str) -> list[str]:
        known = self._runs.get(experiment)
        if known is None:
            known = self._find_runs(experiment)
            if known:  # a run that is not there yet may come
                self._runs[experiment] = known
        return known

    def _find_runs(self, experiment: str) -> list[str]:
        location = experiment.split("/")[3]
        contexts = self.clients.of("metadata_service", location)
        try:
            with self.clients.watching(f"read {experiment}", location):
                about = contexts.get_context(name=experiment, **self.clients.options())
        except NotFound:
            return []
        board = str(dict(about.metadata or {}).get(_BOARD_KEY) or "")
        if about.schema_title != _EXPERIMENT or not board:
            return []
        require(board, BOARD, "TensorBoard")
        with self.clients.watching(f"list the runs of {experiment}", location):
            wanted = f'schema_title="{_RUN}" AND parent_contexts:"{about.name}"'
            listed = contexts.list_contexts(
                request={"parent": experiment.rpartition("/contexts/")[0], "filter": wanted},
                **self.clients.options(),
            )
            ids = [run.name.rpartition("/")[2] for run in listed]
        key = experiment.rpartition("/")[2]
        return [run for id_ in ids if (run := self._board_run(board, key, id_))]

    def _board_run(self, board: str, experiment: str, run: str) -> str | None:
        """Return a run's TensorBoard run: without the experiment's prefix, as now, or with it."""
        location = board.split("/")[3]
        boards = self.clients.of("tensorboard_service", location)
        for id_ in dict.fromkeys((run.removeprefix(f"{experiment}-"), run)):
            name = f"{board}/experiments/{experiment}/runs/{id_}"
            try:
                with self.clients.watching(f"read {name}", location):
                    boards.get_tensorboard_run(name=name, **self.clients.options())
            except NotFound:
                continue
            return name
        return None

    def _points_of(self, run: str, after_step: int) -> Iterator[MetricPoint]:
        location = run.split("/")[3]
        boards = self.clients.of("tensorboard_service", location)
        with self.clients.watching(f"read the metrics of {run}", location):
            series = list(boards.list_tensorboard_time_series(parent=run, **self.clients.options()))
            for one in series:
                newest = one.metadata.max_step if one.metadata else 0
                if newest and newest <= after_step:
                    continue
                answer = boards.read_tensorboard_time_series_data(
                    request={"tensorboard_time_series": one.name, "max_data_points": _ALL},
                    **self.clients.options(),
                )
                for point in answer.time_series_data.values:
                    is_new = point.step > after_step or after_step == 0
                    if is_new and _is_number(point):
                        yield _point(one.display_name, point)


def _is_number(point: Any) -> bool:
    # Neither JSON nor SQLite knows NaN.
    return "scalar" in point and math.isfinite(point.scalar.value)


def _point(metric: str, point: Any) -> MetricPoint:
    time = point.wall_time
    return MetricPoint(
        metric=metric,
        step=int(point.step),
        value=float(point.scalar.value),
        time_s=time.timestamp() if time else None,
    )
