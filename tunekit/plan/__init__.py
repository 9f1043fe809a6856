"""Desired x recorded -> Plan, in pure code."""

from tunekit.plan.bases import measured_parents, with_bases
from tunekit.plan.decide import Want, decide, next_attempt, plan
from tunekit.plan.rows import DataChange, RowChanges, compare
from tunekit.plan.steps import Action, Options, Plan, Step

__all__ = [
    "Action",
    "DataChange",
    "Options",
    "Plan",
    "RowChanges",
    "Step",
    "Want",
    "compare",
    "decide",
    "measured_parents",
    "next_attempt",
    "plan",
    "with_bases",
]
