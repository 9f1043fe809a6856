"""What a job leaves: one model, its checkpoints, an endpoint for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import filters, wire
from .wire import JSON, listed, page
from .world import Call, World, parent_of

if TYPE_CHECKING:
    from .jobs import Job

Marks = Sequence[tuple[int, int, Path]]


def serving_location(base_model: str, location: str) -> str:
    """Return where a tuned model is served: Gemini 3.x only in the multi-regions `us` and `eu`."""
    if not base_model.startswith("gemini-3"):
        return location
    return "eu" if location.startswith("europe") else "us"


def deploy(world: World, job: Job, marks: Marks) -> JSON:
    """Make the model and endpoints of (epoch, step, folder) checkpoints; return `tunedModel`."""
    parent = f"projects/{job.project}/locations/{job.location}"
    served = serving_location(job.wanted.base_model, job.location)
    where = f"projects/{job.project}/locations/{served}"
    now = world.now()
    # The label by which google-genai lists tuned models.
    labels = {**job.wire.get("labels", {}), "tune-type": "sft"}
    title = job.wire["tunedModelDisplayName"]
    model = f"{parent}/models/{world.new_id()}"
    checkpoints, deployed, shown = [], [], []
    for number, (epoch, step, folder) in enumerate(marks, start=1):
        mark = {"checkpointId": str(number), "epoch": str(epoch), "step": str(step)}
        endpoint = f"{where}/endpoints/{world.new_id()}"
        deployed_id = world.new_id()
        world.endpoints[endpoint] = {
            "name": endpoint,
            "displayName": title,
            "labels": labels,
            "deployedModels": [
                {
                    "id": deployed_id,
                    "model": model,
                    "modelVersionId": "1",
                    "displayName": title,
                    "checkpointId": str(number),
                    "createTime": now,
                }
            ],
            "trafficSplit": {deployed_id: 100},
            "createTime": now,
            "updateTime": now,
            "etag": "AMEw9yO",
        }
        world.checkpoints[endpoint] = folder
        checkpoints.append(mark)
        deployed.append(
            {"endpoint": endpoint, "deployedModelId": deployed_id, "checkpointId": str(number)}
        )
        shown.append({**mark, "endpoint": endpoint})
    world.models_jobs[model] = job.name
    world.models[model] = {
        "name": model,
        "displayName": title,
        "description": job.wire.get("description", ""),
        "labels": labels,
        "versionId": "1",
        "versionAliases": ["default"],
        "versionCreateTime": now,
        "versionUpdateTime": now,
        "createTime": now,
        "updateTime": now,
        "checkpoints": checkpoints,
        "defaultCheckpointId": checkpoints[-1]["checkpointId"],
        "deployedModels": deployed,
        "modelSourceInfo": {"sourceType": "GENIE"},
        "etag": "AMEw9yO",
    }
    return {"model": f"{model}@1", "endpoint": shown[-1]["endpoint"], "checkpoints": shown}


def get_model(world: World, call: Call) -> JSON:
    """Return a model, with or without its version."""
    return _model(world, call)


def list_versions(world: World, call: Call) -> JSON:
    """Return the one version that a model has."""
    return {"models": [_model(world, call)]}


def list_models(world: World, call: Call) -> JSON:
    """Return one page of the location's models."""
    return _page_of(world.models, "models", call)


def list_endpoints(world: World, call: Call) -> JSON:
    """Return one page of the location's endpoints."""
    return _page_of(world.endpoints, "endpoints", call)


def patch_model(world: World, call: Call) -> JSON:
    """Change display name, description, labels or the default checkpoint."""
    model = _model(world, call)
    fields = [wire.camel(f) for f in call.asked("updateMask").split(",") if f] or list(call.body)
    for field in fields:
        if field not in ("displayName", "description", "labels", "defaultCheckpointId"):
            raise wire.bad_fields([("update_mask", f"{field} can't be changed.")])
        if field == "defaultCheckpointId" and call.body.get(field) not in [
            mark["checkpointId"] for mark in model["checkpoints"]
        ]:
            raise wire.bad_fields([("model.default_checkpoint_id", "No such checkpoint.")])
        model[field] = call.body.get(field, "")
    model["updateTime"] = world.now()
    return model


