"""Runs -> TensorBoard: a folder a job with one event file, for its scalars and HParams pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.errors import MissingExtra
from tunekit.export.run import Run, Written, plain_name
from tunekit.model import JobState

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

# TensorBoard reads files whose name holds this; the same name each time, so that a second export
# takes the first one's place.
_FILE = "events.out.tfevents.0000000000.tunekit"
_NOT_IN_PATHS = re.compile(r"[^\w@=,.+-]")


def address_of(to: str) -> str:
    """Return the folder that is meant."""
    return str(Path(to).resolve())


def shown(to: str) -> str:
    """Return what is said of a folder: itself."""
    return to


def write(runs: Iterable[Run], to: str) -> Iterator[Written]:
    """Write runs below a folder, each anew; yield what was written. OSError where it can't be."""
    try:
        from tensorboard.compat.proto import event_pb2  # noqa: F401
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise MissingExtra(needs="tensorboard", extra="tensorboard") from error
    for run in runs:
        folder = Path(to, *map(_part, run.job.title.split("/")))
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / _FILE
        is_new = not place.exists()
        # TensorBoard may be reading: a file is there whole or not at all, and is not called an
        # event file before.
        unfinished = folder / ".unfinished"
        with unfinished.open("wb") as stream:
            writer = RecordWriter(stream)
            for event in _events(run):
                writer.write(event.SerializeToString())
            writer.flush()
        os.replace(unfinished, place)
        yield Written(run.job.title, str(folder), len(run.points), is_new=is_new)


def _part(text: str) -> str:
    """Return a name that is one part of a path, and not one that leads elsewhere."""
    return _NOT_IN_PATHS.sub("_", text).lstrip(".") or "_"


def _events(run: Run) -> Iterator[Event]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    yield Event(wall_time=run.starts_s, file_version="brain.Event:2")
    for summary in _hparams(run):
        yield Event(wall_time=run.starts_s, summary=summary)
    for point in run.points:
        value = Summary.Value(tag=plain_name(point.metric), simple_value=point.value)
        yield Event(wall_time=run.moment_s(point), step=point.step, summary=Summary(value=[value]))
    counts: dict[str, int] = {}
    for score in run.scores:
        step = counts[score.name] = counts.get(score.name, -1) + 1
        value = Summary.Value(tag=score.name, simple_value=score.value)
        yield Event(wall_time=score.at_s, step=step, summary=Summary(value=[value]))


def _hparams(run: Run) -> Iterator[Any]:
    """Yield what the HParams page reads: what the job was asked for, and how it ended."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )

    start = SessionStartInfo(group_name=run.job.title, start_time_secs=run.starts_s)
    for key, text in run.params.items():
        number = _number(text)
        if number is None:
            start.hparams[key].string_value = text
        else:
            start.hparams[key].number_value = number
    found = {"_hparams_/session_start_info": HParamsPluginData(session_start_info=start)}
    if run.job.state.is_terminal:
        # api.proto's Status: 1 success, 2 failure.
        status = 1 if run.job.state is JobState.SUCCEEDED else 2
        end = SessionEndInfo(status=status, end_time_secs=run.job.ended_s or run.starts_s)
        found["_hparams_/session_end_info"] = HParamsPluginData(session_end_info=end)
    for tag, data in found.items():
        plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
        yield Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
