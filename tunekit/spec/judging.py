"""What a schema can't say about `evaluate`: conditions on scores, prices. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunekit.model import EvaluationSpec
from tunekit.model.gate import BadGate, Gate, metric_of
from tunekit.spec.sentences import Finding
from tunekit.spec.wording import choices, guess, key_text

_PROMOTE_IF = ("evaluate", "promote_if")


def judging_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the condition, the metrics it reads, and the budget."""
    written = data.get("evaluate", {})
    if (text := written.get("promote_if")) is not None:
        yield from _gate(text, written)
    # What runs on this machine costs nothing.
    if "max_cost_usd" in written and "price" not in written and data.get("provider") != "local":
        yield Finding(
            ("evaluate", "max_cost_usd"),
            "evaluate.max_cost_usd is set, but nothing says what an answer costs",
            "add `price: {input_usd: 0.3, output_usd: 2.5}` below `evaluate:`, with the "
            "provider's prices of a million tokens",
        )


def _gate(text: str, written: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        gate = Gate.parse(text)
    except BadGate as error:
        remedy = "write e.g. `exact_match >= 0.9 and leak_rate <= 0.01`"
        yield Finding(_PROMOTE_IF, f"evaluate.promote_if is no condition: {error}", remedy)
        return
    metrics = [*written.get("metrics", EvaluationSpec().metrics)]
    metrics += [f"custom.{name}" for name in written.get("custom_metrics", ())]
    for name in gate.names():
        metric = metric_of(name)
        if metric in metrics:
            continue
        near = guess(metric, metrics)
        said = f"did you mean {near}?" if near else f"add it, or use {choices(metrics)}"
        fact = f"evaluate.promote_if reads {key_text(name)}, which evaluate.metrics does not have"
        yield Finding(_PROMOTE_IF, fact, said)
    if not gate.names():
        yield Finding(_PROMOTE_IF, "evaluate.promote_if reads no metric", "name one, or remove it")
