"""`tunekit why`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.errors import UsageError
from tunekit.model import Job
from tunekit.views.why import print_origins

# A model may be tuned from one that was tuned from one; a registry that was tampered with may
# say so in a circle.
_MOST_PARENTS = 20
_ADDRESS = re.compile(r"https?://[^/]+/(?:v\d+\w*/)?")
_VERB = re.compile(r":[a-zA-Z]+$")


@click.command(epilog=options.example("tunekit why projects/p/locations/us-central1/endpoints/42"))
@click.argument("model", metavar="ENDPOINT|MODEL|NAME")
@options.with_app(("table", "json", "yaml"))
def command(app: App, model: str) -> None:
    """Trace an endpoint or a model back to its experiment, commit, rows and scores.

    Takes what a service calls it: an endpoint, a model, a checkpoint's model, a tuning job, its
    last part (endpoints/42), or a whole URL; or NAME[@JOB]. Then the model that it was tuned from,
    where tunekit tuned that too. Asks no provider.
    """
    rows = _made(app, model)
    origins: list[dict[str, Any]] = []
    for row in rows:
        origins += _lineage(app, row, model)
    if app.format == "table":
        print_origins(app.output, origins)
    else:
        app.output.data("why", {"asked": model, "origins": origins})


def _made(app: App, model: str) -> list[dict[str, Any]]:
    """Return the jobs that a person may mean. UsageError where there is none."""
    if app.has_registry:
        plain = _VERB.sub("", _ADDRESS.sub("", model.strip())).strip("/")
        # A service may say the project's number where the registry has its name.
        end = "/".join(plain.split("/")[-2:]) if plain.startswith("projects/") else plain
        for asked in dict.fromkeys((model.strip(), plain, end)):
            if asked and (found := app.registry.made(asked)):
                return found
        name = model.partition("@")[0]
        if name in app.registry.names():
            _, job = app.job(model)
            return [_row(app, job)]
    raise UsageError(
        f"no recorded job made {model!r}; `tunekit history -o csv` lists what they made, "
        "`tunekit discover` what was tuned elsewhere"
    )


def _row(app: App, job: Job) -> dict[str, Any]:
    history = app.registry.job_history([job.experiment])
    return next(row for row in history if row["id"] == job.id)


def _lineage(app: App, row: Mapping[str, Any], asked: str) -> list[dict[str, Any]]:
    """Return a job's origin, then that of the model it was tuned from, and so on."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    job = app.registry.job(row["id"])
    model: str = asked
    while job.id not in seen and len(found) < _MOST_PARENTS:
        seen.add(job.id)
        origin = _origin(app, job, row, asked=model, depth=len(found))
        found.append(origin)
        model = origin["base_model"]
        parents = [parent for parent in app.registry.made(model) if parent["id"] not in seen]
        if not parents:
            break
        row = parents[0]
        job = app.registry.job(row["id"])
    return found


def _origin(
    app: App, job: Job, row: Mapping[str, Any], *, asked: str, depth: int
) -> dict[str, Any]:
    revision = app.registry.revision(job)
    identity, document = revision["identity"], revision["document"]
    record = app.registry.experiments_of([job.experiment])[job.experiment]
    source = document.get("dataset", {}).get("source", {})
    return {
        "depth": depth,
        "job": job.title,
        "experiment": job.experiment,
        "path": record["path"],
        "description": record["description"],
        "tags": record["tags"],
        "state": job.state.value,
        "name": job.name,
        "model": job.model,
        "endpoint": job.endpoint,
        "checkpoint": next((c.id for c in job.checkpoints if _is_meant(c.model, asked, job)), None),
        "revision": job.revision,
        "attempt": job.attempt,
        "provider": job.provider,
        "base_model": identity["base_model"],
        "hyperparameters": identity["hyperparameters"],
        "source": next(iter(source.values()), None) if source else None,
        "fingerprint": revision["dataset"]["fingerprint"],
        "splits": revision["dataset"]["splits"],
        "submitted_s": job.submitted_s,
        "evaluations": app.registry.evaluations(job.id),
        **{key: row[key] for key in ("who", "command", "commit", "why")},
        **{key: row[key] for key in ("cost_usd", "is_cost_counted")},
        "is_dirty": None if row["is_dirty"] is None else bool(row["is_dirty"]),
    }


def _is_meant(checkpoint: str, asked: str, job: Job) -> bool:
    """True where a checkpoint of its own was asked about, not the job's model."""
    is_own = checkpoint not in (job.model, job.endpoint)
    end = "/".join(_VERB.sub("", asked).split("/")[-2:])
    return is_own and (checkpoint == asked or checkpoint.endswith(f"/{end}"))
