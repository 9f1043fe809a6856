"""Which jobs a report is about."""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.cli.context import App
from tunekit.cli.labels import has_labels, labels
from tunekit.cli.tables import Since
from tunekit.model import Job, Phase
from tunekit.report import Gatherer, Report

# A page holds so many jobs with curves worth looking at.
MOST_JOBS = 500


def gathered(
    app: App,
    gatherer: Gatherer,
    names: Sequence[str],
    wanted: Sequence[str],
    since: Since | None,
    *,
    has_all: bool,
) -> Report:
    """Return the report on the chosen jobs, newest first, at most MOST_JOBS unless `has_all`."""
    among = app.registry.jobs()
    jobs = _chosen(app, among, names, wanted, since)
    most = len(jobs) if has_all else MOST_JOBS
    jobs.sort(key=lambda job: (job.submitted_s, job.id), reverse=True)
    return gatherer.report(
        jobs[:most],
        among=among,
        title=app.project.root.resolve().name or "tunekit",
        made_s=app.clock.now_s(),
        left_out=len(jobs[most:]),
    )


def _chosen(
    app: App,
    among: Sequence[Job],
    names: Sequence[str],
    wanted: Sequence[str],
    since: Since | None,
) -> list[Job]:
    """Return jobs that began to exist. NAME means all of an experiment's, NAME@NUMBER one."""
    plain = {app.recorded(name).name for name in names if "@" not in name}
    single = {app.job(name)[1].id for name in names if "@" in name}
    tags = labels(wanted)
    tagged = {
        name
        for name, experiment in app.registry.experiments().items()
        if has_labels(experiment["tags"], tags)
    }
    starts_s = since.starts_s(app.clock.now_s()) if since else None
    return [
        job
        for job in among
        if job.phase is not Phase.ABSENT
        and job.experiment in tagged
        and (not names or job.id in single or job.title.rpartition("@")[0] in plain)
        and (starts_s is None or job.submitted_s >= starts_s)
    ]
