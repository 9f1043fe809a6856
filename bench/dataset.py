"""How long a table takes to become a training file, beside other ways and the bare write.

    python bench/dataset.py [ROUNDS [ROWS]]

JSON Lines in, Vertex AI's JSON Lines out, cut into 95 % for training and 5 % to test on. Subjects
are run in turn, round by round, each in a process of its own; what counts is the ratio of medians
within the same run, for machines are noisy. tunekit and the hand-written loop render, split, check
every row (empty, too long, twice, in both splits), count characters and tokens into a histogram,
hash and write; that tunekit holds to its own rules, of which it has more, the line of `plan` shows.
The others render, split and write.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROWS = 209_261
LONGEST = 100_000
TEMPLATE = "Mask the personal identifiable information below.\n\nInput:\n{input}\n\nOutput:\n"
WORDS = "please call write to about order account the a and of from will in with by on".split()  # noqa: SIM905
FOREIGN = ["Zürich", "東京", "é", "שלום", "🙂"]


def make(folder: Path, rows: int) -> None:
    """Write the table: about 200 + 200 characters a row, with quotes, line breaks, and
    in every third one something that is not ASCII."""
    import orjson

    rng = random.Random(7)
    text = [" ".join(rng.choices(WORDS, k=40)) for _ in range(997)]
    for number in range(0, 997, 3):
        text[number] += f" {rng.choice(FOREIGN)}"
    with (folder / "data.jsonl").open("wb") as file:
        for number in range(rows):
            body = text[number % 997]
            row = {
                "unmasked_text": f'{number}: Ana "K."\n{body}',
                "masked_text": f'{number}: [NAME] "[NAME]"\n{body}',
                "language": "en",
            }
            file.write(orjson.dumps(row) + b"\n")


def ends(rows: int) -> tuple[int, int]:
    return rows * 95 // 100, rows


def bare_write(folder: Path, rows: int) -> None:
    """The same bytes, copied."""
    for name in ("train", "test"):
        with (
            (folder / f"{name}.jsonl").open("rb") as file,
            out(folder, name, "bare").open("wb") as o,
        ):
            while chunk := file.read(1 << 20):
                o.write(chunk)


def out(folder: Path, split: str, subject: str) -> Path:
    return folder / f"{split}.{subject}.jsonl"


def orjson_loop(folder: Path, rows: int) -> None:
    """What a person would write by hand who knows what to look at."""
    import orjson

    seen: set[bytes] = set()
    trained: set[bytes] = set()
    findings: list[tuple[str, int]] = []
    before, after = TEMPLATE.split("{input}")
    with (folder / "data.jsonl").open("rb") as file:
        lines = enumerate(file, 1)
        start = 0
        for split, end in zip(("train", "test"), ends(rows), strict=True):
            digest, characters, total = hashlib.sha256(), 0, 0
            histogram = [0] * 64
            with out(folder, split, "orjson").open("wb") as target:
                for number, raw in lines:
                    row = orjson.loads(raw)
                    text, response = row["unmasked_text"], row["masked_text"]
                    if type(text) is not str or type(response) is not str:
                        raise SystemExit(f"line {number}: no text")
                    prompt = before + text + after
                    if not text.strip() or not response.strip():
                        findings.append(("empty", number))
                    length = len(prompt) + len(response)
                    if length > LONGEST:
                        findings.append(("long", number))
                    key = hashlib.blake2b(prompt.encode(), digest_size=8).digest()
                    if key in seen:
                        findings.append(("twice", number))
                    seen.add(key)
                    if split == "train":
                        trained.add(key)
                    elif key in trained:
                        findings.append(("leak", number))
                    turns = [
                        {"role": "user", "parts": [{"text": prompt}]},
                        {"role": "model", "parts": [{"text": response}]},
                    ]
                    line = orjson.dumps({"contents": turns}, option=orjson.OPT_APPEND_NEWLINE)
                    digest.update(line)
                    tokens = (length + 2) // 4
                    histogram[tokens.bit_length()] += 1
                    characters += length
                    total += tokens
                    target.write(line)
                    if number == end:
                        break
            start = end
            print(split, end - start, characters, total, digest.hexdigest(), file=sys.stderr)
    if findings:
        raise SystemExit(f"{len(findings)} findings")


class Writer:
    """Looks at rows as the loop above does, by tunekit's own checks, and writes their lines."""

    def __init__(self, folder: Path, experiment: Any) -> None:
        from tunekit.dataset.preflight.look import Preflight
        from tunekit.dataset.preflight.repeats import Repeats
        from tunekit.dataset.preflight.values import Blanks
        from tunekit.providers.vertex.rows import line_of

        checks = [Blanks(["unmasked_text"]), Repeats(has_pairs=False)]
        self.preflight = Preflight(experiment, checks=checks)
        self.files = {n: out(folder, n, "tunekit").open("wb") for n in ("train", "test")}
        self.line_of = partial(line_of, method="supervised", system_instruction=None)

    def see(self, split: str, examples: Sequence[Any], raws: Sequence[Mapping[str, Any]]) -> None:
        self.preflight.see(split, examples, raws)
        self.files[split].write(b"".join(map(self.line_of, examples)))