def delete_model(world: World, call: Call) -> JSON:
    """Delete a model that is deployed nowhere."""
    model = _model(world, call)
    if model.get("deployedModels"):
        raise wire.precondition(
            f"Model {model['name']} has deployed or being deployed Models; undeploy them first."
        )
    del world.models[model["name"]]
    return done(world, model["name"], "DeleteOperationMetadata", {"@type": _EMPTY})


def get_endpoint(world: World, call: Call) -> JSON:
    """Return an endpoint."""
    return find_endpoint(world, call)


def delete_endpoint(world: World, call: Call) -> JSON:
    """Delete an endpoint with nothing on it."""
    endpoint = find_endpoint(world, call)
    if endpoint.get("deployedModels"):
        raise wire.precondition(
            f"Endpoint {endpoint['name']} has deployed models; undeploy them first."
        )
    del world.endpoints[endpoint["name"]]
    world.checkpoints.pop(endpoint["name"], None)
    return done(world, endpoint["name"], "DeleteOperationMetadata", {"@type": _EMPTY})


def undeploy(world: World, call: Call) -> JSON:
    """Take a model off an endpoint."""
    endpoint = find_endpoint(world, call)
    wanted = str(call.body.get("deployedModelId", ""))
    going = [d for d in endpoint.get("deployedModels", []) if d["id"] == wanted]
    if not going:
        raise wire.not_found(f"DeployedModel {wanted!r} of {endpoint['name']}")
    endpoint["deployedModels"] = [d for d in endpoint["deployedModels"] if d["id"] != wanted]
    endpoint["trafficSplit"] = {}
    model = world.models.get(going[0]["model"])
    if model:
        model["deployedModels"] = [
            d for d in model["deployedModels"] if d["deployedModelId"] != wanted
        ]
    answer = {"@type": _TYPES + "UndeployModelResponse"}
    return done(world, endpoint["name"], "UndeployModelOperationMetadata", answer)


def get_operation(world: World, call: Call) -> JSON:
    """Return an operation of a model or endpoint."""
    kind, key = call.path["kind"], call.path["key"]
    name = f"{parent_of(call)}/{kind}/{key}/operations/{call.path['operation']}"
    if name not in world.operations:
        raise wire.not_found(f"The operation {name}")
    return world.operations[name]


_TYPES = "type.googleapis.com/google.cloud.aiplatform.v1."
_EMPTY = "type.googleapis.com/google.protobuf.Empty"


def done(world: World, resource: str, metadata: str, response: JSON) -> JSON:
    """Return an operation that has ended already."""
    now = world.now()
    operation: JSON = {
        "name": f"{resource}/operations/{world.new_id()}",
        "metadata": {
            "@type": _TYPES + metadata,
            "genericMetadata": {"createTime": now, "updateTime": now},
        },
        "done": True,
        "response": response,
    }
    world.operations[operation["name"]] = operation
    return operation


def find_endpoint(world: World, call: Call) -> JSON:
    """Return the endpoint of a request's path. ApiError 404."""
    name = f"{parent_of(call)}/endpoints/{call.path['endpoint']}"
    if name not in world.endpoints:
        raise wire.not_found(f"Endpoint `{name}`")
    return world.endpoints[name]


def _model(world: World, call: Call) -> JSON:
    key, _, version = call.path["model"].partition("@")
    name = f"{parent_of(call)}/models/{key}"
    if name not in world.models or version not in ("", "1", "default"):
        raise wire.not_found(f"The model {name}")
    return world.models[name]


def _page_of(found: dict[str, JSON], field: str, call: Call) -> JSON:
    parent = f"{parent_of(call)}/{field}/"
    test = filters.compile_filter(call.asked("filter"), filters.lookup_resource)
    # A dict keeps the order of creation.
    items = [
        (number, item)
        for number, item in enumerate(found.values())
        if item["name"].startswith(parent) and test(item)
    ]
    shown, token = page(items, call.query, default=100, most=1000)
    return listed(field, shown, token)
