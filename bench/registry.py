"""How long the registry's questions take where it is large, beside what they can't be faster than.

    python bench/registry.py [ROUNDS] [JOBS] [POINTS]

Makes a registry of 10,000 jobs and 1,000,000 metric points, and asks it what people ask. Subjects
are run in turn, round by round, after one warm-up round; what counts is the ratio of medians within
the same run, for machines are noisy, and the processor's time where other work goes on beside it.

On 2 cores, otherwise idle, in November 2026, 1 round:

   wall  x floor  subject
    130     1.00  argparse + sqlite3 + rich table
    276     2.13  tunekit status
    267     2.06  tunekit status, filtered and sorted
    656     5.06  tunekit status -o json, all
    317     2.44  tunekit history
    443     3.37  tunekit history, filtered and sorted
    864     6.67  tunekit history -o csv, all 10,000
    301     2.32  tunekit history of one experiment
    419     3.23  tunekit show NAME@NUMBER
    300     2.31  tunekit metrics
    310     2.39  tunekit compare two
    369     2.85  tunekit compare ten
    317     2.45  tunekit why MODEL
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

JOBS_AN_EXPERIMENT = 2
DAY_S = 86_400.0
NOW_S = 1.79e9

# What such a command costs at the least: flags, SQLite, and a rich table of the 50 newest jobs.
FLOOR = """
import argparse, sqlite3, sys
argparse.ArgumentParser().parse_args([])
rows = sqlite3.connect(sys.argv.pop()).execute(
    "SELECT experiment, provider, base_model, state, loss FROM jobs ORDER BY id DESC LIMIT 50"
).fetchall()
from rich.console import Console
from rich.table import Table
table = Table()
for name in ("NAME", "PROVIDER", "BASE MODEL", "STATE", "LOSS"):
    table.add_column(name)
for row in rows:
    table.add_row(*map(str, row))
