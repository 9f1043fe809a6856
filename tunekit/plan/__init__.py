"""Desired x recorded -> Plan, in pure code."""

from tunekit.plan.bases import measured_parents
from tunekit.plan.decide import Want, decide, plan
from tunekit.plan.steps import Action, Options, Plan, Step

__all__ = ["Action", "Options", "Plan", "Step", "Want", "decide", "measured_parents", "plan"]
