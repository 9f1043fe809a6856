"""What people install: the wheel brings the schemas, and works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it, without its dependencies, into a folder of its own."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    target = place / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def run(site: Path, where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_installed_package_is_the_one_under_test(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "-c", "import tunekit; print(tunekit.__file__)")
    assert done.stdout.startswith(str(installed))


def test_schemas_ship_inside_and_are_used(installed: Path, tmp_path: Path) -> None:
    for name in ("experiment", "project"):
        shipped = installed / f"tunekit/schemas/{name}.schema.json"
        assert shipped.read_bytes() == (ROOT / f"schemas/{name}.schema.json").read_bytes()
    code = "from tunekit.spec import schema_text; print(len(schema_text('experiment')))"
    done = run(installed, tmp_path, "-c", code)
    assert int(done.stdout) == len((ROOT / "schemas/experiment.schema.json").read_text())


def test_a_new_project_runs_to_its_end(installed: Path, tmp_path: Path) -> None:
    for arguments in (
        ["init"],
        ["validate"],
        ["apply", "-y", "--wait"],
        ["evaluate", "example"],
    ):
        done = run(installed, tmp_path, "-m", "tunekit", *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    assert (tmp_path / "schemas/experiment.schema.json").exists()
    assert "SUCCEEDED" in run(installed, tmp_path, "-m", "tunekit", "status").stdout
    broken = (tmp_path / "experiments/example.yaml").read_text().replace("epochs", "epoch")
    (tmp_path / "experiments/example.yaml").write_text(broken)
    refused = run(installed, tmp_path, "-m", "tunekit", "validate")
    assert refused.returncode == 2
    assert "did you mean `epochs`?" in refused.stderr


def test_the_wheel_holds_code_and_schemas_only(installed: Path) -> None:
    (wheel,) = installed.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("tunekit/", "tunekit-")) for name in names)
    assert not [name for name in names if name.endswith((".jsonl", ".csv", ".db"))]
