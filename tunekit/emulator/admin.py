"""The emulator's own paths, under `/_emulator/`: state, faults, jobs, reset, log."""

from __future__ import annotations

from . import tuned_models, wire
from .wire import JSON
from .world import Call, World


def state(world: World, call: Call) -> JSON:
    """Return what there is: names and states, no rows."""
    storage = world.storage
    return {
        "time_scale": world.settings.time_scale,
        "faults": world.faults.wire(),
        "tuning_jobs": {job.name: job.wire["state"] for job in world.jobs.values()},
        "tuned_models": {m.name: m.wire["state"] for m in world.tuned_models.values()},
        "models": list(world.models),
        "endpoints": list(world.endpoints),
        "buckets": list(storage.buckets),
        "objects": {
            f"gs://{bucket}/{name}": len(blob.data)
            for (bucket, name), blob in storage.blobs.items()
        },
        "requests": len(world.log),
    }


def faults(world: World, call: Call) -> JSON:
    """Return the fault switches."""
    return world.faults.wire()


def set_faults(world: World, call: Call) -> JSON:
    """Set some of the fault switches; the others stay."""
    world.faults = world.faults.changed(call.body)
    return world.faults.wire()


def set_job(world: World, call: Call) -> JSON:
    """Show these fields of a Vertex job from now on; a `state` among them ends its own life.

    For what else no one can make happen: JOB_STATE_EXPIRED, a FAILED job with a model but without
    an endpoint, a state that does not exist yet. A field that is null is taken away.
    """
    key = call.path["job"]
    for job in world.jobs.values():
        if job.id == key:
            job.hold(_fields(call))
            return job.shown("v1beta1")
    raise wire.not_found(f"The tuning job {key}")


def set_tuned_model(world: World, call: Call) -> JSON:
    """The same of a Gemini API tuned model; `error` goes to its operation."""
    model = tuned_models.find(world, call.path["tuned"])
    model.hold(_fields(call))
    return model.shown()


def _fields(call: Call) -> JSON:
    if "name" in call.body:
        raise wire.bad_fields([("name", "A name can't be changed.")])
    if not isinstance(call.body.get("state", ""), str):
        raise wire.bad_fields([("state", "Expected the name of a state.")])
    return dict(call.body)


def reset(world: World, call: Call) -> JSON:
    """Forget everything."""
    world.reset()
    return {}


def log(world: World, call: Call) -> JSON:
    """Return the requests served, the oldest first, without their bodies."""
    return {"requests": list(world.log)}
