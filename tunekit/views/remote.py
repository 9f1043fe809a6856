"""Jobs as providers tell of them, and what doctor found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunekit.model import Diagnosis, Observation
from tunekit.views.jobs import utc
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import line

REMOTE_FIELDS = ("provider", "name", "state", "base_model", "display_name", "created_s", "token")

_REMOTE_COLUMNS = (
    Column("PROVIDER", "provider", rank=1),
    Column("NAME", "name", most=120),
    Column("STATE", "state"),
    Column("BASE MODEL", "base_model", rank=2, most=40),
    Column("CALLED", "display_name", rank=3, most=40, least=10),
    Column("CREATED", "created", rank=4),
)


def remote_json(provider: str, seen: Observation) -> dict[str, Any]:
    """Return a job that the registry does not know, as plain data."""
    return {
        "provider": provider,
        "name": seen.name,
        "state": seen.state.value,
        "base_model": seen.base_model,
        "display_name": seen.display_name,
        "created_s": seen.created_s,
        "token": seen.token,
        "model": seen.model,
    }


def remote_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of such jobs."""
    shown = [
        {**row, "created": utc(row["created_s"]) if row["created_s"] is not None else ""}
        for row in rows
    ]
    return Table(_REMOTE_COLUMNS, shown)


_MARKS = {True: ("ok", "green"), False: ("FAIL", "bold red"), None: ("-", "yellow")}


def print_diagnoses(output: Output, about: str, found: Sequence[Diagnosis]) -> None:
    """Print a line a thing looked at, and under what is wrong, what to do."""
    output.styled(about, "bold")
    width = max((len(line(diagnosis.subject)) for diagnosis in found), default=0)
    for diagnosis in found:
        mark, style = _MARKS[diagnosis.is_ok]
        subject = line(diagnosis.subject)
        output.styled(f"  {mark:<4}  {subject:<{width}}  {line(diagnosis.fact)}", style)
        if diagnosis.remedy and diagnosis.is_ok is not True:
            output.text(f"  {'':<4}  {'':<{width}}  fix: {line(diagnosis.remedy)}")


def diagnoses_json(groups: Mapping[str, Sequence[Diagnosis]]) -> dict[str, Any]:
    """Return what doctor found as plain data; `is_ok` null: it could not be looked at."""
    return {
        "is_ok": not any(d.is_ok is False for found in groups.values() for d in found),
        "checks": [
            {
                "about": about,
                "subject": diagnosis.subject,
                "is_ok": diagnosis.is_ok,
                "fact": diagnosis.fact,
                "remedy": diagnosis.remedy,
            }
            for about, found in groups.items()
            for diagnosis in found
        ],
    }