def experiment(rows: int, seed: int | None = None) -> Any:
    from tunekit.spec import from_document

    train, end = ends(rows)
    document = {
        "name": "bench",
        "provider": "vertex",
        "base_model": "gemini-2.5-flash",
        "dataset": {
            "source": {"path": "data.jsonl"},
            "columns": {"input": "unmasked_text", "output": "masked_text"},
            "prompt": TEMPLATE,
            "split": {"train": train, "test": end - train},
            **({} if seed is None else {"shuffle": {"seed": seed}}),
        },
    }
    return from_document(document)


def report(made: Any, findings: Sequence[Any]) -> None:
    for name, info in made.splits.items():
        print(name, info.rows, info.characters, info.tokens, info.digest, file=sys.stderr)
    for finding in findings:
        print(finding.problem(), file=sys.stderr)


def tunekit(folder: Path, rows: int, seed: int | None = None) -> None:
    """One pass of `prepare`, with the loop's checks and the file; rows too long the histogram
    shows."""
    from tunekit.dataset import prepare

    spec = experiment(rows, seed)
    writer = Writer(folder, spec)
    made = prepare(spec, root=folder, preflight=writer)
    for file in writer.files.values():
        file.close()
    findings = writer.preflight.findings(made.place)
    report(made, findings)
    longest = max(2 ** len(info.histogram) - 1 for info in made.splits.values())
    if findings or longest * 4 > LONGEST + 4:
        raise SystemExit(f"{len(findings)} findings")


def plan(folder: Path, rows: int, seed: int | None = None) -> None:
    """What `plan` and `apply` do before they ask: all rules, and a record of every row."""
    from tunekit.dataset.preflight.look import prepare_checked
    from tunekit.model import RowRecorder

    recorder = RowRecorder()
    made = prepare_checked(experiment(rows, seed), root=folder, on_rows=recorder.on_rows)
    report(made, made.findings)
    if sum(map(len, recorder.splits().values())) != rows:
        raise SystemExit("rows are missing in the record")


def tunekit_shuffled(folder: Path, rows: int) -> None:
    tunekit(folder, rows, seed=7)


def plan_shuffled(folder: Path, rows: int) -> None:
    plan(folder, rows, seed=7)


def pandas_way(folder: Path, rows: int) -> None:
    """The tutorial's way: a frame, an f-string for each row, two slices, two files."""
    import json

    import pandas as pd

    table = pd.read_json(folder / "data.jsonl", lines=True)[["unmasked_text", "masked_text"]]
    before, after = TEMPLATE.split("{input}")

    def example(row: Any) -> dict[str, Any]:
        turns = [
            {"role": "user", "parts": [{"text": f"{before}{row['unmasked_text']}{after}"}]},
            {"role": "model", "parts": [{"text": row["masked_text"]}]},
        ]
        return {"contents": turns}

    table["example"] = table.apply(example, axis=1)
    train, end = ends(rows)
    for name, part in (("train", table[:train]), ("test", table[train:end])):
        with out(folder, name, "pandas").open("w", encoding="utf-8") as file:
            for _, row in part.iterrows():
                file.write(json.dumps(row["example"], ensure_ascii=False) + "\n")


