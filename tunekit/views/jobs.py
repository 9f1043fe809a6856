"""Jobs and trials: `status`, `history`, and the plain data of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tunekit.model import Checkpoint, DataStats, Job, JobState, Phase, RecordedTrial
from tunekit.plan.cost import amount
from tunekit.views.output import Column, Table
from tunekit.views.text import age, bar, duration, line, number, plural

STATUS_COLUMNS = (
    Column("NAME", "name", most=40, least=10),
    Column("PROVIDER", "provider", rank=7, most=16),
    Column("BASE MODEL", "base_model", rank=5, most=28),
    Column("STATE", "state"),
    Column("PROGRESS", "progress", rank=1),
    Column("STEPS", "steps", rank=6, is_number=True),
    Column("LOSS", "loss", rank=3, is_number=True),
    Column("AGE", "age", rank=3, is_number=True),
    Column("TOOK", "took", rank=4, is_number=True),
    Column("WAITS FOR", "waits_for", rank=2, most=100, least=12),
)

_HISTORY_COLUMNS = (
    Column("JOB", "job", most=48, least=12),
    Column("STATE", "state"),
    Column("WHEN", "when", rank=2),
    Column("WHO", "who", rank=3, most=24, least=8),
    Column("COMMIT", "commit", rank=4),
    Column("TOOK", "took", rank=6, is_number=True),
    Column("COST USD", "cost", rank=5, is_number=True),
    Column("LOSS", "loss", rank=7, is_number=True),
    Column("WHY", "why", rank=1, most=80, least=14),
    Column("OUTCOME", "outcome", rank=5, most=100, least=14),
)


def job_json(job: Job) -> dict[str, Any]:
    """Return a job as plain data; times are seconds since the epoch, UTC."""
    data = {name: getattr(job, name) for name in Job.__slots__ if name != "id"}
    # asdict of a job would copy every value, which shows where there are thousands of jobs.
    data["checkpoints"] = [
        {name: getattr(saved, name) for name in Checkpoint.__slots__} for saved in job.checkpoints
    ]
    data["data_stats"] = asdict(job.data_stats) if job.data_stats else None
    data["job"] = job.title
    data["percent"] = percent(job)
    data["took_s"] = took_s(job)
    data["is_flagged"] = job.data_stats is not None and job.data_stats.is_flagged
    data["estimate"] = job.estimate.to_json() if job.estimate else None
    return data


def percent(job: Job) -> float | None:
    """Return how far a job is, 0 to 100; None where the provider doesn't tell."""
    return percent_of(
        {
            "state": job.state,
            "total_steps": job.total_steps,
            "completed_steps": job.completed_steps,
        }
    )


def percent_of(row: Mapping[str, Any]) -> float | None:
    """Return the same of a job as a row."""
    if row["state"] == JobState.SUCCEEDED:
        return 100.0
    if not row["total_steps"] or row["completed_steps"] is None:
        return None
    return round(100 * int(row["completed_steps"]) / int(row["total_steps"]), 1)


def took_s(job: Job, now_s: float | None = None) -> float | None:
    """Return how many seconds a job ran, until `now_s` where it still runs."""
    end = job.ended_s if job.ended_s is not None else now_s
    return None if end is None or job.started_s is None else end - job.started_s


def waits_for(job: Job) -> str:
    """Say what must happen before the job moves on, or why it ended badly."""
    match (job.phase, job.state):
        case (Phase.INTENT, _):
            return "tunekit apply: the submit was interrupted"
        case (_, JobState.UNKNOWN) if job.missing_since_s is not None:
            return f"{job.error}; `tunekit cancel {job.title}` closes it"
        case (_, JobState.PENDING):
            return job.detail or "the provider to start it"
        case (_, JobState.CANCELLING):
            return "its end"
        case (_, JobState.FAILED):
            return job.error
        case (_, JobState.CANCELLED):
            return job.cancel_why or ""
        case (_, JobState.SUCCEEDED):
            return flag(job)
        case _:
            return job.detail if not job.state.is_terminal else ""


