"""Whatever is in a file, loading it ends in experiments and problems, never in an exception."""

from __future__ import annotations

import contextlib
import json
import random
from functools import partial
from pathlib import Path

import pytest

from tunekit.errors import SpecError
from tunekit.model import Capabilities, Hyperparameter
from tunekit.spec import check_provider, load_experiments, load_project

GOLDEN = Path(__file__).parents[1] / "golden" / "specs"
SEEDS = [path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.yaml"))] + [
    """\
name: pii-masking
tags: {team: privacy}
provider: vertex
base_model: gemini-3.5-flash
dataset:
  source: {hub: a/b, split: train, revision: abc}
  columns: {input: unmasked_text, output: masked_text}
  prompt: |
    Mask: {input}
  take: 2000
  shuffle: {seed: 7}
  split: {train: 1900, test: 100}
tuning: {method: supervised, epochs: 2, learning_rate: 0.001, adapter_size: 4}
evaluate: {split: test, metrics: [exact_match], generation: {temperature: 0, top_k: 1}}
limits: {max_cost_usd: 25, max_duration: 4h}
lifecycle: {state: tuned, on_change: replace, retries: 1, protect: false}
"""
] * 8
PIECES = [
    *"{}[]:,-?&*!|>'\"%@`#~\\\t\r\n ",
    *(
        "- ",
        ": ",
        "? ",
        "---\n",
        "...\n",
        "&a ",
        "*a",
        "<<: *a\n",
        "!!python/name:os.x ",
        "${env:A}",
    ),
    *("null", "true", "no", "1e400", ".nan", "010", "0.5", "-1", "1:30", "\ufeff", "\x00", "\x85"),
    *("\u2028", "é", "\U0001f600", "{input}", "dataset:\n", "  path: a\n", "split: {train: 1}\n"),
    *('"\\ud800"', '"\\x00"', "9" * 40, "[" * 70, "0x", "\xff"),
]
CAPABILITIES = Capabilities(
    methods=frozenset({"supervised"}),
    hyperparameters={"epochs": Hyperparameter(minimum=1, maximum=3)},
    base_models=("gemini-3.5-flash",),
    knows_all_base_models=True,
    has_system_instruction=False,
)


def mutated(random_: random.Random) -> bytes:
    text = random_.choice(SEEDS)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(text) + 1)
        end = min(len(text), at + random_.choice([0, 0, 1, 3, 20]))
        match random_.randrange(5):
            case 0 | 1:
                text = text[:at] + random_.choice(PIECES) + text[end:]
            case 2:
                text = text[:at] + text[end:]
            case 3:
                lines = text.splitlines(keepends=True)
                random_.shuffle(lines)
                text = "".join(lines)
            case _:
                other = random_.choice(SEEDS)
                text = text[:at] + other[random_.randrange(len(other)) :]
    data = text.encode("utf-8", "surrogatepass")
    if random_.random() < 0.05:
        data = data[: len(data) // 2] + bytes([random_.randrange(256)]) + data[len(data) // 2 :]
    return data


@pytest.mark.parametrize("part", range(4))
def test_mutated_specs_end_in_problems_only(part: int) -> None:
    random_ = random.Random(f"tunekit {part}")
    for _ in range(500):
        data = mutated(random_)
        loaded = load_experiments(["-"], root=GOLDEN, stdin=partial(bytes, data))
        for experiment in loaded.experiments:
            json.dumps(experiment.document, allow_nan=False)
            assert dict(experiment.places)
            check_provider(experiment, kind="vertex", capabilities=CAPABILITIES)
        for problem in loaded.problems:
            assert str(problem).startswith("<stdin>")
            assert "\n" not in str(problem)
            assert "not YAML" not in str(problem), data
            assert "does not fit the schema" not in str(problem), data


def test_mutated_values_end_in_problems_only(tmp_path: Path) -> None:
    """Values of every type at every key: the translations meet what they did not expect."""
    random_ = random.Random("values")
    values = [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "no",
        "90%",
        [],
        [1],
        {},
        {"a": None},
        {"train": 2},
        "x" * 99,
        "preference",
        "qa",
        {"experiment": "qa"},
        {"gcs": "gs://bucket/a"},
        {"input": "a", "chosen": "a", "rejected": "a"},
    ]
    for _ in range(500):
        data = json.loads(json.dumps(random_.choice((BASE, CONTINUED))))
        for _ in range(random_.randint(1, 3)):
            place(data, random_, json.loads(json.dumps(random_.choice(values))))
        text = json.dumps(data)
        loaded = load_experiments(["-"], root=tmp_path, stdin=text.encode)
        assert loaded.experiments or loaded.problems


def place(data: dict[str, object], random_: random.Random, value: object) -> None:
    current = data
    while True:
        key = random_.choice([*current, "extra", "path", "train"])
        below = current.get(key)
        if not isinstance(below, dict) or random_.random() < 0.3:
            current[key] = value
            return
        current = below


BASE = {
    "name": "qa",
    "provider": "vertex",
    "base_model": "m",
    "tags": {"a": "b"},
    "dataset": {
        "source": {"path": "a"},
        "columns": {"input": "a", "output": "b"},
        "take": 10,
        "shuffle": {"seed": 1},
        "split": {"train": 0.5, "test": 0.5},
    },
    "tuning": {"epochs": 2, "learning_rate": 0.1},
    "evaluate": {"split": "test", "metrics": ["exact_match"], "generation": {"top_k": 1}},
    "limits": {"max_duration": "4h"},
    "lifecycle": {"retries": 1},
}
CONTINUED = {
    **BASE,
    "display_name": "QA",
    "base_model": {"experiment": "other", "checkpoint": "best"},
    "dataset": {"source": {"gcs": "gs://bucket/a", "test": "gs://bucket/b"}},
    "tuning": {"method": "preference", "export_last_checkpoint_only": True},
}


def test_mutated_project_files_raise_spec_error_only(tmp_path: Path) -> None:
    random_ = random.Random("project")
    text = """\
registry: ${env:A}/x.db
providers:
  local: {max_concurrent_jobs: 2}
  prod: {kind: vertex, project: p, options: {a: [1, {b: "${env:A}"}]}}
defaults: {provider: prod}
"""
    for _ in range(500):
        at = random_.randrange(len(text))
        end = at + random_.choice([0, 1, 5, 30])
        mutant = text[:at] + random_.choice(PIECES) + text[end:]
        (tmp_path / "tunekit.yaml").write_bytes(mutant.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(SpecError):
            load_project(tmp_path, environ={"A": "value"})
