"""Scores with their intervals, beside baselines; answers beside what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tunekit.evaluate.results import Evaluated, Result
from tunekit.evaluate.textscores import exact_match
from tunekit.model import Example
from tunekit.views.output import Column, Output, Table
from tunekit.views.text import clean, line, plural, shortened

_PIECES = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_CONFUSED = 5
_MOST_KINDS = 40
_BASELINES = {"copy": "unchanged copy", "majority": "most frequent"}


class Shown(NamedTuple):
    """One held-out row and what the model made of it."""

    example: Example
    text: str

    @property
    def is_right(self) -> bool:
        return exact_match(self.example.response, self.text) == 1.0


def print_evaluated(output: Output, evaluated: Evaluated) -> None:
    """Print the scores of every target, what differs, kinds and classes, and the verdict."""
    if len(evaluated.results) == 1:
        _print_one(output, evaluated)
    else:
        _print_several(output, evaluated)
    if evaluated.main.entities:
        _print_entities(output, evaluated.main.entities)
    if evaluated.main.confusion:
        _print_confused(output, evaluated.main.confusion)
    for result in evaluated.results:
        _print_verdict(output, evaluated, result)


def _print_one(output: Output, evaluated: Evaluated) -> None:
    (result,) = evaluated.results
    columns = (
        Column("METRIC", "metric"),
        Column(result.target.partition(":")[0].upper(), "score", is_number=True),
        Column("95% INTERVAL", "interval", is_number=True),
        *(Column(title.upper(), name, is_number=True) for name, title in _BASELINES.items()),
    )
    rows = [
        {
            "metric": metric,
            "score": f"{value:.1%}",
            "interval": _interval(result, metric),
            **{name: f"{evaluated.baselines[name][metric]:.1%}" for name in _BASELINES},
        }
        for metric, value in result.scores.items()
    ]
    output.table(Table(columns, rows))


def _print_several(output: Output, evaluated: Evaluated) -> None:
    compared = list(dict.fromkeys(d.than for r in evaluated.results for d in r.differences))
    columns = (
        Column("METRIC", "metric"),
        Column("TARGET", "target"),
        Column("SCORE", "score", is_number=True),
        Column("95% INTERVAL", "interval", is_number=True),
        *(
            Column(title, f"{key} {than}", is_number=True, rank=rank)
            for rank, than in enumerate(compared)
            for title, key in ((f"VS {than.upper()}", "difference"), ("P", "p"))
        ),
    )
    rows = [row for metric in evaluated.main.scores for row in _lines(evaluated, metric)]
    output.table(Table(columns, rows))
    if compared:
        output.text("P: how probable such a difference is by chance, rows paired.")


def _lines(evaluated: Evaluated, metric: str) -> Iterator[dict[str, str]]:
    for number, result in enumerate(evaluated.results):
        row = {
            "metric": "" if number else metric,
            "target": result.target,
            "score": f"{result.scores[metric]:.1%}",
            "interval": _interval(result, metric),
        }
        for difference in result.differences:
            if difference.metric == metric:
                shown = "<0.001" if difference.p_value < 0.001 else f"{difference.p_value:.3f}"
                row[f"difference {difference.than}"] = f"{difference.difference * 100:+.1f}"
                row[f"p {difference.than}"] = shown
        yield row
    for name, title in _BASELINES.items():
        yield {"target": title, "score": f"{evaluated.baselines[name][metric]:.1%}"}


def _interval(result: Result, metric: str) -> str:
    low, high = result.intervals[metric]
    return f"{low:.1%} to {high:.1%}"


def _print_entities(output: Output, entities: Mapping[str, Mapping[str, float]]) -> None:
    columns = (
        Column("PLACEHOLDER", "kind"),
        Column("PRECISION", "precision", is_number=True),
        Column("RECALL", "recall", is_number=True),
        Column("F1", "f1", is_number=True),
        Column("EXPECTED", "expected", is_number=True),
    )
    by_count = sorted(entities.items(), key=lambda item: (-item[1]["expected"], item[0]))
    rows = [
        {
            "kind": kind,
            **{name: f"{scores[name]:.1%}" for name in ("precision", "recall", "f1")},
            "expected": f"{scores['expected']:,.0f}",
        }
        for kind, scores in by_count[:_MOST_KINDS]
    ]
    output.text()
    output.table(Table(columns, rows))


def _print_confused(output: Output, confusion: Mapping[str, Any]) -> None:
    labels = confusion["labels"]
    wrong = [entry for entry in confusion["counts"] if entry[0] != entry[1]]
    for wanted, given, rows in sorted(wrong, key=lambda entry: -entry[2])[:_MOST_CONFUSED]:
        answer = "no known label" if given is None else _label(labels[given])
        output.text(f"  {plural(rows, 'row')} of {_label(labels[wanted])}: answered {answer}")


def _label(text: str) -> str:
    return shortened(line(text), 40) or "(empty)"


def _print_verdict(output: Output, evaluated: Evaluated, result: Result) -> None:
    if result.is_met is None:
        return
    told = result.verdict
    if told is None:  # a part of the split
        word, unsaid = ("met", "promoted") if result.is_met else ("not met", "refused")
        of = f"{evaluated.rows:,} of {plural(evaluated.split_rows, 'row')}"
        told = f"{word} on {of}, not recorded as {unsaid}"
    output.styled(f"{result.target}: {told}", "green" if result.is_met else "red")
    for clause in result.clauses:
        output.text(f"  {'met' if clause.is_met else 'not met'}: {clause}")


def print_answers(output: Output, answers: Sequence[Shown]) -> None:
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
