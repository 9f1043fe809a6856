"""Which way imports point, and what start-up must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project

PACKAGE = ROOT / "tunekit"

# What each part of tunekit may import of the others. Nothing imports `cli`.
ALLOWED = {
    "model": set(),
    "errors": {"model"},
    "plan": {"model", "errors"},
    "spec": {"model", "errors"},
    "dataset": {"model", "errors"},
    "registry": {"model", "errors"},
    "providers": {"model", "errors"},
    "evaluate": {"model", "errors", "plan"},
    "export": {"model", "errors"},
    "observe": {"model", "errors", "registry", "providers"},
    "retry": {"model", "errors", "providers"},
    "intents": {"model", "errors", "providers", "observe", "retry"},
    "outlook": {"model", "errors", "registry", "providers", "plan"},
    "refusals": {"model", "errors", "observe", "outlook", "plan"},
    "apply": {
        *("model", "errors", "registry", "providers", "observe", "outlook", "plan", "retry"),
        *("intents", "refusals"),
    },
    "views": {"model", "errors", "plan", "evaluate", "spec"},
    "report": {"model", "errors", "evaluate", "registry", "views"},
    "cli": {
        *("model", "errors", "plan", "spec", "dataset", "registry", "providers"),
        *("evaluate", "observe", "outlook", "refusals", "retry", "apply", "views", "emulator"),
        *("export", "report"),
    },
    # It tests the providers, so it must not share their code.
    "emulator": {"model", "errors", "providers.local.training"},
}

# Each dependency has one home.
HOMES = {
    "click": "cli",
    "yaml": "spec",
    "jsonschema": "spec",
    "jsonschema_rs": "spec",
    "sqlite_utils": "registry",
    "sqlite3": "registry",
    "rich": "views",
    "plotext": "views",
    "matplotlib": "views",
    "sacrebleu": "evaluate",
    "numpy": "providers",
    "scipy": "providers",
    "sklearn": "providers",
    "google": "providers",
    "ftfy": "dataset",
    "rapidfuzz": "dataset",
    "requests": "providers",
    "urllib3": "providers",
    "datasets": "dataset",
    "huggingface_hub": "dataset",
    "pyarrow": "dataset",
    "mlflow": "export",
    "tensorboard": "export",
    "starlette": "emulator",
    "uvicorn": "emulator",
}
# cli draws one thing by itself: the bar of `evaluate`.
# dataset reads ready-made rows from Cloud Storage, and its preflight looks at many rows at once.
# evaluate computes over many rows.
ALSO = {
    *(("numpy", "evaluate"), ("scipy", "evaluate"), ("rapidfuzz", "evaluate")),
    *(("rich", "cli"), ("google", "dataset"), ("requests", "dataset"), ("urllib3", "dataset")),
    ("numpy", "dataset"),
    ("pyarrow", "views"),  # metrics --out FILE.parquet
}

HEAVY = (
    *("pandas", "numpy", "scipy", "sklearn", "datasets", "sqlite_utils", "jsonschema"),
    "sacrebleu",
    *("google", "vertexai", "plotext", "requests", "httpx", "starlette", "uvicorn"),
    *("pyarrow", "huggingface_hub", "matplotlib"),
    *("ftfy", "rapidfuzz"),
    *("mlflow", "sqlalchemy", "tensorboard"),
)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield every module a file imports, and whether at its top level."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "tunekit":
                yield from ((f"tunekit.{alias.name}", id(node) in top) for alias in node.names)
            else:
                yield node.module, id(node) in top


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if part_of(p) not in ("__init__", "__main__")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    for module, _ in imports(path):
        top, _, rest = module.partition(".")
        if top == "tunekit" and rest:
            other = rest.split(".")[0]
            is_allowed = other == part or other in ALLOWED[part] or other == "__version__"
            # A rule may also name one package inside a part.
            is_allowed |= any(f"{rest}.".startswith(f"{name}.") for name in ALLOWED[part])
            assert is_allowed, module
        elif top in HOMES:
            assert HOMES[top] == part or (top, part) in ALSO, f"{part} imports {module}"


def test_providers_know_neither_each_other_nor_the_registry() -> None:
    for path in (PACKAGE / "providers").rglob("*.py"):
        mine = path.relative_to(PACKAGE / "providers").parts[0]
        for module, _ in imports(path):
            if module.startswith("tunekit.providers.") and mine != "__init__.py":
                other = module.split(".")[2]
                # What Google's two providers share; it knows no provider itself.
                is_shared = other == "google"
                assert other in (mine, "base") or is_shared, f"{path.name}: {module}"


def test_only_the_contract_suite_needs_pytest_and_nothing_needs_the_suite() -> None:
    suite = PACKAGE / "providers/contract"
    for path in PACKAGE.rglob("*.py"):
        if not path.is_relative_to(suite):
            modules = {module for module, _ in imports(path)}
            assert not any(f"{m}.".startswith("tunekit.providers.contract.") for m in modules), path
            assert not any(m.partition(".")[0] in ("pytest", "_pytest") for m in modules), path


def test_the_trainer_stands_alone() -> None:
    """An emulator may use the trainer without sharing a line with the providers."""
    for path in (PACKAGE / "providers/local/training").rglob("*.py"):
        ours = [module for module, _ in imports(path) if module.startswith("tunekit")]
        assert all(m.startswith("tunekit.providers.local.training") for m in ours), path.name


def loaded_by(project: Project, *arguments: str) -> set[str]:
    """Return every module that a whole command imported, as -X importtime lists them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tunekit", *arguments],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (t for t in done.stderr.splitlines() if t.startswith("import time:"))
    return {text.rpartition("|")[2].strip() for text in lines}


def heavy(modules: set[str]) -> set[str]:
    return {m for m in modules if m.split(".")[0] in HEAVY}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["status"],
        ["status", "-o", "json"],
        ["history"],
        ["plan"],
        ["apply", "-y"],
        ["validate"],
        ["wait", "mask"],
    ],
)
def test_a_no_op_loads_nothing_heavy_and_starts_no_worker(
    tuned: Project, arguments: list[str]
) -> None:
    folders = tuned.folders()
    modules = loaded_by(tuned, *arguments)
    assert heavy(modules) == set()
    assert "tunekit.providers.local.worker" not in modules
    if arguments != ["--help"]:
        assert not any(m.split(".")[0] == "rich" for m in modules)  # not a terminal
    assert tuned.folders() == folders
    assert tuned.workers() == []


def test_an_invalid_spec_is_what_loads_jsonschema(project: Project) -> None:
    """The check above can fail: this command does load something heavy."""
    project.write("experiments/mask.yaml", "name: mask\n")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tunekit", "validate"],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "jsonschema" in done.stderr


def test_modules_stay_small() -> None:
    sizes = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
