"""`base_model` as text and as a mapping: what an experiment goes on from, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tunekit.model import (
    Capabilities,
    Experiment,
    JobSpec,
    Parent,
    PreparedDataset,
    SplitInfo,
    Trial,
    TunedBase,
)
from tunekit.spec import Loaded, check_provider, from_document, load_experiments, to_yaml

RESOURCE = "projects/p/locations/us-central1/models/5@1"
DATA = PreparedDataset("f", {"train": SplitInfo(1, 2, "d")}, read=lambda split: iter(()))


def load(tmp_path: Path, **bases: str) -> Loaded:
    """Load one experiment a keyword: its name and its base_model as YAML."""
    for name, base in bases.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nprovider: vertex\nbase_model: {base}\n"
            "dataset: {source: {path: a.jsonl}, split: {train: 0.9, validation: 0.1}}\n"
        )
    return load_experiments(["."], root=tmp_path)


def one(tmp_path: Path, base: str) -> Experiment:
    loaded = load(tmp_path, parent="gemini-3.5-flash", child=base)
    assert loaded.problems == ()
    return next(e for e in loaded.experiments if e.name == "child")


@pytest.mark.parametrize(
    ("base", "shown", "parent"),
    [
        ("{experiment: parent}", "parent (last checkpoint)", Parent("parent")),
        (
            "{experiment: parent, checkpoint: best}",
            "parent (best checkpoint)",
            Parent("parent", "best"),
        ),
        ('{experiment: parent, checkpoint: "3"}', "parent (checkpoint 3)", Parent("parent", "3")),
    ],
)
def test_another_experiment_is_the_parent(
    tmp_path: Path, base: str, shown: str, parent: Parent
) -> None:
    experiment = one(tmp_path, base)
    assert (experiment.base_model, experiment.parent) == (shown, parent)
    assert experiment.base_checkpoint is None


@pytest.mark.parametrize(
    ("base", "model", "checkpoint"),
    [
        ("gemini-3.5-flash", "gemini-3.5-flash", None),
        (RESOURCE, RESOURCE, None),
        (f"{{model: {RESOURCE}}}", RESOURCE, None),
        (f"{{model: {RESOURCE}, checkpoint: last}}", RESOURCE, None),
        (f'{{model: {RESOURCE}, checkpoint: "3"}}', RESOURCE, "3"),
        ('{model: tunedModels/mine, checkpoint: "3"}', "tunedModels/mine", "3"),
    ],
)
def test_a_model_is_named_as_text_or_with_its_checkpoint(
    tmp_path: Path, base: str, model: str, checkpoint: str | None
) -> None:
    experiment = one(tmp_path, base)
    assert (experiment.base_model, experiment.base_checkpoint) == (model, checkpoint)
    assert experiment.parent is None


@pytest.mark.parametrize(
    "base", ["{experiment: parent, checkpoint: best}", f"{{model: {RESOURCE}}}"]
)
def test_a_record_and_its_yaml_give_the_same_base(tmp_path: Path, base: str) -> None:
    experiment = one(tmp_path, base)
    document = json.loads(json.dumps(experiment.document))
    again = from_document(document)
    assert (again.base_model, again.parent) == (experiment.base_model, experiment.parent)
    (tmp_path / "child.yaml").write_text(to_yaml(document))
    loaded = load_experiments(["child.yaml", "parent.yaml"], root=tmp_path)
    assert loaded.problems == ()
    assert loaded.experiments[0].document == experiment.document


def test_a_checkpoint_is_part_of_the_revision_and_reaches_the_provider(tmp_path: Path) -> None:
    plain = one(tmp_path, f"{{model: {RESOURCE}}}")
    third = one(tmp_path, f'{{model: {RESOURCE}, checkpoint: "3"}}')
    assert Trial.of(plain, DATA).digest != Trial.of(third, DATA).digest
    assert JobSpec.of(Trial.of(third, DATA)).base_checkpoint == "3"
    assert JobSpec.of(Trial.of(plain, DATA)).base_checkpoint is None
    # A parent's model and the same model by its name are one revision.
    child = one(tmp_path, "{experiment: parent}")
    assert Trial.of(child, DATA, base=TunedBase(RESOURCE, "3")).digest == (
        Trial.of(third, DATA).digest
    )


def test_an_old_revision_keeps_its_digest(tmp_path: Path) -> None:
    assert Trial.of(one(tmp_path, "gemini-3.5-flash"), DATA).digest == (
        "8ce76ed11a17b892d30347c7bf51d3020c69b229bb8d5e7f780c1c90e0116c08"
    )


def test_experiments_of_a_circle_are_not_valid_and_their_ancestors_are(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        a="{experiment: b}",
        b="{experiment: a}",
        c="{experiment: d}",
        d="gemini-3.5-flash",
    )
    assert [experiment.name for experiment in loaded.experiments] == ["c", "d"]
    assert [problem.fact for problem in loaded.problems] == [
        "base_model.experiment is b, which leads back here: a -> b -> a",
        "base_model.experiment is a, which leads back here: b -> a -> b",
    ]


def test_a_long_circle_is_cut_short(tmp_path: Path) -> None:
    ring = {f"e{n}": f"{{experiment: e{(n + 1) % 50}}}" for n in range(50)}
    loaded = load(tmp_path, **ring)
    assert loaded.experiments == ()
    assert len(loaded.problems) == 50
    assert all("-> … ->" in problem.fact for problem in loaded.problems)


def test_a_long_line_of_parents_is_fine(tmp_path: Path) -> None:
    line = {f"e{n}": f"{{experiment: e{n + 1}}}" for n in range(300)}
    loaded = load(tmp_path, e300="gemini-3.5-flash", **line)
    assert loaded.problems == ()
    assert len(loaded.experiments) == 301


def test_a_parent_that_only_the_registry_may_have_is_a_warning(tmp_path: Path) -> None:
    loaded = load(tmp_path, child="{experiment: recorded}")
    assert len(loaded.experiments) == 1
    assert [str(problem) for problem in loaded.problems] == [
        (
            "child.yaml:3:14: warning: base_model.experiment is recorded, which these files do not "
            "have; check the name, unless the registry has the experiment"
        )
    ]


def test_a_parent_whose_own_file_is_faulty_is_not_called_missing(tmp_path: Path) -> None:
    loaded = load(tmp_path, parent="[", child="{experiment: parent}")
    assert [problem.where.path for problem in loaded.problems if problem.where] == ["parent.yaml"]


CAPABILITIES = Capabilities(
    methods=frozenset({"supervised"}),
    hyperparameters={},
    base_models=("gemini-3.5-flash",),
    knows_all_base_models=True,
)


@pytest.mark.parametrize("base", ["{experiment: parent}", f"{{model: {RESOURCE}}}", RESOURCE])
def test_tuned_models_are_for_providers_that_can_tune_them_further(
    tmp_path: Path, base: str
) -> None:
    experiment = one(tmp_path, base)
    (problem,) = check_provider(experiment, kind="local", capabilities=CAPABILITIES)
    assert str(problem).startswith("child.yaml:3:1: base_model is ")
    assert "a tuned one, which local can't tune further; write an untuned one's" in str(problem)
    can = replace(CAPABILITIES, can_continue=True)
    assert check_provider(experiment, kind="vertex", capabilities=can) == []


def test_a_publishers_model_is_no_tuned_one(tmp_path: Path) -> None:
    base = "projects/p/locations/us-central1/publishers/google/models/gemini-3.5-flash"
    (problem,) = check_provider(one(tmp_path, base), kind="vertex", capabilities=CAPABILITIES)
    assert "which vertex does not have" in problem.fact
