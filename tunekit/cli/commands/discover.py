"""`tunekit discover`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

import click

from tunekit.cli import options
from tunekit.cli.context import App
from tunekit.cli.reaching import provider_names
from tunekit.cli.tables import Narrowing
from tunekit.errors import ProviderError
from tunekit.model import Job, Observation, Phase
from tunekit.retry import patiently
from tunekit.views.remote import REMOTE_FIELDS, remote_json, remote_table

_PAGE = 50


@click.command(epilog=options.example("tunekit discover --provider vertex"))
@options.providers
@options.narrowing(REMOTE_FIELDS, has_tags=False)
@click.option("--all", "has_all", is_flag=True, help=f"Every job, not the newest {_PAGE}.")
@options.with_app(("table", "json", "yaml", "csv"))
def command(app: App, chosen: tuple[str, ...], narrow: Narrowing, has_all: bool) -> None:
    """List jobs that providers have and the registry does not know.

    Whoever started them. `tunekit import` adopts one. Looks at the providers of tunekit.yaml, of
    the specs and of the registry, or at those that --provider names. Changes nothing.
    """
    recorded = app.registry.jobs() if app.has_registry else []
    # What was given up may have arrived after all, and is somebody's cost.
    known = [job for job in recorded if job.phase is not Phase.ABSENT]
    found: list[tuple[str, Observation]] = []
    failures = 0
    limit = None if has_all or narrow.is_asked else _PAGE
    for name in provider_names(app, chosen):
        try:
            look = partial(_unknown, app, name, known, limit=limit)
            listed = patiently(look, app.clock, say=app.say)
        except ProviderError as error:
            failures += 1
            app.say(f"{name}: {error}")
            continue
        found += [(name, seen) for seen in listed]
    rows = narrow.rows(
        [remote_json(name, seen) for name, seen in found], now_s=app.clock.now_s(), at="created_s"
    )
    match app.format:
        case "table" if not rows:
            if not failures:
                app.say("No such job." if found else "Every job is in the registry.")
        case "table":
            app.output.table(remote_table(rows))
            app.say("Next: `tunekit import NAME` shows the spec of one, --write FILE adopts it.")
        case "csv":
            app.output.csv(rows, REMOTE_FIELDS)
        case _:
            app.output.data("discover", {"jobs": rows})
    if failures:
        raise click.exceptions.Exit(ProviderError.exit_code)


def _unknown(app: App, name: str, known: Sequence[Job], *, limit: int | None) -> list[Observation]:
    strangers = (
        seen
        for seen in app.provider_of(name).list()
        if not any(job.is_seen_as(seen) for job in known)
    )
    return list(islice(strangers, limit))
