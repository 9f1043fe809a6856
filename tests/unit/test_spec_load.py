"""Files to experiments: paths, encodings, names, meaning, and what an Experiment carries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tunekit.model import (
    DatasetSpec,
    EvaluationSpec,
    Experiment,
    Generation,
    Lifecycle,
    Limits,
    Location,
    Severity,
    Source,
    Tuning,
)
from tunekit.spec import Loaded, from_document, load_experiments

MINIMAL = """\
name: qa
provider: local
base_model: small
dataset: {source: {path: data/qa.jsonl}}
"""

FULL = """\
# yaml-language-server: $schema=../schemas/experiment.schema.json
name: pii-masking
display_name: PII masking, v2
description: Mask personal data in support messages
tags: {team: privacy}
provider: vertex
base_model: gemini-3.5-flash
dataset:
  source: {hub: ai4privacy/pii-masking-200k, config: en, split: train, revision: abc123}
  columns: {input: unmasked_text, output: masked_text}
  prompt: |
    Input:
    {input}
  system_instruction: You mask personal data.
  take: 2000
  shuffle: {seed: 7}
  split: {train: 1900, test: 100}
tuning:
  method: supervised
  epochs: 2
  batch_size: 4
  learning_rate: 1e-3
  adapter_size: 4
  seed: 3
  export_last_checkpoint_only: true
evaluate:
  split: test
  metrics: [token_f1]
  generation: {temperature: 0.5, top_p: 0.95, top_k: 1, max_output_tokens: 1024}
