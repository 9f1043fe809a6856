"""Experiments and their TensorBoards: the chain by which training metrics are read.

Names are of the current notebook: the TensorBoard run is the run context without the experiment's
prefix. Source: GoogleCloudPlatform/generative-ai, gemini/tuning/sft_gemini_summarization.ipynb
"""

from __future__ import annotations

import time
from typing import Any

from tunekit.providers.local.training import StepReport

from . import filters, wire
from .tensorboard import Series, make_board
from .wire import JSON, ApiError, listed, page
from .world import Call, World, canonical, parent_of

_STORE = "metadataStores/default"


class Metrics:
    """One job's experiment context, run context and time series."""

    def __init__(self, world: World, experiment: str, run: str, board_run: str) -> None:
        self.world = world
        self.experiment = experiment
        self.run = run
        self.board_run = board_run
        self.by_tag: dict[str, Series] = {}

    def record(self, step: StepReport, *, is_preference: bool) -> None:
        """Add one step's points, and an epoch's evaluation."""
        # One time for all of a step: clients join the series on step and time.
        found = {
            "/train_total_loss": step.loss,
            "/train_fraction_of_correct_next_step_preds": step.correct,
            "/train_num_predictions": step.predictions,
        }
        if is_preference:
            found = {"/preference_optimization_train_loss": step.loss}
        elif step.evaluation:
            found |= {
                "/eval_total_loss": step.evaluation.loss,
                "/eval_fraction_of_correct_next_step_preds": step.evaluation.correct,
                "/eval_num_predictions": step.evaluation.predictions,
            }
        now = time.time()
        for tag, value in found.items():
            if tag not in self.by_tag:
                name = f"{self.board_run}/timeSeries/{self.world.new_id()}"
                self.by_tag[tag] = self.world.series[name] = Series(name, tag, now)
            self.by_tag[tag].points.append((step.step, now, float(value)))

    def end(self, state: str) -> None:
        """Record how the run ended, as experiment tracking names it."""
        known = {"SUCCEEDED": "COMPLETE"}
        self.world.contexts[self.run]["metadata"]["_state"] = known.get(state, state)


def begin_experiment(world: World, job: str, created_s: float) -> Metrics:
    """Make the experiment, the run and the TensorBoard of a job that starts."""
    parent, key = job.split("/tuningJobs/")
    when = time.strftime("%Y%m%d%H%M%S", time.gmtime(created_s))
    # Two jobs may start in one second; contexts must not be shared.
    experiment_id = f"tuning-experiment-{when}-{key[-6:]}"
    run_id = f"tuning-run-{key}"
    board, board_run = make_board(world, parent, experiment_id, run_id)
    store = f"{parent}/{_STORE}/contexts"
    now = world.now()
    common = {"createTime": now, "updateTime": now, "schemaVersion": "0.0.1", "etag": "1"}
    experiment, run = f"{store}/{experiment_id}", f"{store}/{experiment_id}-{run_id}"
    world.contexts[experiment] = {
        **common,
        "name": experiment,
        "displayName": experiment_id,
        "schemaTitle": "system.Experiment",
        "labels": {"vertex_ai_tuning": "true"},
        "metadata": {"backing_tensorboard_resource": board, "experiment_deleted": False},
    }
    world.contexts[run] = {
        **common,
        "name": run,
        "displayName": run_id,
        "schemaTitle": "system.ExperimentRun",
        "parentContexts": [experiment],
        "metadata": {"_state": "RUNNING"},
    }
    return Metrics(world, experiment, run, board_run)


def get_store(world: World, call: Call) -> JSON:
    """Return the default metadata store, which every location has."""
    name = f"{parent_of(call)}/metadataStores/{call.path['store']}"
    if call.path["store"] != "default":
        raise wire.not_found(f"The metadata store {name}")
    return {"name": name, "createTime": wire.timestamp(0), "updateTime": wire.timestamp(0)}


def _store_of(call: Call) -> str:
    return f"{parent_of(call)}/metadataStores/{call.path['store']}"


def get_context(world: World, call: Call) -> JSON:
    """Return a context."""
    return _context(world, call)


def _context(world: World, call: Call) -> JSON:
    name = f"{_store_of(call)}/contexts/{call.path['context']}"
    if name not in world.contexts:
        raise wire.not_found(f"The context {name}")
    return world.contexts[name]


def list_contexts(world: World, call: Call) -> JSON:
    """Return one page of contexts, by schema_title, parent_contexts and the like."""
    return _list(world.contexts, "contexts", call)


def list_artifacts(world: World, call: Call) -> JSON:
    """Return one page of artifacts."""
    return _list(world.artifacts, "artifacts", call)


def list_executions(world: World, call: Call) -> JSON:
    """Return no executions: tuning makes none."""
    filters.compile_filter(call.asked("filter"), _lookup)
    return {}


def create_artifact(world: World, call: Call) -> JSON:
    """Make an artifact; 409 where its id is taken."""
    key = call.asked("artifactId") or world.new_id()
    name = f"{_store_of(call)}/artifacts/{key}"
    if name in world.artifacts:
        raise ApiError(409, f"The artifact {name} already exists.")
    now = world.now()
    state = call.body.get("state")
    if isinstance(state, int):
        call.body["state"] = {1: "PENDING", 2: "LIVE"}.get(state, "STATE_UNSPECIFIED")
    kept = (
        "displayName",
        "uri",
        "labels",
        "metadata",
        "schemaTitle",
        "schemaVersion",
        "description",
        "state",
    )
    given = {field: call.body[field] for field in kept if call.body.get(field)}
    world.artifacts[name] = {"name": name, "createTime": now, "updateTime": now, **given}
    return world.artifacts[name]


def get_artifact(world: World, call: Call) -> JSON:
    """Return an artifact."""
    name = f"{_store_of(call)}/artifacts/{call.path['artifact']}"
    if name not in world.artifacts:
        raise wire.not_found(f"The artifact {name}")
    return world.artifacts[name]


def add_artifacts(world: World, call: Call) -> JSON:
    """Put artifacts into a context."""
    context = _context(world, call)
    for artifact in call.body.get("artifacts", []):
        name = canonical(artifact)
        if name not in world.artifacts:
            raise wire.not_found(f"The artifact {name}")
        world.members.setdefault(context["name"], []).append(name)
    return {}


def query_lineage(world: World, call: Call) -> JSON:
    """Return a context's artifacts."""
    names = world.members.get(_context(world, call)["name"], [])
    return listed("artifacts", [world.artifacts[name] for name in names], "")


def _lookup(item: JSON, field: str) -> Any:
    name = wire.camel(field)
    if name in ("inContext", "parentContexts"):
        return item.get("parentContexts", [])
    if name not in ("schemaTitle", "displayName", "uri", "name", "createTime", "updateTime"):
        return filters.lookup_resource(item, field)
    return item.get(name, filters.ABSENT)


def _with_number(text: str) -> str:
    """Give quoted resource names in a filter the project's number."""
    parts = text.split('"')
    parts[1::2] = [
        canonical(part) if part.startswith("projects/") else part for part in parts[1::2]
    ]
    return '"'.join(parts)


def _list(found: dict[str, JSON], field: str, call: Call) -> JSON:
    prefix = f"{_store_of(call)}/{field}/"
    test = filters.compile_filter(_with_number(call.asked("filter")), _lookup)
    items = [
        (number, item)
        for number, item in enumerate(found.values())
        if item["name"].startswith(prefix) and test(item)
    ]
    shown, token = page(items, call.query, default=100, most=1000)
    return listed(field, shown, token)
