"""Scores beside their baselines, and answers beside what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from tunekit.evaluate import Answer, Evaluated
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import clean

_PIECES = re.compile(r"\s+|\w+|[^\w\s]")


def print_scores(output: Output, evaluated: Evaluated) -> None:
    """Print a line a metric: the tuned model, and what needs no model at all."""
    columns = (
        Column("METRIC", "metric"),
        Column("TUNED", "tuned", is_number=True),
        Column("UNCHANGED COPY", "copy", is_number=True),
        Column("MOST FREQUENT", "majority", is_number=True),
    )
    rows = [
        {
            "metric": name,
            "tuned": f"{value:.1%}",
            "copy": f"{evaluated.copy[name]:.1%}",
            "majority": f"{evaluated.majority[name]:.1%}",
        }
        for name, value in evaluated.scores.items()
    ]
    output.table(Table(columns, rows))


def print_answers(output: Output, answers: Sequence[Answer]) -> None:
    """Print expected and answered one above the other; what differs is coloured, or «marked»."""
    for answer in answers:
        expected, answered = answer.example.response, answer.text
        verdict, style = ("right", "green") if answer.is_right else ("wrong", "red")
        output.styled(f"line {answer.example.line}: {verdict}", style)
        _print_marked(output, "  expected  ", expected, answered, "green")
        _print_marked(output, "  answered  ", answered, expected, "red")


def _print_marked(output: Output, label: str, text: str, other: str, style: str) -> None:
    indent = "\n" + " " * len(label)
    parts = [(part.replace("\n", indent), differs) for part, differs in marked(text, other)]
    if not output.has_colour:
        output.text(label + "".join(f"«{part}»" if differs else part for part, differs in parts))
        return
    from rich.text import Text

    drawn = Text(label)
    for part, differs in parts:
        drawn.append(clean(part), style=f"bold {style} underline" if differs else "")
    output.print(drawn)


def marked(text: str, other: str) -> list[tuple[str, bool]]:
    """Return `text` in pieces, each with whether `other` lacks it at that place."""
    mine, theirs = _PIECES.findall(text), _PIECES.findall(other)
    parts = []
    matcher = difflib.SequenceMatcher(a=mine, b=theirs, autojunk=False)
    for kind, start, end, _, _ in matcher.get_opcodes():
        if end > start:
            parts.append(("".join(mine[start:end]), kind != "equal"))
    return parts
