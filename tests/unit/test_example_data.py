"""The data that ships with the examples: reproducible, invented, and hard in the right places."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tunekit import dataset, spec

EXAMPLES = ROOT / "experiments"
DATA = EXAMPLES / "data"
HELD_OUT_ROWS = 300


@cache
def pii_rows() -> list[dict[str, str]]:
    lines = (DATA / "support_pii.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


@cache
def intent_rows() -> list[dict[str, str]]:
    with (DATA / "support_intents.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def generate(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_committed_files_are_what_the_generator_makes() -> None:
    done = generate(DATA / "generate.py", "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_generator_notices_and_mends_a_changed_file(tmp_path: Path) -> None:
    for script in DATA.glob("*.py"):
        (tmp_path / script.name).write_bytes(script.read_bytes())
    script = tmp_path / "generate.py"
    assert generate(script, "--check").returncode == 1
    assert generate(script).returncode == 0
    assert generate(script, "--check").returncode == 0
    with (tmp_path / "support_pii.jsonl").open("a") as file:
        file.write("\n")
    done = generate(script, "--check")
    assert (done.returncode, "support_pii.jsonl" in done.stderr) == (1, True)
    assert generate(script, "--chekc").returncode == 2


@pytest.mark.parametrize("name", ["quickstart", "support-intents"])
def test_the_examples_are_valid_and_use_every_split(name: str) -> None:
    loaded = spec.load_experiments([f"experiments/{name}.yaml"], root=ROOT)
    assert list(loaded.problems) == []
    (experiment,) = loaded.experiments
    assert experiment.name == name
    assert dataset.check(experiment, root=ROOT) == []
    prepared = dataset.prepare(experiment, root=ROOT)
    assert list(prepared.splits) == ["train", "validation", "test"]
    rows = intent_rows() if name == "support-intents" else pii_rows()
    assert sum(info.rows for info in prepared.splits.values()) == len(rows)


def test_rows_are_distinct_and_say_nothing_twice() -> None:
    assert len(pii_rows()) == 1_600
    assert len({row["message"] for row in pii_rows()}) == 1_600
    assert len(intent_rows()) == 1_200
    assert len({row["text"] for row in intent_rows()}) == 1_200


def test_a_masked_message_differs_from_the_message_in_its_masks_only() -> None:
    for row in pii_rows():
        pattern = "(.+?)".join(map(re.escape, re.split(r"\[[A-Z]+\]", row["masked"])))
        assert re.fullmatch(pattern, row["message"]), row
    unmasked = sum(row["message"] == row["masked"] for row in pii_rows())
    assert 0.09 < unmasked / len(pii_rows()) < 0.15


def test_every_kind_of_mask_occurs_often_enough_to_be_learnt() -> None:
    train = pii_rows()[:-HELD_OUT_ROWS]
    kinds = Counter(kind for row in train for kind in re.findall(r"\[[A-Z]+\]", row["masked"]))
    assert len(kinds) == 13
    assert min(kinds.values()) >= 40


def test_held_out_rows_name_people_that_no_training_row_has() -> None:
    def words(rows: list[dict[str, str]]) -> set[str]:
        return {word.lower() for row in rows for word in re.findall(r"\w+", row["message"])}

    new = words(pii_rows()[-HELD_OUT_ROWS:]) - words(pii_rows()[:-HELD_OUT_ROWS])
    for name in ("whitlock", "zamora", "saoirse", "babajide", "gdańsk", "thornbury"):
        assert name in new


def test_no_address_number_or_card_can_be_anyones() -> None:
    text = "\n".join(row["message"] for row in pii_rows())
    for domain in re.findall(r"[\w.+-]+@([\w.-]+\w)", text):
        assert re.fullmatch(r"((mail|post)\.)?example\.(com|org|net)", domain)
    for number in re.findall(r"\b[456]\d\d\d[ -]?(?:\d[ -]?){11}\d\b", text):
        assert not has_valid_check_digit(re.sub(r"\D", "", number)), number
    for iban in re.findall(r"\b([A-Za-z]{2}\d\d)(?: \w{4}){3}", text):
        assert iban.endswith("00")


def has_valid_check_digit(number: str) -> bool:
    """Luhn's test."""
    total = 0
    for place, sign in enumerate(reversed(number)):
        digit = int(sign) * (place % 2 + 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def test_intents_are_balanced_and_share_their_words() -> None:
    counts = Counter(row["intent"] for row in intent_rows())
    assert len(counts) == 11
    assert min(counts.values()) > 80
    labels_of: dict[str, set[str]] = {}
    for row in intent_rows():
        for word in set(re.findall(r"[a-z]+", row["text"].lower())):
            labels_of.setdefault(word, set()).add(row["intent"])
    assert all(len(labels_of[word]) >= 3 for word in ("cancel", "order", "card", "money"))
