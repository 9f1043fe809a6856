"""Desired x recorded -> Plan, in pure code."""

from tunekit.plan.decide import Want, decide, plan
from tunekit.plan.steps import Action, Options, Plan, Step

__all__ = ["Action", "Options", "Plan", "Step", "Want", "decide", "plan"]
