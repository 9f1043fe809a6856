"""What rules find and what they leave alone, on data sets that are made for it."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.unit.datasets import make_experiment, write_rows
from tunekit.dataset.preflight.look import prepare_checked
from tunekit.dataset.preflight.rules import PROVIDER_RULES, RULES
from tunekit.model import Finding

DATA = Path(os.environ.get("TUNEKIT_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
PII = DATA / "pii_presidio.json"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def lines_of(found: Finding) -> list[int]:
    return [int(place.rpartition(":")[2]) for place in found.places]


def look(
    root: Path, rows: Sequence[dict[str, Any]], *, train: int | None = None, **changes: Any
) -> dict[str, Finding]:
    """Return the findings by rule; all rows past `train` are held out."""
    write_rows(root / "data.jsonl", rows)
    split = {"train": train or len(rows)}
    if train is not None:
        split["test"] = len(rows) - train
    experiment = make_experiment(split=split, **changes)
    found = prepare_checked(experiment, root=root).findings
    return {finding.rule: finding for finding in found}


def rows_of(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "masked": masked} for text, masked in pairs]


LETTERS = random.Random(0)
WORDS = [
    "".join(LETTERS.choices("abcdefghijklmnoprstuvw", k=LETTERS.randint(4, 9))) for _ in range(999)
]


def sentences(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=30)) for _ in range(count)]


def test_the_readme_lists_every_rule() -> None:
    table = README.split("### What is said of the data")[1].split("\n### ")[0]
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", table)) - {"fail-on"} >= {
        *(rule for rule in (*RULES, *PROVIDER_RULES) if "-" in rule)
    }
    assert "`mojibake`" in table
    assert "`no-such-rule`" not in table


def test_sound_rows_have_no_finding(tmp_path: Path) -> None:
    texts = sentences(3000)
    assert look(tmp_path, rows_of(*((t, t.upper()) for t in texts)), train=2500) == {}


FINE = """\
مرحبا بالعالم، کتاب‌ها
שלום עולם \u200f!
Привет, мир — ёлка
日本語のテキスト。
नमस्ते
\U0001f469\u200d\U0001f469\u200d\U0001f467 family
naïve café – “quoted” à la carte…
Ça coûte 5 €, déjà
a\ttab
f(x) { return {x}; } 100%
ÄÖÜ ß § °
Tiếng Việt có dấu
Ελληνικά
AT&T &c.
"""


@pytest.mark.parametrize("text", FINE.splitlines())
def test_text_of_any_language_has_no_finding(tmp_path: Path, text: str) -> None:
    assert look(tmp_path, rows_of((text, text + "!"))) == {}


@pytest.mark.parametrize("bad", ["cafÃ©", "itâ€™s", "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Ã¼ber"])
def test_wrongly_decoded_text_is_found(tmp_path: Path, bad: str) -> None:
    found = look(tmp_path, rows_of(("sound", "ok"), (f"text {bad} text", "ok2")))
    assert found["mojibake"].row == 2


def test_rows_of_one_rule_are_one_finding_that_names_the_first(tmp_path: Path) -> None:
    texts = sentences(40)
    rows = rows_of(*((t, t if n % 4 else " ") for n, t in enumerate(texts)))
    found = look(tmp_path, rows)["empty-answer"]
    assert (found.count, lines_of(found), found.row) == (10, [1, 5, 9, 13, 17], 1)
    assert "lines 1, 5, 9, 13, 17 and 5 more" in found.fact


def test_findings_never_hold_what_a_row_holds(tmp_path: Path) -> None:
    secret = "Zanzibar4711"
    rows = rows_of((f"{secret} \x01 {{{{{secret}}}}} &amp; cafÃ©", secret), *[(secret, " ")] * 3)
    rows += rows_of(
        (f"{secret} {secret} {secret} x", secret), (f"{secret} {secret} {secret} y", "nan")
    )
    found = look(tmp_path, rows, train=5)
    assert len(found) >= 5
    assert not any(secret in str(f.problem()) or secret in repr(f) for f in found.values())


def test_a_repeat_across_splits_is_a_leak_and_within_one_a_duplicate(tmp_path: Path) -> None:
    texts = sentences(20)
    order = [*texts[:10], texts[3], *texts[10:], texts[0], texts[15]]
    found = look(tmp_path, rows_of(*((t, t) for t in order)), train=15)
    assert lines_of(found["duplicate-row"]) == [11]
    assert (found["leaked-row"].split, found["leaked-row"].row) == ("test", 22)
    # The other repeat is of a row that is held out too.
    assert found["leaked-row"].count == 1


def test_nearly_equal_rows_are_found_across_splits(tmp_path: Path) -> None:
    train, rng = sentences(2000), random.Random(3)
    near = []
    for text in rng.sample(train, 200):
        words = text.split()
        words[rng.randrange(len(words))] = "something"
        near.append(" ".join(words))
    fresh = sentences(200, seed=2)
    rows = rows_of(*((t, t[:5]) for t in (*train, *near, *fresh)))
    found = look(tmp_path, rows, train=2000)["near-leak"]
    assert 190 <= found.count <= 200


def test_a_template_alone_makes_no_rows_alike(tmp_path: Path) -> None:
    prompt = "A very long instruction that all rows share. " * 20 + "{input}\nAnswer:"
    texts = sentences(40)
    rows = rows_of(*((t, t) for t in texts))
    assert look(tmp_path, rows, train=20, prompt=prompt) == {}


def test_braces_of_the_prompt_itself_are_no_placeholders(tmp_path: Path) -> None:
    rows = rows_of(*((t, t) for t in sentences(5)))
    assert look(tmp_path, rows, prompt="Answer as {{{{json}}}}: {input}") == {}


def test_a_word_that_begins_a_sentence_is_no_unmasked_name(tmp_path: Path) -> None:
    texts = sentences(12)
    rows = rows_of(*((f"{t} for May Lee", f"{t} for [NAME]") for t in texts))
    rows += rows_of(("May I go? May I stay?",) * 2, ("we met Lee there",) * 2)
    assert lines_of(look(tmp_path, rows)["unmasked-entity"]) == [14]


@pytest.mark.skipif(
    not PII.exists(),
    reason="no pii_presidio.json: see TUNEKIT_TEST_DATA",
)
def test_unmasked_values_are_found_without_false_alarms_on_public_data(tmp_path: Path) -> None:
    rows = [
        {"text": row["full_text"], "masked": row["masked"]}
        for row in json.loads(PII.read_text(encoding="utf-8"))
    ]
    # As published, nothing is unmasked.
    assert "unmasked-entity" not in look(tmp_path, rows)
    flagged, true = 0, 0
    for seed in range(20):
        rng = random.Random(seed)
        place, bare = with_a_bare_value(rows, rng)
        found = look(tmp_path, bare).get("unmasked-entity")
        flagged += found.count if found else 0
        true += found is not None and found.row == place + 1
    assert flagged == true
    assert true >= 3


def with_a_bare_value(
    rows: list[dict[str, str]], rng: random.Random
) -> tuple[int, list[dict[str, str]]]:
    """Return the rows with one mask of one of them filled in again, and which row that is."""
    mask = re.compile(r"\{\{\w+\}\}")
    while True:
        place = rng.randrange(len(rows))
        text, masked = rows[place]["text"], rows[place]["masked"]
        before, *after = mask.split(masked, maxsplit=1)
        if not after or not text.startswith(before):
            continue
        rest = mask.split(after[0], maxsplit=1)[0]
        end = text.find(rest, len(before) + 1) if rest else len(text)
        if end > 0:
            bare = {"text": text, "masked": text[:end] + after[0]}
            return place, [*rows[:place], bare, *rows[place + 1 :]]
