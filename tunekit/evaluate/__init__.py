"""Predictions -> scores, how sure they are, and whether they are good enough."""

from tunekit.evaluate.scores import METRICS

__all__ = ["METRICS"]