def flag(job: Job) -> str:
    """Say that the service left out too many rows; nothing where it did not."""
    stats = job.data_stats
    if stats is None or not stats.is_flagged:
        return ""
    return f"{dropped(stats)} not trained on; see `tunekit show {job.title}`"


def dropped(stats: DataStats) -> str:
    """Return `7 of 60 rows (12%)`."""
    if stats.dropped_share is None:
        return plural(stats.dropped, "row")
    return f"{stats.dropped:,} of {plural(stats.rows or 0, 'row')} ({stats.dropped_share:.1%})"


def status_table(trials: Sequence[RecordedTrial], *, now_s: float, limit: int | None) -> Table:
    """Return the status table: what runs first, then the newest; the rest is counted."""
    ordered = sorted(trials, key=_urgency)
    shown = ordered if limit is None else ordered[:limit]
    more = ""
    if len(shown) < len(ordered):
        more = (
            f"… and {len(ordered) - len(shown):,} more ({counts(ordered)}); "
            "narrow with NAME, --state or -l, or show all with --all"
        )
    return Table(STATUS_COLUMNS, [_status_row(trial, now_s) for trial in shown], more)


def counts(trials: Sequence[RecordedTrial]) -> str:
    """Return `3 RUNNING, 1 FAILED`."""
    by_state: dict[str, int] = {}
    for trial in trials:
        job = trial.current()
        state = job.state.value if job else "no job"
        by_state[state] = by_state.get(state, 0) + 1
    return ", ".join(f"{count:,} {state}" for state, count in by_state.items())


# What moves first, then what needs a person, then what is over.
_ORDER = (JobState.RUNNING, JobState.CANCELLING, JobState.UNKNOWN, JobState.PENDING)


def _urgency(trial: RecordedTrial) -> tuple[int, float]:
    job = trial.current()
    if job is None:
        return len(_ORDER), 0.0
    rank = _ORDER.index(job.state) if job.state in _ORDER else len(_ORDER)
    return rank, -job.submitted_s


def _status_row(trial: RecordedTrial, now_s: float) -> Mapping[str, str]:
    job = trial.current()
    if job is None:
        # Every submit so far was refused or never arrived.
        refused = trial.jobs[-1].error if trial.jobs else "nothing submitted"
        return {"name": trial.name, "state": "-", "waits_for": f"tunekit apply: {refused}"}
    return {
        "name": trial.name,
        "provider": job.provider,
        "base_model": job.base_model,
        "state": job.state.value,
        "progress": progress(job),
        "steps": steps(job),
        "loss": number(job.loss),
        "age": age(now_s - job.submitted_s),
        "took": duration(took_s(job, now_s)),
        "waits_for": line(waits_for(job)),
    }


def progress(job: Job) -> str:
    """Return a bar and the percentage; empty where the provider doesn't tell."""
    share = percent(job)
    return "" if share is None else f"{bar(share / 100, 8)} {share:3.0f}%"


def steps(job: Job) -> str:
    """Return `590/950`; empty where the provider doesn't tell."""
    return f"{job.completed_steps or 0}/{job.total_steps}" if job.total_steps else ""


