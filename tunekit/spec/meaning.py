"""What a schema can't say: sums, paths, keys that depend on other keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from tunekit.model import Severity
from tunekit.model.spec import ANSWERS
from tunekit.spec.experiment import (
    BEST,
    DEFAULT_METHOD,
    default_columns,
    duration_s,
    is_table,
    sizes,
)
from tunekit.spec.judging import judging_findings
from tunekit.spec.nodes import Document, Step, strings
from tunekit.spec.sentences import Finding
from tunekit.spec.wording import choices, key_text, number, path_text, shown

_SHARE_TOLERANCE = 1e-9
_VARIABLE = re.compile(r"\$\{env:[^}]*\}?")


def meaning_findings(data: Mapping[str, Any], bad: Iterable[tuple[Step, ...]]) -> Iterator[Finding]:
    """Yield what is wrong beyond the schema. `bad`: paths whose value the schema refused."""
    broken = list(bad)
    for about, check in _CHECKS:
        if not any(_touches(path, needed) for path in broken for needed in about):
            yield from check(data)


def _touches(path: tuple[Step, ...], needed: tuple[str, ...]) -> bool:
    """True where a bad path is what a check reads, a part of it, or a mapping around it.

    A bad path is a fault of its own value: an unknown key beside `needed` does not touch it.
    """
    shared = min(len(path), len(needed))
    return path[:shared] == needed[:shared]


def _section(data: Mapping[str, Any], *steps: str) -> Mapping[str, Any]:
    """Return a mapping inside the data, empty where it is not written."""
    current: Any = data
    for step in steps:
        current = current.get(step, {})
    section: Mapping[str, Any] = current
    return section


def _required_names(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Find keys that neither the document nor the project's defaults give."""
    for key, example in (("provider", "local"), ("base_model", "text-editor")):
        if key not in data:
            remedy = f"add `{key}: {example}`, or set defaults.{key} in tunekit.yaml"
            yield Finding((), f"the document has no `{key}`", remedy)


def _base_model(data: Mapping[str, Any]) -> Iterator[Finding]:
    base = data.get("base_model")
    if not isinstance(base, dict):
        return
    if "experiment" in base and base["experiment"] == data.get("name"):
        fact = f"base_model.experiment is {base['experiment']}, this experiment itself"
        yield Finding(("base_model", "experiment"), fact, "name another experiment, or a model")
    if "model" in base and base.get("checkpoint") == BEST:
        fact = "base_model.checkpoint is best, which goes only with `experiment`"
        remedy = "write the checkpoint's id, or name the experiment that tuned it"
        yield Finding(("base_model", "checkpoint"), fact, remedy)


def _split(data: Mapping[str, Any]) -> Iterator[Finding]:
    steps = ("dataset", "split")
    written = _section(data, *steps)
    split = sizes(written)
    if "stratify" in written and "group" in written:
        fact = "dataset.split has both stratify and group"
        remedy = "keep one: groups that stay whole have no equal shares"
        yield Finding((*steps, "stratify"), fact, remedy)
    counts = {key: value for key, value in split.items() if isinstance(value, int)}
    if counts and len(counts) < len(split):
        key = next(iter(counts))
        remedy = "write all as rows (1900) or all as shares with a decimal point (0.95, 1.0)"
        yield Finding((*steps, key), "dataset.split mixes rows and shares", remedy)
    elif counts:
        yield from _rows(counts, data["dataset"].get("take"))
    elif (total := sum(split.values())) > 1 + _SHARE_TOLERANCE:
        fact = f"the shares of dataset.split add up to {number(round(total, 9))}"
        remedy = "let them add up to at most 1.0; rows are written without a decimal point"
        yield Finding(steps, fact, remedy)


def _rows(split: Mapping[str, int], take: float | None) -> Iterator[Finding]:
    steps = ("dataset", "split")
    total = sum(split.values())
    if take is not None and total > take:
        fact = f"dataset.split needs {total} rows, but dataset.take is {number(take)}"
        yield Finding(steps, fact, "lower a split, or raise or remove take")
    if split.get("train") == 1:
        remedy = "write 1.0 for all rows"
        fact = "dataset.split.train is 1, which is one row"
        yield Finding((*steps, "train"), fact, remedy, Severity.WARNING)


