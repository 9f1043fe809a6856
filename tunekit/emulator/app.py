"""Routes, and how a request becomes a handler's call and its result an answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from . import (
    admin,
    counting,
    deployments,
    generation,
    metadata,
    publishers,
    storage_api,
    tensorboard,
    wire,
)
from . import tuned_models as tuned
from . import tuning_jobs as jobs
from .faults import ADMIN, FaultLayer
from .permissions import permission_of
from .storage import StorageError
from .wire import ApiError
from .world import Call, World, project_number

Handler = Callable[[World, Call], Any]
Endpoint = Callable[[Request], Awaitable[Response]]

_PLACE = "/projects/{project}/locations/{location}"
_STORE = _PLACE + "/metadataStores/{store}"
_BOARD = _PLACE + "/tensorboards/{board}"
_RUN = _BOARD + "/experiments/{experiment}/runs/{run}"
_SERIES = _RUN + "/timeSeries/{series}"

# The longer paths of a kind first: a parameter would swallow `ID:verb`.
VERTEX: list[tuple[str, str, Handler]] = [
    ("POST", f"{_PLACE}/tuningJobs/{{job}}:cancel", jobs.cancel),
    ("POST", f"{_PLACE}/tuningJobs", jobs.create),
    ("GET", f"{_PLACE}/tuningJobs", jobs.list_),
    ("GET", f"{_PLACE}/tuningJobs/{{job}}", jobs.get),
    ("GET", "/publishers/google/models/{base}", publishers.get),
    (
        "POST",
        f"{_PLACE}/publishers/google/models/{{base}}:countTokens",
        counting.of_publisher,
    ),
    ("POST", f"{_PLACE}/endpoints/{{endpoint}}:countTokens", counting.of_endpoint),
    ("GET", f"{_PLACE}/models/{{model}}:listVersions", deployments.list_versions),
    ("GET", f"{_PLACE}/models", deployments.list_models),
    ("GET", f"{_PLACE}/models/{{model}}", deployments.get_model),
    ("PATCH", f"{_PLACE}/models/{{model}}", deployments.patch_model),
    ("DELETE", f"{_PLACE}/models/{{model}}", deployments.delete_model),
    ("POST", f"{_PLACE}/endpoints/{{endpoint}}:undeployModel", deployments.undeploy),
    ("GET", f"{_PLACE}/endpoints", deployments.list_endpoints),
    ("GET", f"{_PLACE}/endpoints/{{endpoint}}", deployments.get_endpoint),
    ("DELETE", f"{_PLACE}/endpoints/{{endpoint}}", deployments.delete_endpoint),
    ("GET", f"{_PLACE}/{{kind}}/{{key}}/operations/{{operation}}", deployments.get_operation),
    ("GET", _STORE, metadata.get_store),
    ("GET", f"{_STORE}/contexts/{{context}}:queryContextLineageSubgraph", metadata.query_lineage),
    (
        "POST",
        f"{_STORE}/contexts/{{context}}:addContextArtifactsAndExecutions",
        metadata.add_artifacts,
    ),
    ("GET", f"{_STORE}/contexts", metadata.list_contexts),
    ("GET", f"{_STORE}/contexts/{{context}}", metadata.get_context),
    ("GET", f"{_STORE}/executions", metadata.list_executions),
    ("GET", f"{_STORE}/artifacts", metadata.list_artifacts),
    ("POST", f"{_STORE}/artifacts", metadata.create_artifact),
    ("GET", f"{_STORE}/artifacts/{{artifact}}", metadata.get_artifact),
    ("GET", f"{_BOARD}:batchRead", tensorboard.batch_read),
    ("GET", f"{_PLACE}/tensorboards", tensorboard.list_boards),
    ("GET", _BOARD, tensorboard.get),
    ("GET", f"{_BOARD}/experiments", tensorboard.list_experiments),
    ("GET", f"{_BOARD}/experiments/{{experiment}}", tensorboard.get),
    ("GET", f"{_BOARD}/experiments/{{experiment}}/runs", tensorboard.list_runs),
    ("GET", _RUN, tensorboard.get),
    ("GET", f"{_SERIES}:read", tensorboard.read_series),
    ("POST", f"{_SERIES}:exportTensorboardTimeSeries", tensorboard.export_series),
    ("GET", f"{_RUN}/timeSeries", tensorboard.list_series),
    ("GET", _SERIES, tensorboard.get_series),
]
# These compute: they take the lock by themselves, and not for long.
GENERATING: list[tuple[str, Handler]] = [
    (f"{_PLACE}/endpoints/{{endpoint}}:{{verb}}", generation.from_endpoint),
    (f"{_PLACE}/publishers/google/models/{{base}}:{{verb}}", generation.from_publisher),
]
GEMINI_GENERATING: list[tuple[str, Handler]] = [
    ("/tunedModels/{tuned}:{verb}", generation.from_tuned_model),
    ("/models/{base}:{verb}", generation.from_base_model),
]
GEMINI_API: list[tuple[str, str, Handler]] = [
    ("POST", "/tunedModels", tuned.create),
    ("GET", "/tunedModels", tuned.list_),
    ("GET", "/tunedModels/{tuned}/operations", tuned.list_operations),
    ("GET", "/tunedModels/{tuned}/operations/{operation}", tuned.get_operation),
    ("GET", "/tunedModels/{tuned}", tuned.get),
    ("PATCH", "/tunedModels/{tuned}", tuned.patch),
    ("DELETE", "/tunedModels/{tuned}", tuned.delete),
    ("POST", "/models/{base}:countTokens", counting.of_base_model),
    ("GET", "/models", tuned.list_bases),
    ("GET", "/models/{base}", tuned.get_base),
]
STORAGE: list[tuple[str, str, Handler]] = [
    ("POST", "/storage/v1/b", storage_api.create_bucket),
    ("GET", "/storage/v1/b", storage_api.list_buckets),
    ("GET", "/storage/v1/b/{bucket}", storage_api.get_bucket),
    ("DELETE", "/storage/v1/b/{bucket}", storage_api.delete_bucket),
    ("GET", "/storage/v1/b/{bucket}/iam/testPermissions", storage_api.test_permissions),
    ("POST", "/upload/storage/v1/b/{bucket}/o", storage_api.upload),
    ("PUT", "/upload/storage/v1/b/{bucket}/o", storage_api.resume),
    ("GET", "/storage/v1/b/{bucket}/o", storage_api.list_objects),
    ("GET", "/storage/v1/b/{bucket}/o/{object:path}", storage_api.get_object),
    ("GET", "/download/storage/v1/b/{bucket}/o/{object:path}", storage_api.get_object),
    ("DELETE", "/storage/v1/b/{bucket}/o/{object:path}", storage_api.delete_object),
]
ADMIN_PATHS: list[tuple[str, str, Handler]] = [
    ("GET", f"{ADMIN}state", admin.state),
    ("GET", f"{ADMIN}faults", admin.faults),
    ("PUT", f"{ADMIN}faults", admin.set_faults),
    ("PUT", f"{ADMIN}jobs/{{job}}", admin.set_job),
    ("PUT", f"{ADMIN}tunedModels/{{tuned}}", admin.set_tuned_model),
    ("POST", f"{ADMIN}reset", admin.reset),
    ("GET", f"{ADMIN}log", admin.log),
]


def make_app(world: World) -> FaultLayer:
    """Return the whole emulator as one ASGI app."""
    routes = []

    def add(method: str, path: str, handler: Handler, version: str, *, locked: bool = True) -> None:
        call = _served(world, handler, version=version, is_locked=locked)
        routes.append(Route(path, call, methods=[method]))

    for version in ("v1", "v1beta1"):
        for path, handler in GENERATING:
            for verb in ("generateContent", "streamGenerateContent"):
                full = f"/{version}" + path.replace("{verb}", verb)
                add("POST", full, _with_verb(handler, verb), version, locked=False)
        for method, path, handler in VERTEX:
            add(method, f"/{version}{path}", handler, version)
    add("GET", "/v1beta1/publishers/google/models", publishers.list_, "v1beta1")
    for path, handler in GEMINI_GENERATING:
        for verb in ("generateContent", "streamGenerateContent"):
            full = "/v1beta" + path.replace("{verb}", verb)
            add("POST", full, _with_verb(handler, verb), "v1beta", locked=False)
    for method, path, handler in GEMINI_API:
        add(method, f"/v1beta{path}", handler, "v1beta")
    for method, path, handler in STORAGE:
        add(method, path, handler, "storage")
    for method, path, handler in ADMIN_PATHS:
        # A reset waits for jobs to stop, and those need the lock for it.
        add(method, path, handler, "admin", locked=handler is not admin.reset)
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    layer = FaultLayer(app, lambda: world.faults, seed=world.settings.seed)
    world.on_reset = layer.restart
    return layer


def _with_verb(handler: Handler, verb: str) -> Handler:
    def handle(world: World, call: Call) -> Any:
        call.path = {**call.path, "verb": verb}
        return handler(world, call)

    return handle


def _served(world: World, handler: Handler, *, version: str, is_locked: bool) -> Endpoint:
    async def serve(request: Request) -> Response:
        began = time.time()
        try:
            raw = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        response = await run_in_threadpool(_respond, request, raw)
        if version != "admin":
            world.log.append(
                {
                    "time": wire.timestamp(began),
                    "method": request.method,
                    "path": request.url.path,
                    "query": _without_secrets(request.url.query),
                    "status": response.status_code,
                    "duration_s": round(time.time() - began, 6),
                    "client": request.headers.get("x-goog-api-client", ""),
                }
            )
        return response

    def _respond(request: Request, raw: bytes) -> Response:
        try:
            call = _read(request, raw, version)
            _authorize(world, call, request)
            if not is_locked:
                return _packed(handler(world, call), call)
            with world.lock:
                return _packed(handler(world, call), call)
        except ApiError as error:
            return _json(error.body(), error.code, error.headers)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if not raw:
                raise
            # Handlers read bodies as documented; a field of another type surfaces as one of these.
            text = f"Invalid JSON payload received: a field is of the wrong type ({error!r:.200})."
            return _json(ApiError(400, text).body(), 400, {})

    return serve


def _read(request: Request, raw: bytes, version: str) -> Call:
    body: Any = {}
    if (raw and version != "storage") or (request.url.path == "/storage/v1/b" and raw):
        try:
            body = json.loads(raw)
        except ValueError:
            raise ApiError(400, "Invalid JSON payload received.") from None
        if not isinstance(body, dict):
            raise ApiError(400, "Invalid JSON payload received: expected an object.")
        body = wire.normalized(body) if version != "admin" else body
    query = request.query_params
    return Call(
        version=version,
        path=dict(request.path_params),
        query=dict(query),
        body=body,
        raw=raw,
        headers={key.lower(): value for key, value in request.headers.items()},
        url=f"{request.url.scheme}://{request.url.netloc}",
        lists={key: query.getlist(key) for key in query},
    )


def _authorize(world: World, call: Call, request: Request) -> None:
    if call.version == "admin":
        return
    has_credential = "authorization" in call.headers or "x-goog-api-key" in call.headers
    if world.faults.require_auth and not (has_credential or call.query.get("key")):
        raise ApiError(
            401,
            "Request is missing required authentication credential. Expected OAuth 2 access "
            "token, login cookie or other valid authentication credential.",
        )
    project = call.path.get("project") or call.asked("project")
    denied = {project_number(name) for name in world.faults.denied_projects}
    permission = permission_of(request.method, request.url.path)
    is_denied = permission in world.faults.denied_permissions
    if not is_denied and not (project and project_number(project) in denied):
        return
    if call.version == "storage":
        text = f"The caller does not have {permission} access to the Google Cloud Storage resource."
        raise StorageError(403, text, "forbidden")
    where = "/".join(
        f"{key}s/{call.path[key]}" for key in ("project", "location") if key in call.path
    )
    raise wire.forbidden(permission, f"//aiplatform.googleapis.com/{where}")


def _packed(answer: Any, call: Call) -> Response:
    if isinstance(answer, Response):
        return answer
    if "enum-encoding=int" in call.query.get("$alt", ""):
        answer = wire.with_enum_numbers(answer)
    return _json(answer, 200, {})


def _json(answer: Any, status: int, headers: dict[str, str]) -> Response:
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers, media_type="application/json; charset=UTF-8")


def _without_secrets(query: str) -> str:
    return re.sub(r"(^|&)(key|access_token)=[^&]*", r"\1\2=...", query)


async def _no_route(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    # The services answer 404 also where only the method is unknown (seen for DELETE of a job).
    code = 404 if code == 405 else code
    text = f"The emulator serves no {request.method} {request.url.path}."
    return _json(ApiError(code, text).body(), code, {})
