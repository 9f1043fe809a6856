"""An experiment against a provider's capabilities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunekit.model import (
    Capabilities,
    DatasetSpec,
    EvaluationSpec,
    Experiment,
    Hyperparameter,
    Lifecycle,
    Limits,
    Location,
    Severity,
    Source,
    Tuning,
)
from tunekit.spec import check_provider

EXPERIMENT = Experiment(
    name="qa",
    provider="vertex",
    base_model="gemini-3.5-flash",
    dataset=DatasetSpec(
        source=Source(path="a.jsonl"),
        columns={"input": "input", "output": "output"},
        prompt="{input}",
        split={"train": 1.0},
    ),
    tuning=Tuning(),
    evaluate=EvaluationSpec(),
    limits=Limits(),
    lifecycle=Lifecycle(),
    where=Location("x.yaml", 1, 1),
    places={"tuning.epochs": Location("x.yaml", 9, 3)},
)
CAPABILITIES = Capabilities(
    methods=frozenset({"supervised"}),
    hyperparameters={
        "epochs": Hyperparameter(minimum=1, maximum=100),
        "adapter_size": Hyperparameter(choices=(1, 4)),
    },
    base_models=("gemini-3.5-flash",),
    knows_all_base_models=True,
)


def told(tuning: Tuning, capabilities: Capabilities = CAPABILITIES) -> list[str]:
    experiment = replace(EXPERIMENT, tuning=tuning)
    return [str(p) for p in check_provider(experiment, kind="vertex", capabilities=capabilities)]


def test_what_fits_has_no_problem() -> None:
    assert told(Tuning(epochs=1, adapter_size=4)) == []
    assert told(Tuning(epochs=100)) == []


@pytest.mark.parametrize(
    ("tuning", "problem"),
    [
        (Tuning(epochs=0), "x.yaml:9:3: tuning.epochs is 0; vertex needs at least 1"),
        (Tuning(epochs=101), "x.yaml:9:3: tuning.epochs is 101; vertex takes at most 100"),
        (Tuning(adapter_size=3), "x.yaml:1:1: tuning.adapter_size is 3; vertex takes 1 or 4"),
        (Tuning(batch_size=4), "x.yaml:1:1: tuning.batch_size is not taken by vertex; remove it"),
        (
            Tuning(method="preference"),
            "x.yaml:1:1: tuning.method is preference; vertex supports supervised only",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tuning: Tuning, problem: str) -> None:
    assert told(tuning) == [problem]


def test_the_other_learning_rate_is_offered_where_it_is_taken() -> None:
    takes = replace(CAPABILITIES, hyperparameters={"learning_rate_multiplier": Hyperparameter()})
    (problem,) = told(Tuning(learning_rate=0.1), takes)
    assert "or write learning_rate_multiplier" in problem


def test_an_unknown_base_model_is_an_error_only_where_all_are_known() -> None:
    experiment = replace(EXPERIMENT, base_model="gemini-3.5-flsh")
    for knows_all, severity in ((True, Severity.ERROR), (False, Severity.WARNING)):
        capabilities = replace(CAPABILITIES, knows_all_base_models=knows_all)
        (problem,) = check_provider(experiment, kind="vertex", capabilities=capabilities)
        assert problem.severity is severity
        assert problem.remedy == "did you mean gemini-3.5-flash?"


def test_a_provider_that_lists_no_models_takes_any() -> None:
    capabilities = replace(CAPABILITIES, base_models=(), knows_all_base_models=False)
    assert check_provider(EXPERIMENT, kind="vertex", capabilities=capabilities) == []


def test_keeping_the_last_checkpoint_only_is_refused_where_there_is_no_choice() -> None:
    tuning = Tuning(export_last_checkpoint_only=True)
    assert told(tuning) == [
        "x.yaml:1:1: tuning.export_last_checkpoint_only is not taken by vertex; remove it"
    ]
    assert told(tuning, replace(CAPABILITIES, has_checkpoint_choice=True)) == []


def test_a_system_instruction_is_refused_where_there_is_none() -> None:
    dataset = replace(EXPERIMENT.dataset, system_instruction="Be brief.")
    capabilities = replace(CAPABILITIES, has_system_instruction=False)
    (problem,) = check_provider(
        replace(EXPERIMENT, dataset=dataset), kind="gemini-api", capabilities=capabilities
    )
    assert "not taken by gemini-api" in problem.fact