def _evaluated_split(data: Mapping[str, Any]) -> Iterator[Finding]:
    name = _section(data, "evaluate").get("split")
    source = _section(data, "dataset", "source")
    if name is not None and "gcs" in source and not is_table(_section(data, "dataset")):
        if name not in source:
            fact = f"evaluate.split is {name}, but dataset.source has no {name}"
            yield Finding(("evaluate", "split"), fact, f"name its object: `{name}: gs://...`")
        return
    split = _section(data, "dataset").get("split", {"train": 1.0})
    if name is not None and name not in split:
        fact = f"evaluate.split is {name}, but dataset.split has no {name}"
        others = [key for key in ("test", "validation") if key in split]
        change = f", or evaluate on {others[0]}" if others else ""
        yield Finding(("evaluate", "split"), fact, f"add it to dataset.split{change}")


# What the rows of a column named so are for.
_MEANINGS = {
    "output": "the column that the model should answer with",
    "chosen": "the column with the better answer",
    "rejected": "the column with the worse answer",
}


def _columns(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Find answers that the method lacks, or that are another method's."""
    steps = ("dataset", "columns")
    method = _section(data, "tuning").get("method", DEFAULT_METHOD)
    dataset = _section(data, "dataset")
    columns = dataset.get("columns", default_columns(method, shape=dataset))
    answers = ANSWERS[method]
    if dataset.keys() & {"messages", "ready_made"}:
        return  # `_shape` has the rules
    foreign = [
        name
        for other, names in ANSWERS.items()
        for name in names
        if other != method and name in columns
    ]
    missing = [name for name in answers if name not in columns]
    if foreign and (missing or "output" in foreign):
        fact = f"dataset.columns has {_quoted(foreign)}, but tuning.method is {method}"
        yield Finding((*steps, foreign[0]), fact, _other_answers(method, missing))
        return
    for name in missing:
        remedy = f"add `{name}`: {_MEANINGS[name]}"
        yield Finding(steps, f"dataset.columns has no `{name}`", remedy)
    if not missing and columns.keys() == set(answers):
        remedy = "add what the prompt is made of, e.g. `input: COLUMN`"
        yield Finding(steps, f"dataset.columns names only {_quoted(answers)}", remedy)
    if not missing and len({columns[name] for name in answers}) < len(answers):
        fact = f"dataset.columns has one column for {_quoted(answers)}"
        remedy = f"name {_MEANINGS['rejected']} as `rejected`"
        yield Finding((*steps, answers[-1]), fact, remedy)


def _quoted(names: Iterable[str]) -> str:
    return choices((f"`{name}`" for name in names), "and")


def _other_answers(method: str, missing: Sequence[str]) -> str:
    if method == "supervised":
        return "write `method: preference` below `tuning:`, or name one column, as `output`"
    if missing:
        return f"name two columns in place of `output`: {_quoted(ANSWERS[method])}"
    return f"remove `output`; {_quoted(ANSWERS[method])} are the answers"


# What says how rows become examples: ready-made ones are.
_OF_TABLES = ("system_instruction", "filter", "dedupe", "take", "shuffle", "split")


def _ready_made(data: Mapping[str, Any]) -> Iterator[Finding]:
    dataset = _section(data, "dataset")
    source = dataset.get("source", {})
    if "gcs" not in source:
        return
    if "split" in source:
        fact = "dataset.source.split goes with hub and path"
        yield Finding(("dataset", "source", "split"), fact, "remove it")
    if is_table(dataset):
        for key in ("validation", "test"):
            if key in source:
                fact = f"dataset.source.{key} goes with ready-made rows, not with a table"
                remedy = f"write dataset.split with train and {key}; or remove columns and prompt"
                yield Finding(("dataset", "source", key), fact, remedy)
        return
    for key in _OF_TABLES:
        if key in dataset:
            fact = f"dataset.{key} does not go with dataset.source.gcs, whose rows are ready-made"
            remedy = (
                "name objects below source: `validation: gs://...`, `test: gs://...`"
                if key == "split"
                else "remove it; to shape rows here, add `ready_made: vertex` or `columns`"
            )
            yield Finding(("dataset", key), fact, remedy)
    first: dict[str, str] = {}
    for key in ("gcs", "validation", "test"):
        if key in source and (other := first.setdefault(source[key], key)) != key:
            fact = f"dataset.source.{key} is the same object as {other}"
            yield Finding(("dataset", "source", key), fact, "name another object, or remove it")


def _shape(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Find keys of tables beside one that says that rows are something else."""
    dataset = _section(data, "dataset")
    method = _section(data, "tuning").get("method", DEFAULT_METHOD)
    if "ready_made" in dataset:
        for key in ("messages", "columns", "prompt", "system_instruction"):
            if key in dataset:
                fact = f"dataset.{key} does not go with dataset.ready_made, which changes no row"
                yield Finding(
                    ("dataset", key), fact, f"remove `{key}`, or `ready_made` for a table"
                )
    elif "messages" in dataset:
        if "prompt" in dataset:
            fact = "dataset.prompt does not go with dataset.messages, which hold the prompts"
            yield Finding(
                ("dataset", "prompt"),
                fact,
                "remove it; a rule for every row is a system_instruction",
            )
        answers = set(default_columns(method, shape=dataset))
        columns = dataset.get("columns", default_columns(method, shape=dataset))
        if columns.keys() != answers:
            names = f"only {_quoted(sorted(answers))}" if answers else "no columns"
            fact = (
                f"dataset.columns does not fit dataset.messages, beside which {method} has {names}"
            )
            yield Finding(("dataset", "columns"), fact, "remove it, or name just these")


def _prompt(data: Mapping[str, Any]) -> Iterator[Finding]:
    dataset = _section(data, "dataset")
    if dataset.keys() & {"messages", "ready_made"}:
        return
    columns = dataset.get("columns", {"input": "input"})
    method = _section(data, "tuning").get("method", DEFAULT_METHOD)
    usable = [name for name in columns if name not in ANSWERS[method]]
    if "prompt" not in dataset and usable and "input" not in columns:
        names = choices((f"{{{name}}}" for name in usable), "and")
        fact = "dataset.prompt is left out and means {input}, which dataset.columns does not name"
        yield Finding(("dataset", "columns"), fact, f"add a dataset.prompt with {names}")


def _source_path(data: Mapping[str, Any]) -> Iterator[Finding]:
    path = _section(data, "dataset", "source").get("path")
    if path is None:
        return
    steps = ("dataset", "source", "path")
    fact = f"dataset.source.path is {shown(path)}"
    remedy = "put the data below the project's root and write its path from there"
    if "://" in path:
        is_object = path.startswith("gs://")
        yield Finding(steps, f"{fact}, a URL", _AS_OBJECT if is_object else _DOWNLOAD)
    elif PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        yield Finding(steps, f"{fact}, an absolute path", remedy)
    elif path.startswith("~"):
        yield Finding(steps, f"{fact}, a path in a home folder", remedy)
    elif _leaves(path):
        yield Finding(steps, f"{fact}, which leaves the project's root", remedy)


_AS_OBJECT = "write `gcs:` in place of `path:`"
_DOWNLOAD = "download it below the project's root and write its path from there"


def _leaves(path: str) -> bool:
    depth = 0
    for part in re.split(r"[/\\]", path):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def _duration(data: Mapping[str, Any]) -> Iterator[Finding]:
    text = _section(data, "limits").get("max_duration")
    if text is not None and duration_s(text) == 0:
        steps = ("limits", "max_duration")
        yield Finding(steps, "limits.max_duration is no time at all", "write e.g. 4h, or remove it")


def variable_findings(document: Document) -> Iterator[Finding]:
    """Yield environment variables: the same spec must mean the same on every machine."""
    for steps, node in strings(document.root):
        if match := _VARIABLE.search(node.value):
            fact = f"{path_text(steps) or 'the document'} holds {key_text(match[0])}"
            remedy = "write the value itself; only tunekit.yaml may read the environment"
            yield Finding(steps, fact, remedy)


_Check = Callable[[Mapping[str, Any]], Iterator[Finding]]
# What each check reads: it is left out where the schema already refused that.
_CHECKS: tuple[tuple[tuple[tuple[str, ...], ...], _Check], ...] = (
    ((), _required_names),
    ((("base_model",), ("name",)), _base_model),
    ((("dataset", "split"), ("dataset", "take")), _split),
    ((("dataset", "split"), ("dataset", "source"), ("evaluate", "split")), _evaluated_split),
    ((("dataset", "columns"), ("tuning", "method")), _columns),
    ((("dataset", "columns"), ("dataset", "prompt"), ("tuning", "method")), _prompt),
    ((("dataset", "columns"), ("tuning", "method")), _shape),
    ((("dataset", "source"),), _ready_made),
    ((("dataset", "source"),), _source_path),
    ((("limits", "max_duration"),), _duration),
    ((("evaluate",), ("provider",)), judging_findings),
)