def datasets_map(folder: Path, rows: int) -> None:
    """`datasets`: load, map each row, select, to_json."""
    os.environ["HF_HOME"] = str(folder / f"hf-{os.getpid()}")  # a first run has nothing cached
    os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    datasets.disable_progress_bars()
    table = datasets.load_dataset("json", data_files=str(folder / "data.jsonl"), split="train")
    before, after = TEMPLATE.split("{input}")

    def example(row: dict[str, str]) -> dict[str, Any]:
        turns = [
            {"role": "user", "parts": [{"text": f"{before}{row['unmasked_text']}{after}"}]},
            {"role": "model", "parts": [{"text": row["masked_text"]}]},
        ]
        return {"contents": turns}

    table = table.map(example, remove_columns=table.column_names)
    train, end = ends(rows)
    for name, part in (("train", range(train)), ("test", range(train, end))):
        table.select(part).to_json(out(folder, name, "datasets"), force_ascii=False)


LOOP = "hand-written orjson loop, same checks"
TUNEKIT = "tunekit, same checks"
PLAN = "tunekit, as plan does: all rules, rows on record, no file"
SUBJECTS: Mapping[str, Callable[[Path, int], None]] = {
    "bare write of the same bytes": bare_write,
    LOOP: orjson_loop,
    TUNEKIT: tunekit,
    f"{TUNEKIT}, shuffled": tunekit_shuffled,
    PLAN: plan,
    f"{PLAN}, shuffled": plan_shuffled,
    "datasets.map + to_json": datasets_map,
    "the tutorial's pandas way": pandas_way,
}
SLOW = ("datasets.map + to_json", "the tutorial's pandas way")


def main(rounds: int, rows: int) -> None:
    """Print a line a subject, beside the loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        subjects = list(SUBJECTS) if rows <= ROWS else [n for n in SUBJECTS if n not in SLOW]
        if find_spec("datasets") is None:
            subjects = [n for n in subjects if SUBJECTS[n] is not datasets_map]
        run(TUNEKIT, folder, rows)
        for split in ("train", "test"):
            out(folder, split, "tunekit").rename(folder / f"{split}.jsonl")
        taken: dict[str, list[Taken]] = {name: [] for name in subjects}
        for _ in range(rounds):
            for name in subjects:
                taken[name].append(run(name, folder, rows))
        compare(folder)
        print(f"{rows:,} rows, {rounds} rounds, {size_mb(folder):.0f} MB out, medians")
        print("| what | s | CPU s | rows/CPU s | x the loop's CPU s | peak MB |")
        print("|---|---|---|---|---|---|")
        loop = statistics.median(one.cpu_s for one in taken[LOOP])
        for name, found in taken.items():
            wall, cpu = (statistics.median(column) for column in list(zip(*found, strict=True))[:2])
            peak = max(one.peak_mb for one in found)
            speed = f"{rows / cpu:,.0f}"
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {speed} | {cpu / loop:.2f} | {peak:.0f} |")


def compare(folder: Path) -> None:
    """Stop unless tunekit and the loop wrote the same bytes."""
    for split in ("train", "test"):
        if out(folder, split, "orjson").read_bytes() != (folder / f"{split}.jsonl").read_bytes():
            raise SystemExit(f"{split}: tunekit and the loop wrote different bytes")


def size_mb(folder: Path) -> float:
    return sum((folder / f"{split}.jsonl").stat().st_size for split in ("train", "test")) / 1e6


class Taken(NamedTuple):
    """What a subject took; its processor's seconds say more where a machine is shared."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(name: str, folder: Path, rows: int) -> Taken:
    """Return what a subject takes in a new process."""
    command = [sys.executable, __file__, "--subject", name, str(folder), str(rows)]
    began = time.perf_counter()
    # All modules are compiled, as those of an installed package are.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environ)
    _, errors = process.communicate()
    wall_s = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name}: {errors.decode()[-2000:]}")
    cpu_s, peak_kib = errors.split()[-2:]
    return Taken(wall_s, float(cpu_s), float(peak_kib) / 1000)  # Linux counts in KiB


if __name__ == "__main__":
    if sys.argv[1:2] == ["--subject"]:
        SUBJECTS[sys.argv[2]](Path(sys.argv[3]), int(sys.argv[4]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(*(numbers + [3, ROWS][len(numbers) :]))
