"""`tunekit doctor`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator

import click

from tunekit import __version__
from tunekit.cli import desired, options
from tunekit.cli.context import App, git_state
from tunekit.cli.reaching import provider_names
from tunekit.errors import TunekitError
from tunekit.model import Diagnosis, Experiment
from tunekit.views.remote import diagnoses_json, print_diagnoses
from tunekit.views.text import plural


@click.command(epilog=options.example("tunekit doctor --provider vertex"))
@options.providers
@options.with_app(("table", "json", "yaml"))
def command(app: App, chosen: tuple[str, ...]) -> None:
    """Look at what jobs need, and say what is missing and how to get it.

    The project, the registry, and for each provider its packages, credentials, project, bucket,
    region and base models. Submits nothing and writes nothing. Exit code 1 where a check fails.
    """
    groups: dict[str, list[Diagnosis]] = {}
    experiments: list[Experiment] = []
    groups["this machine"] = list(_machine(app))
    groups["project"] = list(_project(app, experiments))
    for name in provider_names(app, chosen, experiments):
        groups[f"provider {name}"] = list(_provider(app, name, experiments))
    if app.format == "table":
        for about, found in groups.items():
            print_diagnoses(app.output, about, found)
    else:
        app.output.data("doctor", diagnoses_json(groups))
    if any(diagnosis.is_ok is False for found in groups.values() for diagnosis in found):
        raise click.exceptions.Exit(TunekitError.exit_code)


def _machine(app: App) -> Iterator[Diagnosis]:
    yield Diagnosis("tunekit", True, f"{__version__} on Python {platform.python_version()}")
    if shutil.which("git") is None:
        remedy = "install git, so that jobs are recorded with their commit"
        yield Diagnosis("git", None, "is not installed", remedy)
        return
    commit, is_dirty = git_state(app.project.root)
    if commit is None:
        remedy = "`git init` and commit the specs, so that jobs are recorded with their commit"
        yield Diagnosis("git", None, "the project is in no repository with a commit", remedy)
    else:
        fact = f"commit {commit[:8]}" + (", with uncommitted changes" if is_dirty else "")
        yield Diagnosis("git", True, fact)


def _project(app: App, experiments: list[Experiment]) -> Iterator[Diagnosis]:
    project = app.project
    fact = str(project.where) if project.where else f"none; {project.root} is the project"
    yield Diagnosis("tunekit.yaml", True, fact)
    path = app.registry_path or project.registry
    try:
        if app.has_registry:
            registry = app.registry
            note = "read-only" if registry.is_readonly else plural(len(registry.jobs()), "job")
            yield Diagnosis("registry", True, f"{path}: {note}")
        else:
            yield Diagnosis("registry", True, f"{path}: not there yet; the first apply makes it")
    except TunekitError as error:
        yield Diagnosis("registry", False, str(error))
    if not (project.root / desired.DEFAULT_FILES[0]).exists():
        remedy = f"write one in {desired.DEFAULT_FILES[0]}, or begin with `tunekit init`"
        yield Diagnosis("experiments", None, "none yet", remedy)
        return
    try:
        found, problems = desired.read(app, ())
    except TunekitError as error:
        yield Diagnosis("experiments", False, str(error), "see `tunekit validate`")
        return
    experiments += found
    errors, _ = desired.split_problems(problems)
    if errors:
        fact = f"{len(errors)} problems, the first: {errors[0]}"
        yield Diagnosis("experiments", False, fact, "see `tunekit validate`")
    else:
        yield Diagnosis("experiments", True, f"{len(found)} valid")


def _provider(app: App, name: str, experiments: list[Experiment]) -> Iterator[Diagnosis]:
    mine = [experiment for experiment in experiments if experiment.provider == name]
    models = sorted({e.base_model for e in mine if e.parent is None})
    try:
        yield from app.provider_of(name).diagnose(models)
    except TunekitError as error:
        yield Diagnosis("provider", False, str(error))
    except Exception as error:  # a third party's provider must not take the others down
        yield Diagnosis("provider", False, f"raised {type(error).__name__}", "tell its author")
