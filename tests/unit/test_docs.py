"""A command, field, exit code or planning case that the README lacks fails here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
import pytest

from tests.conftest import ROOT
from tunekit.cli.root import COMMANDS, group
from tunekit.evaluate import METRICS
from tunekit.plan import Action, Want
from tunekit.providers.local import training

README = (ROOT / "README.md").read_text(encoding="utf-8")


def fields(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, inner in schema.get("properties", {}).items():
        name = f"{path}.{key}" if path else key
        yield name
        yield from fields(inner, name)


def spec_fields() -> list[str]:
    return list(fields(json.loads((ROOT / "schemas/experiment.schema.json").read_text())))


def project_fields() -> list[str]:
    return list(fields(json.loads((ROOT / "schemas/project.schema.json").read_text())))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_an_example(name: str) -> None:
    assert f"| `tunekit {name}" in README
    command = import_module(f"tunekit.cli.commands.{name}").command
    assert isinstance(command, click.Command)
    assert command.epilog is not None
    assert f"tunekit {name}" in command.epilog
    assert (command.help or "").split("\n")[0] == COMMANDS[name]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


def test_commands_that_print_data_take_json() -> None:
    # `report -o` names the file that it writes.
    printing = set(COMMANDS) - {"init", "completion", "report"}
    for name in printing:
        command = import_module(f"tunekit.cli.commands.{name}").command
        for one in parts_of(command):
            formats = [p.type.choices for p in one.params if "-o" in p.opts]
            assert formats, one.name
            assert "json" in formats[0], one.name


def parts_of(command: click.Command) -> list[Any]:
    """Return the commands of a group, or the command."""
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


def test_each_command_of_a_group_is_in_the_readme_and_has_an_example() -> None:
    parts = []
    for name in COMMANDS:
        command = import_module(f"tunekit.cli.commands.{name}").command
        parts += [(name, one) for one in parts_of(command) if one is not command]
    assert parts
    for name, one in parts:
        assert f"`tunekit {name} {one.name}" in README
        assert f"tunekit {name} {one.name}" in one.epilog
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {one.name} {parameter.opts}"


@pytest.mark.parametrize("field", spec_fields() + project_fields())
def test_every_field_is_in_the_readme(field: str) -> None:
    assert f"`{field}`" in README


def test_the_check_of_fields_can_fail() -> None:
    assert "`dataset.unheard_of`" not in README
    assert len(spec_fields()) > 30


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "4", "5", "102", "100, 101, 103", "130"])
def test_every_exit_code_is_in_the_readme(code: str) -> None:
    assert f"| {code} |" in README
    for part in code.split(", "):
        assert re.search(rf"\b{part}\b", group.help or ""), part


def test_every_planning_action_is_in_the_readme() -> None:
    table = README.split("## What plan decides")[1].split("\n## ")[0]
    for action in Action:
        assert f"`{action}`" in table, action
    for want in Want:
        assert want.value in table


def test_base_models_and_metrics_are_in_the_readme() -> None:
    for name in (*training.BASE_MODELS, *METRICS):
        assert f"`{name}`" in README, name


def test_the_readme_shows_yaml_that_is_valid(tmp_path: Any) -> None:
    from tunekit import spec

    blocks = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    experiments = [block for block in blocks if "\nname: " in block]
    assert experiments
    for number, block in enumerate(experiments):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    assert spec.load_experiments([str(tmp_path)], root=tmp_path).problems == ()
