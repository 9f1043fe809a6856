"""Experiments from the record: plain data that was valid when it was written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunekit.model import Experiment
from tunekit.spec.experiment import build_experiment
from tunekit.spec.nodes import Document, Node


def from_document(data: Mapping[str, Any]) -> Experiment:
    """Return the experiment that a recorded document describes; its places are unknown."""
    return build_experiment(data, Document("the registry", Node(data, 0, 0)))
