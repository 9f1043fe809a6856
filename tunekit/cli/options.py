"""Flags that several commands share, and the App they make."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tunekit.cli.context import App
from tunekit.cli.labels import labels
from tunekit.cli.tables import Narrowing, Since, SinceType, SortKey, SortType
from tunekit.model import JobState
from tunekit.views.output import FORMATS

Command = TypeVar("Command", bound=Callable[..., Any])


def example(text: str) -> str:
    """Return an epilog that shows how the command is called."""
    return f"Example: {text}"


def with_app(formats: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `app` and the flags that make it; `formats` are what -o takes."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option(
            "--project",
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            help="The project's folder; default: where tunekit.yaml is, upward from here.",
        )
        @click.option(
            "--registry",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The registry's file; default: what tunekit.yaml says.",
        )
        @wraps(function)
        def wrapped(
            *arguments: Any,
            project: Path | None,
            registry: Path | None,
            output: str = "table",
            **options: Any,
        ) -> Any:
            app = App(
                project_dir=project,
                registry_path=registry,
                format=output,
                arguments=tuple(sys.argv[1:]),
            )
            try:
                return function(app, *arguments, **options)
            finally:
                app.close()

        if formats:
            return output_option(formats)(wrapped)
        return wrapped

    return decorate


def output_option(formats: tuple[str, ...]) -> Callable[[Command], Command]:
    """Add -o."""
    unknown = set(formats) - set(FORMATS)
    assert not unknown, unknown  # noqa: S101
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default="table",
        show_default=True,
        help="How to print data.",
    )


def files(function: Command) -> Command:
    """Add -f."""
    return click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="PATH",
        help="An experiment file, a folder, or - for standard input; repeatable. "
        "Default: experiments/",
    )(function)


def selector(function: Command) -> Command:
    """Add -l."""
    return click.option(
        "-l",
        "--label",
        "wanted",
        multiple=True,
        metavar="KEY=VALUE",
        help="Only experiments with this tag; repeatable.",
    )(function)


def narrowing(
    sort: Collection[str], *, has_state: bool = True, has_tags: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `narrow`, and the flags of a table that make it; `sort` are column keys."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(
            *arguments: Any,
            sort: tuple[SortKey, ...],
            since: Since | None,
            wanted: tuple[str, ...] = (),
            states: tuple[str, ...] = (),
            **options: Any,
        ) -> Any:
            narrow = Narrowing(sort, since, labels(wanted), frozenset(states))
            return function(*arguments, narrow=narrow, **options)

        wrapped = click.option(
            "--sort",
            type=SortType(sort),
            multiple=True,
            metavar="[-]KEY",
            help="Sort by a column's key, as in -o csv; -KEY: the largest first. Repeatable.",
        )(wrapped)
        wrapped = since(wrapped)
        if has_state:
            wrapped = state(wrapped)
        return selector(wrapped) if has_tags else wrapped

    return decorate


def since(function: Command) -> Command:
    """Add --since, which gives a Since or None."""
    return click.option(
        "--since",
        type=SinceType(),
        metavar="WHEN",
        help="Only what is newer: 7d, 12h, 30m, or a date like 2026-11-01 (UTC).",
    )(function)


def state(function: Command) -> Command:
    """Add --state."""
    return click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([s.value for s in JobState], case_sensitive=False),
        help="Only jobs in this state; repeatable.",
    )(function)


def names(function: Command) -> Command:
    """Add NAME arguments, completed from the registry."""
    return click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)(
        function
    )


def jobs(function: Command) -> Command:
    """Add NAME arguments that may name one job of several, completed from the registry."""
    return click.argument(
        "names", nargs=-1, metavar="[NAME[@JOB]]...", shell_complete=complete_names
    )(function)


def some_jobs(function: Command) -> Command:
    """Add NAME arguments as `jobs` does, of which one must be given."""
    return click.argument(
        "names",
        nargs=-1,
        required=True,
        metavar="NAME[@JOB]...",
        shell_complete=complete_names,
    )(function)


def name(function: Command) -> Command:
    """Add one NAME argument, completed from the registry."""
    return click.argument("name", metavar="NAME[@JOB]", shell_complete=complete_names)(function)


def providers(function: Command) -> Command:
    """Add --provider."""
    return click.option(
        "--provider",
        "chosen",
        multiple=True,
        metavar="NAME",
        help="Only this provider or profile; repeatable.",
    )(function)


def complete_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return recorded names that begin as typed; nothing where the registry can't be read."""
    from tunekit.errors import TunekitError

    try:
        app = App()
        if not app.has_registry:
            return []
        return [known for known in app.registry.names() if known.startswith(incomplete)]
    except TunekitError:
        return []


def generation_flags(function: Command) -> Command:
    """Add the sampling flags."""
    for flag, kind, text in (
        ("--max-output-tokens", click.IntRange(min=1), "Cut answers after so many tokens."),
        ("--top-k", click.IntRange(min=1), "Sample from the K likeliest tokens."),
        ("--top-p", click.FloatRange(0, 1), "Sample from the likeliest tokens of this share."),
        ("--temperature", click.FloatRange(0, 2), "0 always gives the likeliest answer."),
    ):
        function = click.option(flag, type=kind, help=text)(function)
    return function
