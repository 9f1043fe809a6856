"""The emulator's own paths, under `/_emulator/`: state, faults, reset, log."""

from __future__ import annotations

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


def reset(world: World, call: Call) -> JSON:
    """Forget everything."""
    world.reset()
    return {}


def log(world: World, call: Call) -> JSON:
    """Return the requests served, the oldest first, without their bodies."""
    return {"requests": list(world.log)}
