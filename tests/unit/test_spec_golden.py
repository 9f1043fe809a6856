"""Broken specs and, word for word, what a person is told about each.

After changing a sentence: TUNEKIT_UPDATE_GOLDEN=1 pytest tests/unit/test_spec_golden.py, then read
the difference as a user would.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunekit.model import Capabilities, Hyperparameter
from tunekit.spec import check_provider, load_experiments

GOLDEN = Path(__file__).parents[1] / "golden" / "specs"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))

SAMPLE = Capabilities(
    methods=frozenset({"supervised"}),
    hyperparameters={
        "epochs": Hyperparameter(minimum=1, maximum=100),
        "learning_rate_multiplier": Hyperparameter(minimum=0.001, maximum=10),
        "adapter_size": Hyperparameter(choices=(1, 2, 4, 8, 16)),
    },
    base_models=("gemini-3.5-flash", "gemini-3.1-flash-lite"),
    knows_all_base_models=True,
    has_system_instruction=False,
)


def told(name: str) -> str:
    loaded = load_experiments([f"{name}.yaml"], root=GOLDEN)
    problems = list(loaded.problems)
    for experiment in loaded.experiments:
        if experiment.provider == "vertex":
            problems += check_provider(experiment, kind="vertex", capabilities=SAMPLE)
    return "".join(f"{problem}\n" for problem in problems)


def test_there_are_enough_broken_specs() -> None:
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_spec_is_explained_word_for_word(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("TUNEKIT_UPDATE_GOLDEN"):
        golden.write_text(told(name), encoding="utf-8")
    assert told(name) == golden.read_text(encoding="utf-8")
    assert told(name), "a broken spec has at least one problem"
