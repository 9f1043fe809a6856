"""`tunekit compare`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tunekit.cli import choosing, comparing, options
from tunekit.cli.context import App
from tunekit.cli.tables import Narrowing
from tunekit.errors import UsageError
from tunekit.model import Job

# As many as a table can show and a person can take in.
_MOST = 20
_SORT_KEYS = ("name", "loss", "submitted_s", "ended_s", "provider", "base_model", "state")


@click.command(epilog=options.example("tunekit compare quickstart@1 quickstart@2 -o md"))
@options.jobs
@options.narrowing(_SORT_KEYS)
@click.option("--all", "has_all", is_flag=True, help="Also what is equal.")
@options.with_app(("table", "md", "json", "yaml", "csv"))
def command(app: App, names: tuple[str, ...], narrow: Narrowing, has_all: bool) -> None:
    """Compare jobs: only what differs, beside their curves and scores.

    NAME is an experiment's current job, NAME@NUMBER a former one; one NAME alone is compared with
    the job before it. Without NAME, the current jobs that -l, --state and --since choose. Rows of
    data are counted against the first job. -o md prints a table for a pull request.
    """
    from tunekit.evaluate.comparison import compare
    from tunekit.views import compare as view

    chosen = _chosen(app, names, narrow)
    subjects = [comparing.subject_of(app, job) for job in chosen]
    found = compare(subjects, keeps_equal=has_all)
    match app.format:
        case "table" if not found.rows and not any(s.curves for s in subjects):
            app.say(f"{' and '.join(found.subjects)} do not differ in anything on record.")
        case "table":
            view.print_comparison(app.output, found, subjects)
        case "md":
            view.print_markdown(app.output, found, subjects)
        case "csv":
            fields, rows = view.csv_rows(found)
            app.output.csv(rows, fields)
        case _:
            app.output.data("compare", view.comparison_json(found))


def _chosen(app: App, names: Sequence[str], narrow: Narrowing) -> list[Job]:
    if names and narrow.is_asked:
        raise UsageError("name the jobs, or choose them by -l, --state and --since; not both")
    if not names and not narrow.is_asked:
        raise UsageError("name the jobs to compare, or choose them by -l, --state and --since")
    if names:
        jobs = _named(app, names)
    else:
        rows = choosing.current_jobs(app, (), narrow) if app.has_registry else []
        ids = [row["id"] for row in rows if row["id"] is not None]
        if len(ids) > _MOST:
            raise UsageError(f"{len(ids)} jobs match; narrow to {_MOST}, or name them")
        found = app.registry.jobs_of(ids) if ids else {}
        jobs = [found[job_id] for job_id in ids]
    if len(jobs) < 2:
        raise UsageError(f"a comparison needs two jobs, {len(jobs)} match; see `tunekit history`")
    return jobs


def _named(app: App, names: Sequence[str]) -> list[Job]:
    found: dict[int, Job] = {}
    for name in names:
        trial, job = app.job(name)
        if job.id in found:
            raise UsageError(f"{name} is {job.title}, which is named twice")
        found[job.id] = job
        if len(names) == 1:
            before = comparing.former(trial, job)
            if before is None:
                raise UsageError(f"{job.title} is the first job of {trial.name}; name another")
            return [before, job]
    return list(found.values())
