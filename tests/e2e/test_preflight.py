"""`validate --data`, and the same look before every submit, as a user meets them."""

from __future__ import annotations

import json

from tests.conftest import Project, rows


def spoil(project: Project, line: int, **changes: object) -> None:
    """Change one row of the project's data."""
    lines = rows(100).splitlines()
    lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **changes})
    project.write("data.jsonl", "\n".join(lines) + "\n")


def test_a_warning_is_said_and_fails_only_where_asked(project: Project) -> None:
    project.spec()
    spoil(project, 7, masked="nan")
    seen = project.run("validate", "--data")
    assert seen.returncode == 0
    assert "data.jsonl:7: warning: 1 train row with an answer such as nan" in seen.stderr
    strict = project.run("validate", "--data", "--fail-on", "warning")
    assert strict.returncode == 2
    assert project.run("validate", "--fail-on", "warning").returncode == 0


def test_an_error_names_every_row_of_its_kind(project: Project) -> None:
    project.spec()
    lines = rows(100).splitlines()
    for number in (3, 30, 90):
        lines[number] = json.dumps({"message": "no answer"})
    project.write("data.jsonl", "\n".join(lines) + "\n")
    seen = project.run("validate", "--data")
    assert seen.returncode == 2
    assert (
        "3 rows where column 'masked' is missing (lines 4, 31, 91) [missing-value]" in seen.stderr
    )
    assert "Traceback" not in seen.stderr


def test_json_has_the_findings_with_rule_place_and_lines(project: Project) -> None:
    project.spec()
    spoil(project, 62, masked=" ")
    seen = project.run("validate", "--data", "-o", "json")
    document = json.loads(seen.stdout)
    assert seen.returncode == 2
    assert document["schema"] == "tunekit.validate/1"
    finding = next(f for f in document["findings"] if f["severity"] == "error")
    assert finding["rule"] == "empty-answer"
    assert finding["where"] == {"path": "data.jsonl", "line": 62, "column": 0}
    assert (finding["experiment"], finding["split"]) == ("mask", "validation")
    assert (finding["row"], finding["places"], finding["count"]) == (62, ["data.jsonl:62"], 1)
    assert "findings" not in json.loads(project.run("validate", "-o", "json").stdout)


def test_an_error_in_the_data_refuses_plan_and_apply(project: Project) -> None:
    project.spec()
    spoil(project, 5, masked="")
    planned = project.run("plan")
    assert planned.returncode == 2
    assert "data.jsonl:5: 1 train row with an empty answer" in planned.stderr
    applied = project.run("apply", "-y")
    assert applied.returncode == 2
    assert "[empty-answer]" in applied.stderr
    assert project.folders() == []
    spoil(project, 5)
    assert project.run("apply", "-y", "--wait").returncode == 0


def test_a_warning_in_the_data_is_said_by_each_plan_until_it_is_submitted(project: Project) -> None:
    project.spec()
    spoil(project, 5, masked="nan")
    for _ in range(2):  # the second one has it from the registry
        planned = project.run("plan")
        assert planned.returncode == 0
        assert planned.stderr.count("[null-text]") == 1
    assert project.run("apply", "-y", "--wait").returncode == 0
    assert "[null-text]" not in project.run("plan").stderr


def test_rows_of_several_files_are_named_by_their_own_file_and_line(project: Project) -> None:
    lines = rows(100).splitlines()
    project.write("part-1.jsonl", "\n".join(lines[:40]) + "\n")
    lines[52] = json.dumps({**json.loads(lines[52]), "message": " "})
    lines[60] = json.dumps({**json.loads(lines[60]), "masked": "a\u0007b"})
    project.write("part-2.jsonl", "\n".join(lines[40:]) + "\n")
    project.spec()
    spec = (project.root / "experiments/mask.yaml").read_text()
    project.write("experiments/mask.yaml", spec.replace("data.jsonl", "part-*.jsonl"))
    seen = project.run("validate", "--data")
    assert "part-2.jsonl:13: 1 train row with an empty input (line 13)" in seen.stderr
    assert "part-2.jsonl:21: warning: 1 validation row with a control character" in seen.stderr


def test_nothing_is_found_in_the_example_that_init_writes(project: Project) -> None:
    project.ok("init", "new")
    done = project.run("validate", "--project", "new", "--data", "--fail-on", "warning")
    assert (done.returncode, done.stderr) == (0, "")