Console(force_terminal=True, width=120).print(table)
"""


def main(rounds: int, jobs: int, points: int) -> None:
    """Print a line a subject: its median, and its ratio to the floor of the same run."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.perf_counter()
        registry = fill(root, jobs=jobs, points=points)
        size = registry.stat().st_size / 1e6
        print(
            f"{jobs:,} jobs, {points:,} points, {size:,.0f} MB, "
            f"made in {time.perf_counter() - began:.0f} s"
        )
        python, tunekit = [sys.executable], [sys.executable, "-m", "tunekit"]
        one, other = name_of(jobs // 2), name_of(jobs // 2 + JOBS_AN_EXPERIMENT)
        asked = {
            "status": ["status"],
            "status, filtered and sorted": [
                *("status", "--state", "FAILED", "-l", "team=a", "--sort", "-loss")
            ],
            "status -o json, all": ["status", "-o", "json"],
            "history": ["history"],
            "history, filtered and sorted": [
                *("history", "--since", "2026-01-01", "-l", "team=a", "--sort", "loss")
            ],
            "history -o csv, all": ["history", "-o", "csv"],
            "history of one experiment": ["history", one],
            "show NAME@NUMBER": ["show", f"{one}@1"],
            "metrics": ["metrics", one],
            "compare two": ["compare", one, other],
            "compare ten": ["compare", *(name_of(n) for n in range(0, 20, 2))],
            "why MODEL": ["why", "models/model-77"],
        }
        subjects = {"argparse + sqlite3 + rich table": [*python, "-c", FLOOR, str(registry)]}
        subjects |= {f"tunekit {name}": [*tunekit, *words] for name, words in asked.items()}
        if shutil.which("script"):
            for name in ("status", "history"):
                shown = ["script", "-qec", " ".join([*tunekit, name]), "/dev/null"]
                subjects[f"tunekit {name}, on a terminal"] = shown
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
        for round_number in range(rounds + 1):
            for name, command in subjects.items():
                taken = run(command, root)
                if round_number:
                    times[name].append(taken)
    medians = {
        name: [statistics.median(kind) for kind in zip(*taken, strict=True)]
        for name, taken in times.items()
    }
    floor = next(iter(medians.values()))
    print("    wall       CPU  CPU beside the floor's")
    for name, (wall_s, cpu_s) in medians.items():
        print(f"{wall_s * 1000:5.0f} ms  {cpu_s * 1000:5.0f} ms  {cpu_s / floor[1]:5.2f} x  {name}")


def name_of(job: int) -> str:
    """Return the experiment of a job that is counted from 0."""
    return f"e{job // JOBS_AN_EXPERIMENT:05}"


def fill(root: Path, *, jobs: int, points: int) -> Path:
    """Write a registry as years of tuning leave it; return its place."""
    from tunekit.registry import Registry

    (root / "experiments").mkdir(parents=True)
    path = root / ".tunekit/registry.db"
    Registry.open(path).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO experiments (name, tags, description) VALUES (?, ?, 'one of many')",
            [
                (name_of(n), json.dumps({"team": "abc"[n // 2 % 3]}))
                for n in range(0, jobs, JOBS_AN_EXPERIMENT)
            ],
        )
        for number in range(jobs):
            put_job(connection, number, is_last=(number + 1) % JOBS_AN_EXPERIMENT == 0)
        connection.executemany(
            "INSERT INTO metric_points (job_id, metric, step, value, time_s) VALUES (?,?,?,?,?)",
            curves(jobs, points // jobs),
        )
        connection.executemany(
            "INSERT INTO evaluations (job_id, model, split, split_digest, rows, generation, "
            "scores, at_s, who) VALUES (?, ?, 'test', 't', 100, '{}', ?, ?, 'ana@desk')",
            [
                (n + 1, f"models/model-{n}", json.dumps({"exact_match": n % 97 / 97}), NOW_S)
                for n in range(0, jobs, 3)
            ],
        )
    connection.execute("PRAGMA optimize")
    connection.close()
    return path


def put_job(connection: sqlite3.Connection, number: int, *, is_last: bool) -> None:
    """Write one ended job, its revision and its events."""
    name, job_id = name_of(number), number + 1
    submitted_s = NOW_S - (10_000 - number) * DAY_S / 10
    state = "FAILED" if number % 17 == 0 else "SUCCEEDED"
    splits = {s: {"rows": 1000 + number, "characters": 99, "digest": f"{s}{number}"} for s in "ab"}
    document = {
        "name": name,
        "provider": "local",
        "base_model": "text-editor",
        "dataset": {
            "source": {"path": "data.jsonl"},
            "columns": {"input": "text", "output": "masked"},
            "prompt": "Mask: {input}",
            "split": {"train": 8, "test": 2},
        },
        "tuning": {"epochs": number % 5 + 1, "batch_size": 4},
    }
    identity = {
        "provider": "local",
        "base_model": "text-editor",
        "method": "supervised",
        "hyperparameters": document["tuning"],
        "dataset": {"train": f"a{number}", "validation": None, "system_instruction": None},
    }
    revision = f"{number:064x}"
    connection.execute(
        "INSERT INTO revisions VALUES (?, 'main', ?, ?, ?, ?, ?)",
        [
            *(name, revision, json.dumps(identity), json.dumps(document)),
            json.dumps({"fingerprint": revision, "splits": splits}),
            submitted_s,
        ],
    )
    if is_last:
        connection.execute(
            "INSERT INTO trials (experiment, key, revision, document, desired_state, "
            "is_protected) VALUES (?, 'main', ?, ?, 'tuned', 0)",
            [name, revision, json.dumps(document)],
        )
    values = {
        "id": job_id,
        "experiment": name,
        "trial": "main",
        "revision": revision,
        "number": number % JOBS_AN_EXPERIMENT + 1,
        "attempt": 1,
        "token": f"tk-{number}",
        "provider": "local",
        "base_model": "text-editor",
        "phase": "BOUND",
        "state": state,
        "reason": "tuning.epochs changed",
        "submitted_s": submitted_s,
        "started_s": submitted_s + 5,
        "ended_s": submitted_s + 600,
        "name": f"jobs/{number}",
        "error": "the service ran out of memory" if state == "FAILED" else "",
        "model": f"models/model-{number}",
        "endpoint": f"endpoints/endpoint-{number}",
        "checkpoints": json.dumps(
            [{"id": str(n), "model": f"models/model-{number}@{n}", "epoch": n} for n in (1, 2)]
        ),
        "completed_steps": 80,
        "total_steps": 80,
        "loss": 1 / (number % 90 + 1),
        "has_all_points": 1,
    }
    connection.execute(
        f"INSERT INTO jobs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        list(values.values()),
    )
    connection.executemany(
        'INSERT INTO events (at_s, experiment, job_id, kind, detail, who, command, "commit", '
        "is_dirty) VALUES (?, ?, ?, ?, ?, 'ana@desk', 'tunekit apply', ?, 0)",
        [
            (submitted_s, name, job_id, kind, "", f"{number:040x}")
            for kind in ("intent", "bound", "running", state.lower())
        ],
    )


def curves(jobs: int, each: int) -> Iterator[tuple[int, str, int, float, float]]:
    """Yield the points of every job: four of five are losses in training."""
    chance = random.Random(1)
    evals = each // 5
    for job_id in range(1, jobs + 1):
        floor = chance.random()
        for metric, count in (("/eval_total_loss", evals), ("/train_total_loss", each - evals)):
            for step in range(1, count + 1):
                value = floor + math.exp(-step / 20) + 0.05 * chance.random()
                yield job_id, metric, step, value, NOW_S + step


def run(command: list[str], where: Path) -> tuple[float, float]:
    """Run a command that must succeed; return its seconds by the clock and of the processor."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "COLUMNS": "120"}
    subprocess.run(command, cwd=where, env=environment, check=True, stdout=subprocess.DEVNULL)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return time.perf_counter() - began, cpu_s


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(5, 10_000, 1_000_000)[len(given) :])
