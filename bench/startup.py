"""How long commands take that do little, beside what they can't be faster than.

    python bench/startup.py [ROUNDS]

Subjects are run in turn, round by round, after one warm-up round; what counts is the ratio of
medians within the same run, for machines are noisy.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPECS = 1000
JOBS = 200

SPEC = """\
name: e{number:04}
description: one of many
tags: {{team: bench}}
provider: local
base_model: text-editor
dataset:
  source: {{path: data.jsonl}}
  columns: {{input: text, output: masked}}
  prompt: "Mask {number}: {{input}}"
  split: {{train: 8, test: 2}}
tuning: {{epochs: 1, batch_size: 4}}
evaluate: {{metrics: [exact_match], generation: {{temperature: 0}}}}
lifecycle: {{state: cancelled, on_change: finish, retries: 1}}
"""

# What a status command costs at the least: flags, SQLite, and a rich table of 50 rows.
FLOOR = """
import argparse, sqlite3, sys
argparse.ArgumentParser().parse_args([])
rows = sqlite3.connect(sys.argv.pop()).execute(
    "SELECT experiment, provider, base_model, state, loss FROM jobs LIMIT 50").fetchall()
from rich.console import Console
from rich.table import Table
table = Table()
for name in ("NAME", "PROVIDER", "BASE MODEL", "STATE", "LOSS"):
    table.add_column(name)
for row in rows:
    table.add_row(*map(str, row))
Console(force_terminal=True, width=120).print(table)
"""

# The obvious way to validate the same specs.
NAIVE = """
import json, pathlib, sys, yaml, jsonschema
schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
for path in sorted(pathlib.Path("experiments").glob("*.yaml")):
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))
"""


def main(rounds: int) -> None:
    """Print a line a subject: its median, and its ratio to the peer named beside it."""
    schema = Path(__file__).parents[1] / "schemas/experiment.schema.json"
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder, "many"), Path(folder, "few")
        make_project(many, SPECS)
        make_project(few, 1)
        fill(few)
        python, tunekit = [sys.executable], [sys.executable, "-m", "tunekit"]
        terminal = ["script", "-qec", " ".join([*tunekit, "status"]), "/dev/null"]
        registry = str(few / ".tunekit/registry.db")
        subjects = {
            "python -c pass": ([*python, "-c", "pass"], few),
            "argparse + sqlite3 + rich table": ([*python, "-c", FLOOR, registry], few),
            f"SafeLoader + jsonschema, {SPECS:,} specs": (
                [*python, "-c", NAIVE, str(schema)],
                many,
            ),
            "tunekit --help": ([*tunekit, "--help"], few),
            f"tunekit status -o json, {JOBS} jobs": ([*tunekit, "status", "-o", "json"], few),
            f"tunekit plan, {SPECS:,} specs, nothing to do": ([*tunekit, "plan"], many),
        }
        if shutil.which("script"):
            subjects[f"tunekit status, {JOBS} jobs, on a terminal"] = (terminal, few)
        for command, where in subjects.values():
            run(command, where)
        times: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, (command, where) in subjects.items():
                times[name].append(run(command, where))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    floor, naive = list(medians)[1:3]
    for name, median in medians.items():
        peer = naive if "specs" in name else floor
        print(f"{median * 1000:8.0f} ms  {median / medians[peer]:5.2f} x {peer:40} {name}")


def make_project(root: Path, specs: int) -> None:
    (root / "experiments").mkdir(parents=True)
    row = '{"text": "call Ana", "masked": "call [NAME]"}\n'
    (root / "data.jsonl").write_text(row * 10)
    for number in range(specs):
        (root / f"experiments/e{number:04}.yaml").write_text(SPEC.format(number=number))
    run([sys.executable, "-m", "tunekit", "plan"], root)


def fill(root: Path) -> None:
    """Put ended jobs into the registry, as if so many experiments had been tuned."""
    import sqlite3

    connection = sqlite3.connect(root / ".tunekit/registry.db")
    with connection:
        for number in range(JOBS):
            name = f"e{number:04}"
            connection.execute("INSERT INTO experiments (name, tags) VALUES (?, '{}')", [name])
            connection.execute(
                "INSERT INTO trials (experiment, key, revision, document, desired_state, "
                "is_protected) VALUES (?, 'main', 'r', '{}', 'tuned', 0)",
                [name],
            )
            connection.execute(
                "INSERT INTO jobs (experiment, trial, revision, number, attempt, token, provider, "
                "base_model, phase, state, reason, submitted_s, checkpoints, loss, has_all_points) "
                "VALUES (?, 'main', 'r', 1, 1, ?, 'local', 'text-editor', 'BOUND', 'SUCCEEDED', "
                "'new', 1.7e9, '[]', 0.1, 1)",
                [name, f"tk-{number}"],
            )
    connection.close()


def run(command: list[str], where: Path) -> float:
    began = time.perf_counter()
    environment = {**os.environ, "COLUMNS": "120"}
    subprocess.run(command, cwd=where, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
