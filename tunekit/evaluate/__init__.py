"""Predictions -> scores."""

from tunekit.evaluate.run import Answer, Evaluated, evaluate
from tunekit.evaluate.scores import METRICS, score

__all__ = ["METRICS", "Answer", "Evaluated", "evaluate", "score"]
