"""Runs -> MLflow: a tracking server, or a SQLite file of its own.

Written through MLflow's client, so that whatever store stands behind an address takes them.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.errors import MissingExtra, TunekitError
from tunekit.export.run import Run, Written, plain_name
from tunekit.model import JobState

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

# Limits of MLflow's own (mlflow/utils/validation.py): of a value's characters, of a batch's items.
_MOST_PARAM, _MOST_TAG, _MOST_METRICS, _MOST_TAGS = 6000, 8000, 1000, 100

_STATUS = {
    JobState.PENDING: "SCHEDULED",
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "KILLED",
}
_SECRET = re.compile(r"//[^/@\s]+@")
_DIGEST = "tunekit.exported"
_TOKEN = "tunekit.token"  # noqa: S105 - a job's own name


def address_of(to: str) -> str:
    """Return the tracking address that a folder, a .db file or an address stands for."""
    if "://" in to or to == "databricks":
        return to
    path = Path(to).resolve()
    return f"sqlite:///{path if path.suffix in ('.db', '.sqlite') else path / 'mlflow.db'}"


def write(runs: Iterable[Run], to: str) -> Iterator[Written]:
    """Write runs, each once however often this is called; yield what was written.

    TunekitError where MLflow refuses; MissingExtra without the package.
    """
    address = address_of(to)
    client = _client(address)
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    experiments: dict[str, tuple[str, dict[str, Any]]] = {}
    try:
        for run in runs:
            name = run.job.experiment
            if name not in experiments:
                experiment_id = _experiment(client, name, run, address)
                experiments[name] = experiment_id, _known(client, experiment_id)
            experiment_id, known = experiments[name]
            yield _write(client, experiment_id, run, known.get(run.job.token))
    except (MlflowException, SQLAlchemyError) as error:
        raise TunekitError(f"{shown(to)}: MLflow refused: {_first_sentence(error)}") from error


def shown(to: str) -> str:
    """Return an address without the user and password that it may hold."""
    return _SECRET.sub("//", to)


def _client(address: str) -> MlflowClient:
    # It would report that it was used; nobody asked for that.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Seven, it says by default, and waits for minutes where nothing listens.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MissingExtra(needs="mlflow", extra="mlflow") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        return MlflowClient(tracking_uri=address)
    except MlflowException as error:
        raise TunekitError(f"{shown(address)}: MLflow refused: {_first_sentence(error)}") from error


def _first_sentence(error: Exception) -> str:
    return shown(str(error)).split(". ")[0].split("\n")[0].strip()[:300]


def _experiment(client: MlflowClient, name: str, run: Run, address: str) -> str:
    """Return the id of the MLflow experiment of a name, made where there is none."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise TunekitError(
                f"MLflow's experiment {name} is deleted; restore it with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
            )
        return str(found.experiment_id)
    place = None
    if address.startswith("sqlite:///"):
        # The default would be a folder below wherever this runs.
        folder = Path(address.removeprefix("sqlite:///")).parent / "mlartifacts" / name
        place = folder.as_uri()
    tags = {"mlflow.note.content": run.description[:_MOST_TAG]} if run.description else {}
    return str(client.create_experiment(name, artifact_location=place, tags=tags))


def _known(client: MlflowClient, experiment_id: str) -> dict[str, Any]:
    """Return the runs that were written before, by token."""
    found: dict[str, Any] = {}
    page = None
    while True:
        runs = client.search_runs(
            [experiment_id], f"tags.`{_TOKEN}` LIKE 'tk-%'", page_token=page, max_results=1000
        )
        found.update({run.data.tags[_TOKEN]: run for run in runs})
        page = runs.token
        if not page:
            return found


def _write(client: MlflowClient, experiment_id: str, run: Run, known: Any) -> Written:
    from mlflow.entities import Param, RunTag

    job, digest = run.job, run.digest
    if known is not None and known.data.tags.get(_DIGEST) == digest:
        return Written(job.title, known.info.run_id, 0, is_new=False)
    is_new = known is None
    if known is None:
        # The token comes first: what breaks off after this is found again by it.
        known = client.create_run(
            experiment_id,
            start_time=_ms(run.starts_s),
            run_name=job.title,
            tags={_TOKEN: job.token},
        )
    run_id = known.info.run_id
    written = {} if is_new else _steps(client, known)
    metrics = [m for m in _metrics(run) if m.step not in written.get(m.key, ())]
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + _MOST_METRICS])
    params = [Param(plain_name(key), value[:_MOST_PARAM]) for key, value in run.params.items()]
    client.log_batch(run_id, params=params)
    tags = [RunTag(key, value[:_MOST_TAG]) for key, value in _tags(run).items()]
    for start in range(0, len(tags), _MOST_TAGS):
        client.log_batch(run_id, tags=tags[start : start + _MOST_TAGS])
    status = _STATUS.get(job.state, "RUNNING")
    if job.state.is_terminal:
        client.set_terminated(run_id, status, _ms(job.ended_s) if job.ended_s else None)
    else:
        client.update_run(run_id, status)
    # Last of all, so that a run that was written by half is written to its end the next time.
    client.set_tag(run_id, _DIGEST, digest)
    return Written(job.title, run_id, len(metrics), is_new=is_new)


def _steps(client: MlflowClient, known: Any) -> dict[str, set[int]]:
    """Return the steps that a run has already, by metric."""
    return {
        key: {metric.step for metric in client.get_metric_history(known.info.run_id, key)}
        for key in known.data.metrics
    }


def _metrics(run: Run) -> list[Any]:
    from mlflow.entities import Metric

    found = [
        Metric(plain_name(point.metric), point.value, _ms(run.moment_s(point)), point.step)
        for point in run.points
    ]
    # An evaluation has no step: the newest is the one that MLflow shows.
    counts: dict[str, int] = {}
    for score in run.scores:
        step = counts[score.name] = counts.get(score.name, -1) + 1
        found.append(Metric(score.name, score.value, _ms(score.at_s), step))
    return found


def _tags(run: Run) -> dict[str, str]:
    """Return the tags, and those by which MLflow's own pages show who, which commit and what."""
    own = {
        "mlflow.user": run.tags.get("tunekit.who"),
        "mlflow.source.name": run.tags.get("tunekit.command", "tunekit"),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": run.tags.get("tunekit.commit"),
        "mlflow.note.content": run.description,
    }
    return {
        **{key.removeprefix("tag."): value for key, value in run.tags.items()},
        **{key: value for key, value in own.items() if value},
    }


def _ms(at_s: float) -> int:
    return int(at_s * 1000)
