"""`tunekit import`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from tunekit import spec
from tunekit.cli import desired, options
from tunekit.cli.context import App
from tunekit.cli.reaching import provider_names
from tunekit.errors import NotFound, ProviderError, TunekitError, UsageError
from tunekit.model import (
    Experiment,
    Job,
    JobDescription,
    Observation,
    RecordedTrial,
    Trial,
    TunedBase,
)
from tunekit.plan import measured_parents, next_attempt, with_bases
from tunekit.retry import patiently
from tunekit.views.text import number

_HEAD = "# yaml-language-server: $schema={schema}\n# Written by `tunekit import`, from {name}\n"
_NOT_A_NAME = re.compile(r"[^a-z0-9-]+")
_LONGEST_NAME = 63


@click.command("import", epilog=options.example("tunekit import JOB --write experiments/old.yaml"))
@click.argument("remote", metavar="REMOTE")
@options.providers
@click.option("--name", help="The experiment's name; default: what the job is called.")
@click.option(
    "--write",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the spec to this new file, and adopt the job.",
)
@options.with_app(("table", "json", "yaml"))
def command(
    app: App, remote: str, chosen: tuple[str, ...], name: str | None, path: Path | None
) -> None:
    """Adopt a job that was started elsewhere.

    REMOTE is its name as `discover` shows it. With --write FILE the job's spec is written, such
    that plan finds nothing to do. With --name of an experiment that the files have, the job becomes
    that one's, if it was asked for the same.
    With neither, the spec is printed and nothing is recorded.
    """
    provider, seen, asked = _look(app, remote, chosen)
    existing = desired.of_name(app, (), name) if name else None
    if existing is not None:
        if path is not None:
            raise UsageError(f"{name} is in {existing.where.path} already; leave --write out")
        _refuse_other(existing, provider, asked)
        job = _adopt(app, _based(app, desired.trials(app, [existing])[0], asked), seen)
        _report(app, job, seen)
        return
    document = _document(app, provider, seen, asked, name=name)
    is_taken = desired.of_name(app, (), document["name"]) is not None
    if path is not None and is_taken and not _is_recorded(app, seen):
        raise UsageError(f"{document['name']} is in the files already; give --name, a new one")
    text = _text(document, seen, folder=_folder_of(app, path))
    if path is None:
        if app.format == "table":
            app.output.stream.write(text)
        else:
            app.output.data("import", {"remote": seen.name, "spec": document})
        app.say(
            f"The registry has it already, as {known}."
            if (known := _recorded_as(app, provider, seen))
            else f"Nothing was recorded; --write experiments/{document['name']}.yaml adopts it."
        )
        return
    _write(path, text)
    try:
        loaded = desired.experiments(app, [str(path)], {})
        job = _adopt(app, desired.trials(app, loaded)[0], seen)
    except BaseException:
        path.unlink()
        raise
    # From here on the file says what the registry has, whatever becomes of the metrics.
    _report(app, job, seen)
    app.say(f"wrote {path}; commit it, and see `tunekit plan`")


def _recorded_as(app: App, provider: str, seen: Observation) -> str | None:
    """Return what the registry calls a job, None where it does not know it."""
    for job in app.registry.jobs() if app.has_registry else []:
        if seen.token == job.token or (job.provider, job.name) == (provider, seen.name):
            return job.title
    return None


def _look(
    app: App, remote: str, chosen: tuple[str, ...]
) -> tuple[str, Observation, JobDescription]:
    """Return the job and what it was asked to do, from the first provider that has it."""
    refusals = []
    for name in provider_names(app, chosen):
        try:
            provider = app.provider_of(name)
            seen = patiently(partial(provider.get, remote), app.clock, say=app.say)
            asked = patiently(partial(provider.describe, remote), app.clock, say=app.say)
        except NotFound as error:
            refusals.append(f"{name}: {error}")
        except ProviderError as error:
            if chosen:
                raise
            refusals.append(f"{name}: {error}")
        else:
            return name, seen, asked
    raise NotFound("\n".join([*refusals, "`tunekit discover` lists what there is"]))


def _refuse_other(experiment: Experiment, provider: str, asked: JobDescription) -> None:
    """Raise UsageError where a job was asked for something else than a spec asks for."""
    wanted: dict[str, Any] = {
        "provider": experiment.provider,
        "base_model": experiment.base_model,
        "tuning.method": experiment.tuning.method,
        **{f"tuning.{k}": v for k, v in experiment.tuning.hyperparameters().items()},
    }
    had: dict[str, Any] = {
        "provider": provider,
        "base_model": asked.base_model,
        "tuning.method": asked.method,
        **{f"tuning.{k}": v for k, v in asked.hyperparameters.items()},
    }
    if experiment.dataset.source.gcs and asked.source:
        wanted["dataset.source.gcs"] = experiment.dataset.source.gcs
        had["dataset.source.gcs"] = asked.source.get("gcs")
    differences = [
        f"{key} is {_shown(value)} in the spec and {_shown(had.get(key))} in the job"
        for key, value in wanted.items()
        if had.get(key) != value and not (key == "base_model" and experiment.parent)
    ]
    if differences:
        raise UsageError(
            f"{experiment.where}: {experiment.name} is not what the job was asked for: "
            f"{'; '.join(differences)}"
        )


def _shown(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _document(
    app: App, provider: str, seen: Observation, asked: JobDescription, *, name: str | None
) -> dict[str, Any]:
    """Return the spec that asks for what the job was asked for."""
    if asked.source is None:
        raise UsageError(
            f"{provider} gives no training data back, so no spec can be made; write one with its "
            f"data set and {_settings(asked)}, then `tunekit import {seen.name} --name NAME`"
        )
    base: Any = asked.base_model
    if asked.base_checkpoint:
        base = {"model": asked.base_model, "checkpoint": asked.base_checkpoint}
    tuning: dict[str, Any] = dict(asked.hyperparameters)
    if asked.method != "supervised":
        tuning = {"method": asked.method, **tuning}
    if asked.export_last_checkpoint_only:
        tuning["export_last_checkpoint_only"] = True
    called = name or _name_of(asked.display_name or seen.display_name, seen.name)
    document: dict[str, Any] = {"name": called}
    if asked.display_name not in ("", called):
        document["display_name"] = asked.display_name
    if asked.description:
        document["description"] = asked.description
    if asked.tags:
        document["tags"] = dict(asked.tags)
    document |= {"provider": provider, "base_model": base}
    source = dict(asked.source)
    if "path" in source:
        source["path"] = _below(app, source["path"])
    document["dataset"] = {"source": source}
    if asked.columns:
        document["dataset"]["columns"] = dict(asked.columns)
    if tuning:
        document["tuning"] = tuning
    return document


def _settings(asked: JobDescription) -> str:
    given = {"base_model": asked.base_model, **asked.hyperparameters}
    return ", ".join(f"{key} {_shown(value)}" for key, value in given.items())


def _below(app: App, path: str) -> str:
    root = app.project.root.resolve()
    try:
        return str(Path(path).resolve().relative_to(root))
    except ValueError:
        fact = f"{path}: the job's rows are not below the project's root {root}"
        raise UsageError(f"{fact}; import it in a project that they are below") from None


def _name_of(display_name: str, remote: str) -> str:
    """Return a legal experiment name like the display name, else like the job's own."""
    for text in (display_name, f"imported-{remote.rpartition('/')[2]}"):
        made = _NOT_A_NAME.sub("-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-")
        if made and made[0].isalpha():
            return made
    return "imported"


