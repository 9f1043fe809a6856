"""A plan as people and machines read it."""

from __future__ import annotations

from typing import Any

from tunekit.plan import Action, Plan, Step
from tunekit.views.cost import cost_line, cost_notes
from tunekit.views.output import Output
from tunekit.views.text import line, plural

_NOTHING = "(unset)"
_LONGEST_VALUE = 40
_MOST_VALUES = 6

_STYLES = {
    Action.SUBMIT: "green",
    Action.RETRY: "green",
    Action.RETUNE: "yellow",
    Action.REUSE: "cyan",
    Action.UPDATE: "cyan",
    Action.CANCEL: "red",
    Action.RESOLVE: "yellow",
    Action.WAIT: "dim",
    Action.HOLD: "bold yellow",
    Action.REFUSE: "bold red",
    Action.UNMANAGED: "bold yellow",
    Action.NOOP: "dim",
}


def print_plan(output: Output, plan: Plan, *, has_all: bool = False) -> None:
    """Print a line a trial that something is to be said of, then the summary."""
    shown = [s for s in plan.steps if has_all or s.action is not Action.NOOP]
    width = max((len(step.name) for step in shown), default=0)
    for step in shown:
        output.styled(_line(step, width), _STYLES[step.action])
        for difference in (*_differences(step, width), *_outlook(step, width)):
            output.text(difference)
    if shown:
        output.text()
    output.text(summary(plan))
    for note in cost_notes([step.cost for step in plan.steps if step.cost]):
        output.text(note)


def _line(step: Step, width: int) -> str:
    what = ""
    if step.starts_job and step.trial is not None:
        experiment, rows = step.trial.experiment, step.trial.dataset.splits["train"].rows
        what = f" [{experiment.provider}, {experiment.base_model}, {plural(rows, 'row')}]"
    return f"{step.symbol:>3} {step.name:<{width}}  {step.reason}{what}"


def _differences(step: Step, width: int) -> list[str]:
    """Return a line a changed value that is short enough to be one."""
    lines = []
    for path, (before, after) in step.values().items():
        shown = _change(before, after)
        if step.is_change and shown:
            lines.append(f"    {'':<{width}}  {path}: {shown}")
    return lines[:_MOST_VALUES]


def _change(before: Any, after: Any) -> str:
    """Return a change in words, "" where a value is too long for a line."""
    if isinstance(before, list) and isinstance(after, list):
        signs = [f"+{line(one)}" for one in after if one not in before]
        signs += [f"-{line(one)}" for one in before if one not in after]
        return " ".join(signs) or "in another order"
    shown = [_shown(value) for value in (before, after)]
    is_short = all(len(text) <= _LONGEST_VALUE for text in shown)
    return f"{shown[0]} -> {shown[1]}" if is_short else ""


def _shown(value: Any) -> str:
    match value:
        case None:
            return _NOTHING
        case bool():
            return str(value).lower()
    return line(value)


def _outlook(step: Step, width: int) -> list[str]:
    """Return what the data change, and what the job will probably cost."""
    lines = list(step.data.lines()) if step.data else []
    if step.cost and (cost := cost_line(step.cost)):
        lines.append(cost)
    return [f"    {'':<{width}}  {text}" for text in lines]


def summary(plan: Plan) -> str:
    """Return the one line that counts what would happen."""
    counts = plan.counts()
    parts = [
        f"{counts['submit']} to submit",
        f"{counts['update']} to update",
        f"{counts['cancel']} to cancel",
        f"{counts['unchanged']} unchanged",
    ]
    if counts["hold"]:
        parts.append(f"{counts['hold']} held")
    return f"Plan: {', '.join(parts)}."


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data; `checksum` is what `apply --expect` takes."""
    return {
        "checksum": plan.checksum(),
        "has_changes": plan.has_changes,
        "summary": plan.counts(),
        "steps": [step.to_json() for step in plan.steps],
    }
