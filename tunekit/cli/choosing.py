"""Which of the recorded trials a command means, by their names and the flags of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.cli.context import App, unknown_name
from tunekit.cli.tables import Narrowing
from tunekit.errors import UsageError
from tunekit.views.jobs import by_urgency, percent_of


def current_jobs(app: App, names: Sequence[str], narrow: Narrowing) -> list[Mapping[str, Any]]:
    """Return rows of trials with their current jobs: as --sort says, else the most urgent first.

    `name` is what the trial is called. UsageError for a name that no trial has.
    """
    rows = app.registry.current_jobs()
    if names:
        known = {row["trial_name"]: row for row in rows}
        for name in names:
            if name not in known:
                raise UsageError(unknown_name(name, list(known)))
        rows = [known[name] for name in dict.fromkeys(names)]
    for row in rows:
        row["name"] = row["trial_name"]
        row["percent"] = percent_of(row)
    chosen = narrow.rows(rows, now_s=app.clock.now_s())
    return chosen if narrow.sort else by_urgency(chosen)