limits: {max_cost_usd: 25, max_duration: 1h30m}
lifecycle: {state: cancelled, on_change: finish, retries: 1, protect: true}
"""


def load(tmp_path: Path, text: str | bytes, **options: object) -> Loaded:
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / "x.yaml").write_bytes(data)
    return load_experiments(["x.yaml"], root=tmp_path, **options)  # type: ignore[arg-type]


def one(tmp_path: Path, text: str | bytes) -> Experiment:
    loaded = load(tmp_path, text)
    assert loaded.problems == ()
    (experiment,) = loaded.experiments
    return experiment


def told(tmp_path: Path, text: str | bytes) -> list[str]:
    return [str(problem) for problem in load(tmp_path, text).problems]


def with_line(line: str) -> str:
    return MINIMAL + line + "\n"


# --- what an experiment carries ------------------------------------------------------------------


def test_every_key_reaches_the_experiment(tmp_path: Path) -> None:
    experiment = one(tmp_path, FULL)
    assert experiment.dataset == DatasetSpec(
        source=Source(
            hub="ai4privacy/pii-masking-200k", config="en", split="train", revision="abc123"
        ),
        columns={"input": "unmasked_text", "output": "masked_text"},
        prompt="Input:\n{input}\n",
        split={"train": 1900, "test": 100},
        system_instruction="You mask personal data.",
        take=2000,
        shuffle_seed=7,
    )
    assert experiment.tuning == Tuning(
        epochs=2,
        batch_size=4,
        learning_rate=0.001,
        adapter_size=4,
        seed=3,
        export_last_checkpoint_only=True,
    )
    assert experiment.evaluate == EvaluationSpec(
        metrics=("token_f1",),
        generation=Generation(temperature=0.5, top_p=0.95, top_k=1, max_output_tokens=1024),
    )
    assert experiment.limits == Limits(max_cost_usd=25.0, max_duration_s=5400.0)
    assert experiment.lifecycle == Lifecycle(
        state="cancelled", on_change="finish", retries=1, protect=True
    )
    assert (experiment.name, experiment.provider) == ("pii-masking", "vertex")
    assert experiment.display_name == "PII masking, v2"
    assert (experiment.description[:4], experiment.tags) == ("Mask", {"team": "privacy"})


def test_what_is_left_out_gets_the_documented_default(tmp_path: Path) -> None:
    experiment = one(tmp_path, MINIMAL)
    assert experiment.dataset.columns == {"input": "input", "output": "output"}
    assert (experiment.dataset.prompt, experiment.dataset.split) == ("{input}", {"train": 1.0})
    assert experiment.tuning == Tuning()
    assert experiment.evaluate == EvaluationSpec()
    assert experiment.lifecycle == Lifecycle()
    assert experiment.limits == Limits()


def test_preference_tuning_has_answers_of_its_own(tmp_path: Path) -> None:
    line = "tuning: {method: preference}"
    assert one(tmp_path, with_line(line)).dataset.columns == {
        "input": "input",
        "chosen": "chosen",
        "rejected": "rejected",
    }
    columns = "{input: q, chosen: a, rejected: b}"
    text = with_line(line).replace("qa.jsonl}", f"qa.jsonl}}, columns: {columns}")
    experiment = one(tmp_path, text)
    assert experiment.tuning.method == "preference"
    assert experiment.dataset.columns == {"input": "q", "chosen": "a", "rejected": "b"}
    assert from_document(experiment.document).dataset == experiment.dataset


def test_a_supervised_prompt_may_have_a_column_called_chosen(tmp_path: Path) -> None:
    columns = "{input: q, output: a, chosen: c}"
    one(tmp_path, MINIMAL.replace("qa.jsonl}", f"qa.jsonl}}, columns: {columns}"))


@pytest.mark.parametrize("names", [(), ("validation",), ("test",), ("validation", "test")])
def test_ready_made_objects_are_the_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    others = "".join(f", {name}: gs://bucket/{name}.jsonl" for name in names)
    text = MINIMAL.replace("path: data/qa.jsonl", f"gcs: gs://bucket/train.jsonl{others}")
    for name in names:
        text += f"evaluate: {{split: {name}}}\n" if name == names[-1] else ""
    experiment = one(tmp_path, text)
    assert experiment.dataset.split == dict.fromkeys(("train", *names), 1.0)
    assert experiment.dataset.source.objects() == {
        name: f"gs://bucket/{name}.jsonl" for name in ("train", *names)
    }
    assert from_document(experiment.document).dataset == experiment.dataset


def test_an_objects_name_is_on_one_line(tmp_path: Path) -> None:
    text = MINIMAL.replace("path: data/qa.jsonl", 'gcs: "gs://bucket/a\\n"')
    (problem,) = told(tmp_path, text)
    assert "write gs://BUCKET/OBJECT" in problem


def test_the_document_is_what_was_written_and_is_json(tmp_path: Path) -> None:
    experiment = one(tmp_path, MINIMAL)
    assert json.loads(json.dumps(experiment.document)) == {
        "name": "qa",
        "provider": "local",
        "base_model": "small",
        "dataset": {"source": {"path": "data/qa.jsonl"}},
    }


def test_places_are_of_keys_and_of_list_items(tmp_path: Path) -> None:
    experiment = one(tmp_path, FULL)
    assert experiment.where == Location("x.yaml", 2, 1)
    assert experiment.places["tuning.epochs"] == Location("x.yaml", 20, 3)
    assert experiment.places["dataset.columns.input"] == Location("x.yaml", 10, 13)
    assert experiment.places["evaluate.metrics.0"] == Location("x.yaml", 28, 13)
    assert experiment.at("tuning.epochs.nothing") == Location("x.yaml", 20, 3)
    assert "limits.max_cost_usd" in set(experiment.places)


def test_whole_numbers_written_with_a_point_mean_the_same_revision(tmp_path: Path) -> None:
    tuning = one(tmp_path, with_line("tuning: {epochs: 2.0, learning_rate_multiplier: 1}")).tuning
    assert json.dumps(tuning.hyperparameters()) == '{"epochs": 2, "learning_rate_multiplier": 1.0}'


def test_split_rows_are_ints_and_shares_are_floats(tmp_path: Path) -> None:
    split = "dataset: {source: {path: a}, split: {train: %s}}"
    rows = one(tmp_path, MINIMAL.replace(MINIMAL.splitlines()[3], split % "10"))
    assert type(rows.dataset.split["train"]) is int
    shares = one(tmp_path, MINIMAL.replace(MINIMAL.splitlines()[3], split % "1.0"))
    assert type(shares.dataset.split["train"]) is float


@pytest.mark.parametrize(
    ("written", "seconds"), [("4h", 14400), ("90m", 5400), ("1h30m", 5400), ("30s", 30)]
)
def test_durations_become_seconds(tmp_path: Path, written: str, seconds: float) -> None:
    experiment = one(tmp_path, with_line(f"limits: {{max_duration: {written}}}"))
    assert experiment.limits.max_duration_s == seconds


@pytest.mark.parametrize("written", ["0s", "4", "h", "30m1h", "1.5h", "1h 30m", "4d", '""'])
def test_other_durations_are_refused(tmp_path: Path, written: str) -> None:
    (problem,) = told(tmp_path, with_line(f"limits: {{max_duration: {written}}}"))
    assert problem.startswith("x.yaml:5:10: limits.max_duration is ")


# --- defaults of the project ---------------------------------------------------------------------


def test_project_defaults_fill_what_is_missing_only(tmp_path: Path) -> None:
    text = "name: qa\nbase_model: mine\ndataset: {source: {path: a}}\n"
    defaults = {"provider": "local", "base_model": "theirs"}
    loaded = load(tmp_path, text, defaults=defaults)
    (experiment,) = loaded.experiments
    assert (experiment.provider, experiment.base_model) == ("local", "mine")
    assert experiment.document["provider"] == "local"


def test_without_defaults_provider_and_model_are_required(tmp_path: Path) -> None:
    first, second = told(tmp_path, "name: qa\ndataset: {source: {path: a}}\n")
    assert "no `base_model`" in first
    assert "set defaults.provider in tunekit.yaml" in second


# --- paths ---------------------------------------------------------------------------------------


def test_a_folder_gives_every_spec_below_it_sorted(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", ".hidden.yaml", ".git/d.yaml", "e.txt"):
        path = tmp_path / "experiments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MINIMAL.replace("qa", path.stem.strip("."), 1))
    (tmp_path / "tunekit.yaml").write_text("registry: x.db\n")
    for folder in ("experiments", "."):
        loaded = load_experiments([folder], root=tmp_path)
        assert loaded.problems == ()
        assert [e.where.path for e in loaded.experiments] == [
            "experiments/a.yml",
            "experiments/b.yaml",
            "experiments/sub/c.yaml",
        ]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(MINIMAL)
    loaded = load_experiments(["x.yaml", ".", str(tmp_path / "x.yaml")], root=tmp_path)
    assert (len(loaded.experiments), loaded.problems) == (1, ())


def test_absolute_paths_below_the_root_are_shown_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: [\n")
    loaded = load_experiments([str(tmp_path / "x.yaml")], root=tmp_path)
    assert str(loaded.problems[0]).startswith("x.yaml:")


def test_a_path_outside_the_root_is_shown_as_typed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "x.yaml").write_text("just text\n")
    loaded = load_experiments(["../x.yaml"], root=tmp_path / "root")
    assert str(loaded.problems[0]).startswith("../x.yaml:1:1: ")


def test_a_missing_path_is_a_problem(tmp_path: Path) -> None:
    loaded = load_experiments(["experiments/nope.yaml", "a\0b"], root=tmp_path)
    first, second = loaded.problems
    assert "no such file" in str(first)
    assert str(second).startswith("experiments/nope.yaml: no such file or folder; ")


def test_an_empty_folder_points_to_init(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (problem,) = load_experiments(["experiments"], root=tmp_path).problems
    assert "tunekit init" in problem.remedy


def test_stdin_is_read_as_a_file_of_its_own(tmp_path: Path) -> None:
    loaded = load_experiments(["-", "-"], root=tmp_path, stdin=lambda: MINIMAL.encode())
    assert [str(e.where) for e in loaded.experiments] == ["<stdin>:1:1"]
    assert load_experiments(["-"], root=tmp_path).problems
    assert load_experiments(["-"], root=tmp_path, stdin=lambda: b"").problems


def test_a_folder_named_like_a_spec_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    (problem,) = load_experiments(["x.yaml"], root=tmp_path).problems
    assert str(problem).startswith("x.yaml: no *.yaml file in this folder; ")


def test_several_documents_are_several_experiments(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL + "---\n" + MINIMAL.replace("qa", "other", 1))
    assert [experiment.name for experiment in loaded.experiments] == ["qa", "other"]


def test_a_name_used_twice_in_one_file_names_both_places(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL + "---\n" + MINIMAL)
    assert [str(problem) for problem in loaded.problems] == [
        "x.yaml:6:1: the name qa is already taken at x.yaml:1:1; rename one of the two"
    ]
    assert len(loaded.experiments) == 1


def test_a_name_used_in_two_files_names_both_places(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(MINIMAL)
    (problem,) = load_experiments(["."], root=tmp_path).problems
    assert str(problem).startswith("b.yaml:1:1: the name qa is already taken at a.yaml:1:1; ")


def test_a_name_may_not_end_with_a_line_break(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, MINIMAL.replace("name: qa", 'name: "qa\\n"'))
    assert problem.startswith('x.yaml:1:1: name is "qa\\n"; ')


# --- all problems at once ------------------------------------------------------------------------


def test_problems_of_all_files_come_sorted_by_place_beside_what_is_valid(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(with_line("tuning: {epochs: 0, epoch: 1}"))
    (tmp_path / "a.yaml").write_text("a: [\n")
    (tmp_path / "c.yaml").write_text(MINIMAL)
    loaded = load_experiments(["c.yaml", "b.yaml", "nope.yaml", "a.yaml"], root=tmp_path)
    assert [str(problem.where) for problem in loaded.problems] == [
        "a.yaml:2:1",
        "b.yaml:5:10",
        "b.yaml:5:21",
        "nope.yaml",
    ]
    assert [experiment.name for experiment in loaded.experiments] == ["qa"]


def test_meaning_is_checked_beside_unrelated_schema_faults(tmp_path: Path) -> None:
    text = with_line("tags: {a: 1}").replace("data/qa.jsonl", "../qa.jsonl")
    first, second = told(tmp_path, text)
    assert "leaves the project's root" in first
    assert "tags.a is the number 1" in second


def test_a_misspelt_required_key_is_told_once(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, MINIMAL.replace("dataset:", "datset:"))
    assert problem == "x.yaml:4:1: there is no key datset; did you mean `dataset`?"


def test_a_file_full_of_faults_is_cut_short(tmp_path: Path) -> None:
    problems = told(tmp_path, "---\nx\n" * 500)
    assert len(problems) == 101
    assert "400 more problems of this file" in problems[-1]


def test_keys_that_could_disturb_a_terminal_are_escaped(tmp_path: Path) -> None:
    for problem in told(tmp_path, with_line('tags: {"a\\e[31m": 1}\n"b\\nc": 1')):
        assert problem.isprintable()


@pytest.mark.parametrize("text", ["${env:HOME}", "x ${env:A} y", "${env:", "${env:A:-b}"])
def test_environment_variables_are_refused_in_experiments(tmp_path: Path, text: str) -> None:
    (problem,) = told(tmp_path, with_line(f"description: {json.dumps(text)}"))
    assert "only tunekit.yaml may read the environment" in problem


def test_warnings_do_not_stop_an_experiment(tmp_path: Path) -> None:
    line = "dataset: {source: {path: a}, split: {train: 1}}"
    loaded = load(tmp_path, MINIMAL.replace(MINIMAL.splitlines()[3], line))
    assert len(loaded.experiments) == 1
    assert [problem.severity for problem in loaded.problems] == [Severity.WARNING]


def test_shares_that_add_up_to_one_but_for_rounding_are_fine(tmp_path: Path) -> None:
    line = "dataset: {source: {path: a}, split: {train: 0.7, validation: 0.2, test: 0.1}}"
    one(tmp_path, MINIMAL.replace(MINIMAL.splitlines()[3], line))


@pytest.mark.parametrize("path", ["a/../b.jsonl", "./a.jsonl", "a..b/c.jsonl", "...", "ü/x.jsonl"])
def test_paths_that_stay_inside_are_fine(tmp_path: Path, path: str) -> None:
    one(tmp_path, MINIMAL.replace("data/qa.jsonl", json.dumps(path, ensure_ascii=False)))


def test_importing_the_package_loads_neither_yaml_nor_jsonschema() -> None:
    code = (
        "import sys, tunekit.spec;"
        "print(*sorted({'yaml', 'jsonschema', 'jsonschema_rs', 'referencing'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout.strip() == ""


def test_valid_specs_need_no_explaining_validator(tmp_path: Path) -> None:
    """jsonschema takes a tenth of a second to import: only a faulty spec pays for it."""
    pytest.importorskip("jsonschema_rs")
    (tmp_path / "x.yaml").write_text(FULL)
    code = (
        "import sys; from pathlib import Path; from tunekit.spec import load_experiments;"
        "assert load_experiments(['x.yaml'], root=Path(sys.argv[1])).experiments;"
        "print('jsonschema' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout.strip() == "False"
