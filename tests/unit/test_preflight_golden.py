"""Bad data sets, one defect each: what is said of them, word for word.

TUNEKIT_UPDATE_GOLDEN=1 writes the files afresh; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tunekit.cli.context import App
from tunekit.cli.examine import examine
from tunekit.dataset.preflight.rules import PROVIDER_RULES, RULES
from tunekit.model import Finding
from tunekit.spec import load_experiments

GOLDEN = ROOT / "tests/golden/datasets"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
# What only a data set too large for a repository would show.
TOO_LARGE_TO_KEEP = {"too-many-rows", "too-many-validation-rows", "too-large"}


def findings(name: str, registry: Path) -> list[Finding]:
    loaded = load_experiments([f"{name}.yaml"], root=GOLDEN)
    assert loaded.problems == ()
    app = App(project_dir=GOLDEN, registry_path=registry, environ={})
    return [f for experiment in loaded.experiments for f in examine(app, experiment)]


def test_there_are_enough_bad_data_sets_and_each_has_its_golden_file() -> None:
    assert len(NAMES) >= 30
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_data_set_has_one_finding_that_names_its_row(name: str, tmp_path: Path) -> None:
    found = findings(name, tmp_path / "registry.db")
    told = "".join(f"{finding.problem()}\n" for finding in found)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("TUNEKIT_UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert len(found) == 1
    assert not list(tmp_path.iterdir())


def test_every_rule_has_a_bad_data_set() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt"))
    shown = {rule for rule in (*RULES, *PROVIDER_RULES) if f"[{rule}]" in told}
    assert {*RULES, *PROVIDER_RULES} - shown == TOO_LARGE_TO_KEEP
