"""TensorBoards: experiments, runs, time series and their points."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import wire
from .wire import JSON, listed, page
from .world import Call, World, canonical, parent_of

MOST_POINTS = 1000
"""A read returns a random sample past so many scalars; an export returns all, in pages."""

Points = Sequence[tuple[int, float, float]]


@dataclass(slots=True)
class Series:
    """One metric's points: (step, Unix time, value)."""

    name: str
    tag: str
    created_s: float
    points: list[tuple[int, float, float]] = field(default_factory=list)

    def wire(self) -> JSON:
        """Return the resource, without its points."""
        about: JSON = {
            "name": self.name,
            "displayName": self.tag,
            "valueType": "SCALAR",
            "pluginName": "scalars",
            "createTime": wire.timestamp(self.created_s),
            "updateTime": wire.timestamp(self.created_s),
            "etag": "AMEw9yO",
        }
        if self.points:
            step, when, _ = self.points[-1]
            about["metadata"] = {"maxStep": str(step), "maxWallTime": wire.timestamp(when)}
        return about

    def data(self, most: int, chance: random.Random) -> JSON:
        """Return at most so many points, sampled at random where there are more; all below 0."""
        points: Points = self.points
        if 0 <= most < len(points):
            points = [points[i] for i in sorted(chance.sample(range(len(points)), most))]
        return {
            "tensorboardTimeSeriesId": self.name.rsplit("/", 1)[1],
            "valueType": "SCALAR",
            "values": [_point(point) for point in points],
        }


def _point(point: tuple[int, float, float]) -> JSON:
    step, when, value = point
    return {"step": str(step), "wallTime": wire.timestamp(when), "scalar": {"value": value}}


def make_board(world: World, parent: str, experiment: str, run: str) -> tuple[str, str]:
    """Make the TensorBoard of an experiment; return its name and its run's."""
    now = world.now()
    common = {"createTime": now, "updateTime": now, "etag": "AMEw9yO"}
    board = f"{parent}/tensorboards/{world.new_id()}"
    middle = f"{board}/experiments/{experiment}"
    board_run = f"{middle}/runs/{run}"
    world.boards[board] = {
        **common,
        "name": board,
        "displayName": f"tensorboard-{experiment}",
        "blobStoragePathPrefix": f"cloud-ai-platform-{world.new_id()}",
    }
    world.boards[middle] = {**common, "name": middle, "displayName": experiment}
    world.boards[board_run] = {**common, "name": board_run, "displayName": run}
    return board, board_run


def _name(call: Call) -> str:
    """Return the resource name that a path spells out."""
    parts = [parent_of(call)]
    for kind, key in (
        ("tensorboards", "board"),
        ("experiments", "experiment"),
        ("runs", "run"),
        ("timeSeries", "series"),
    ):
        if key in call.path:
            parts.append(f"{kind}/{call.path[key]}")
    return "/".join(parts)


def get(world: World, call: Call) -> JSON:
    """Return a TensorBoard, an experiment of it or a run."""
    name = _name(call)
    if name not in world.boards:
        raise wire.not_found(f"The resource {name}")
    return world.boards[name]


def _children(world: World, call: Call, kind: str, answer: str) -> JSON:
    if kind == "tensorboards":
        prefix = f"{parent_of(call)}/tensorboards/"
    else:
        prefix = f"{get(world, call)['name']}/{kind}/"
    items = [
        (number, item)
        for number, item in enumerate(world.boards.values())
        if item["name"].startswith(prefix) and "/" not in item["name"].removeprefix(prefix)
    ]
    shown, token = page(items, call.query, default=100, most=1000)
    return listed(answer, shown, token)


def list_boards(world: World, call: Call) -> JSON:
    """Return one page of the location's TensorBoards."""
    return _children(world, call, "tensorboards", "tensorboards")


def list_experiments(world: World, call: Call) -> JSON:
    """Return one page of a TensorBoard's experiments."""
    return _children(world, call, "experiments", "tensorboardExperiments")


def list_runs(world: World, call: Call) -> JSON:
    """Return one page of an experiment's runs."""
    return _children(world, call, "runs", "tensorboardRuns")


def list_series(world: World, call: Call) -> JSON:
    """Return one page of a run's time series."""
    prefix = get(world, call)["name"] + "/timeSeries/"
    items = [
        (number, series.wire())
        for number, series in enumerate(world.series.values())
        if series.name.startswith(prefix)
    ]
    shown, token = page(items, call.query, default=100, most=1000)
    return listed("tensorboardTimeSeries", shown, token)


def _series(world: World, name: str) -> Series:
    series = world.series.get(canonical(name))
    if not isinstance(series, Series):
        raise wire.not_found(f"The time series {name}")
    return series


def get_series(world: World, call: Call) -> JSON:
    """Return a time series, without its points."""
    return _series(world, _name(call)).wire()


def read_series(world: World, call: Call) -> JSON:
    """Return a time series' points: `maxDataPoints` of them, 1,000 by default, -1 for all."""
    asked = call.asked("maxDataPoints")
    if asked and not asked.lstrip("-").isdigit():
        raise wire.bad_fields([("max_data_points", f"Invalid value ({asked!r}).")])
    most = int(asked or 0) or MOST_POINTS
    return {"timeSeriesData": _series(world, _name(call)).data(most, world.random)}


def batch_read(world: World, call: Call) -> JSON:
    """Return the points of several time series, at most 1,000 of each."""
    get(world, call)
    names = call.lists.get("timeSeries") or call.lists.get("time_series") or []
    data = [_series(world, name).data(MOST_POINTS, world.random) for name in names]
    return listed("timeSeriesData", data, "")


def export_series(world: World, call: Call) -> JSON:
    """Return every point, in pages."""
    points = _series(world, _name(call)).points
    asked = {key: str(call.body[key]) for key in ("pageSize", "pageToken") if call.body.get(key)}
    # `page` shows the highest number first; an export begins with the oldest point, and its
    # numbers must not move while points are added.
    items = [(-at, _point(point)) for at, point in enumerate(points)]
    shown, token = page(items, asked, default=1000, most=10_000)
    return listed("timeSeriesDataPoints", shown, token)