def by_urgency(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows of current jobs, the most urgent first, as `status_table` has them."""
    ranks = {state.value: rank for rank, state in enumerate(_ORDER)}
    last = len(_ORDER)
    return sorted(rows, key=lambda r: (ranks.get(r["state"], last), -(r["submitted_s"] or 0.0)))


def left_out(rows: Sequence[Mapping[str, Any]], shown: int) -> str:
    """Say how many rows of current jobs are not shown, and what states all are in."""
    if shown >= len(rows):
        return ""
    states = Counter(row["state"] or "no job" for row in rows)
    counted = ", ".join(f"{count:,} {state}" for state, count in states.items())
    return (
        f"… and {len(rows) - shown:,} more ({counted}); "
        "narrow with NAME, --state, --since or -l, or show all with --all"
    )


def status_json(rows: Sequence[Mapping[str, Any]], jobs: Mapping[int, Job]) -> list[dict[str, Any]]:
    """Return trials as plain data, each with its current job."""
    return [
        {
            "name": row["trial_name"],
            "desired_state": row["desired_state"],
            "is_protected": bool(row["is_protected"]),
            "tags": row["tags"],
            "job": job_json(jobs[row["id"]]) if row["id"] in jobs else None,
        }
        for row in rows
    ]


def history_json(
    rows: Sequence[Mapping[str, Any]], jobs: Mapping[int, Job]
) -> list[dict[str, Any]]:
    """Return jobs as plain data, with who asked for each, on which commit, why and its cost."""
    return [
        {
            **job_json(jobs[row["id"]]),
            "who": row["who"],
            "command": row["command"],
            "commit": row["commit"],
            "is_dirty": None if row["is_dirty"] is None else bool(row["is_dirty"]),
            "why": row["why"],
            "tags": row["tags"],
            "cost_usd": row["cost_usd"],
            "is_cost_counted": row["is_cost_counted"],
            "outcome": outcome(jobs[row["id"]]),
        }
        for row in rows
    ]


def outcome(job: Job) -> str:
    """Say in a few words how a job ended, or where it is."""
    if job.phase is Phase.ABSENT:
        return f"never started: {job.error}"
    if job.state is JobState.SUCCEEDED:
        return job.model or "tuned"
    if job.state is JobState.FAILED:
        return job.error or "failed"
    return waits_for(job) or job.state.lower()


def history_table(rows: Sequence[Mapping[str, Any]], *, left: int) -> Table:
    """Return the table of rows that `history_json` made; `left` are counted, not shown."""
    display = []
    for row in rows:
        is_absent = row["phase"] == Phase.ABSENT.value
        display.append(
            {
                "job": row["job"],
                "state": "never ran" if is_absent else row["state"],
                "when": utc(row["submitted_s"]),
                "who": row["who"] or "",
                "commit": commit(row),
                "took": duration(row["took_s"]),
                "cost": cost(row),
                "loss": number(row["loss"]),
                "why": row["why"],
                "outcome": line(row["outcome"]),
            }
        )
    more = f"… and {plural(left, 'job')} more; show all with --all" if left else ""
    columns = [c for c in _HISTORY_COLUMNS if c.key != "cost" or any(r["cost"] for r in display)]
    return Table(columns, display, more)


def commit(row: Mapping[str, Any]) -> str:
    """Return `1a2b3c4d+changes`; empty outside git."""
    return (row["commit"] or "")[:8] + ("+changes" if row["is_dirty"] else "")


def cost(row: Mapping[str, Any]) -> str:
    """Return dollars, with a ~ where the tokens were guessed; empty where nothing is billed."""
    if not row["cost_usd"]:
        return ""
    return f"{'' if row['is_cost_counted'] else '~'}{amount(row['cost_usd'])}"


EVENT_FIELDS = ("at_s", "experiment", "kind", "detail", "who", "command", "commit", "is_dirty")

_EVENT_COLUMNS = (
    Column("WHEN", "when"),
    Column("EXPERIMENT", "experiment", most=40),
    Column("EVENT", "kind"),
    Column("DETAIL", "detail", rank=1, most=80, least=14),
    Column("WHO", "who", rank=2, most=24),
    Column("COMMAND", "command", rank=3, most=60, least=14),
)


def events_table(happened: Sequence[Mapping[str, Any]]) -> Table:
    """Return every event, oldest first."""
    rows = [
        {
            "when": utc(event["at_s"]),
            **{key: str(event[key] or "") for key in ("experiment", "kind", "detail", "who")},
            "command": event["command"] or "",
        }
        for event in happened
    ]
    return Table(_EVENT_COLUMNS, rows)


def utc(at_s: float) -> str:
    """Return a moment as `2026-01-31 09:15Z`."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%MZ}"