def _folder_of(app: App, path: Path | None) -> Path:
    return path.absolute().parent if path else app.project.root / "experiments"


def _text(document: Mapping[str, Any], seen: Observation, *, folder: Path) -> str:
    schema = os.path.relpath("schemas/experiment.schema.json", folder)
    name = re.sub(r"[^\x21-\x7e]", "?", seen.name)
    return _HEAD.format(schema=schema, name=name) + spec.to_yaml(document)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already; name a new file") from None
    except OSError as error:
        raise TunekitError(f"{path}: {error.strerror}; choose another --write") from error


def _based(app: App, trial: Trial, asked: JobDescription) -> Trial:
    """Return a trial that continues from another with what the job continued from.

    UsageError where that is not what it would continue from now: its next plan would tune it anew.
    """
    parent = trial.experiment.parent
    if parent is None:
        return trial
    base = TunedBase(asked.base_model, asked.base_checkpoint)
    recorded = app.registry.trials()
    points = {job.id: app.registry.points(job.id) for job in measured_parents([trial], recorded)}
    now = with_bases([trial], recorded, points)
    if now.trials[0].base != base:
        why = now.waits.get(trial.name) or "its parent's is another by now"
        raise UsageError(
            f"{trial.experiment.where}: the job continued from {_shown_base(base)}, but {why}; "
            f"adopt {parent.experiment}'s job first"
        )
    return now.trials[0]


def _shown_base(base: TunedBase) -> str:
    return f"{base.model}, checkpoint {base.checkpoint}" if base.checkpoint else base.model


def _is_recorded(app: App, seen: Observation) -> bool:
    jobs = app.registry.jobs() if app.has_registry else []
    return any(job.is_seen_as(seen) for job in jobs)


def _adopt(app: App, trial: Trial, seen: Observation) -> Job:
    recorded: RecordedTrial | None = next(
        (t for t in app.registry.trials() if t.name == trial.name), None
    )
    with app.lock():
        return app.registry.adopt_job(
            trial,
            seen,
            attempt=next_attempt(recorded, trial.digest),
            at_s=app.clock.now_s(),
            actor=app.actor(),
        )


def _report(app: App, job: Job, seen: Observation) -> None:
    """Fetch the job's points, and say what was adopted."""
    for warning in app.observer(app.actor()).refresh([job], with_metrics=True):
        app.say(f"warning: {warning}")
    app.say(f"{job.title} stands for {seen.name}")
    if app.format != "table":
        app.output.data("import", {"remote": seen.name, "job": job.title})
