"""Every score recomputed on real rows: by scikit-learn, rouge-score, sacrebleu or by definition."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT
from tunekit.evaluate.scores import Measured, Scorer
from tunekit.model import Example

metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (extra dev)")
rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="needs rouge-score")
sacrebleu = pytest.importorskip("sacrebleu", reason="needs sacrebleu (extra scores)")

DATA = Path(os.environ.get("TUNEKIT_TEST_DATA") or ROOT.parent / "shared" / "data")
EXACT = 1e-9


class Answered(NamedTuple):
    rows: list[Example]
    answers: list[str]

    def measured(self, *names: str) -> Measured:
        scorer = Scorer(names, self.rows)
        pairs = zip(self.rows, self.answers, strict=True)
        return scorer.measured([scorer.record(row, text) for row, text in pairs], self.rows)

    def pairs(self) -> Iterator[tuple[str, str]]:
        for row, text in zip(self.rows, self.answers, strict=True):
            yield row.response, text


def public(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {name}: set TUNEKIT_TEST_DATA to the folder that holds it")
    return path


@functools.cache
def masked() -> Answered:
    """Return the rows with answers as a half-trained model gives them, the same every time."""
    chance = random.Random(7)
    rows, answers = [], []
    for line, entry in enumerate(json.loads(public("pii_presidio.json").read_text()), 1):
        source, expected = entry["full_text"], entry["masked"]
        rows.append(Example(f"Mask: {source}", expected, source, line))
        wrong = re.sub(r"\{\{\w+\}\}", "{{name}}", expected)
        words = expected.split()
        shuffled = " ".join(chance.sample(words, len(words)))
        choices = (
            expected,
            expected.lower(),
            source,
            wrong,
            shuffled,
            expected[: len(expected) // 2],
        )
        answers.append(chance.choice([*choices, "", "{{made_up}} " + expected, expected + " ."]))
    assert len(rows) == 2109
    return Answered(rows, answers)


@functools.cache
def labelled() -> Answered:
    chance = random.Random(8)
    with public("banking77_test.csv").open(encoding="utf-8", newline="") as file:
        entries = list(csv.DictReader(file))
    labels = sorted({entry["category"] for entry in entries})
    rows = [Example(e["text"], e["category"], e["text"], n) for n, e in enumerate(entries, 1)]
    answers = []
    for row in rows:
        near = labels[(labels.index(row.response) + chance.choice([1, 2, 40])) % len(labels)]
        answers.append(chance.choice([row.response, row.response, row.response, near, "no idea"]))
    assert (len(rows), len(labels)) == (3080, 77)
    return Answered(rows, answers)


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


@pytest.mark.parametrize("answered", [masked, labelled])
def test_exact_match_is_scikit_learns_accuracy(answered: Any) -> None:
    wanted, given = zip(*answered().pairs(), strict=True)
    score = metrics.accuracy_score([t.strip() for t in wanted], [t.strip() for t in given])
    assert 0 < score < 1
    assert answered().measured("exact_match").scores()["exact_match"] == pytest.approx(
        score, abs=EXACT
    )


@pytest.mark.parametrize("answered", [masked, labelled])
def test_rouge_l_is_rouge_scores(answered: Any) -> None:
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    scores = [scorer.score(e, a)["rougeL"].fmeasure for e, a in answered().pairs()]
    assert answered().measured("rouge_l").scores()["rouge_l"] == pytest.approx(
        mean(scores), abs=EXACT
    )


def test_chrf_is_sacrebleus_and_its_definition() -> None:
    found = masked().measured("chrf")
    whole = [sacrebleu.sentence_chrf(a, [e]).score / 100 for e, a in masked().pairs()]
    assert found.scores()["chrf"] == pytest.approx(mean(whole), abs=EXACT)
    defined = [chrf_by_definition(e, a) for e, a in masked().pairs()]
    assert found.scores()["chrf"] == pytest.approx(mean(defined), abs=EXACT)


def chrf_by_definition(expected: str, answered: str) -> float:
    """Popović 2015: mean n-gram precision and recall, n of 1 to 6 as far as both have any."""
    texts = ["".join(text.split()) for text in (expected, answered)]
    shares = []
    for size in range(1, 7):
        wanted, given = (Counter(t[i : i + size] for i in range(len(t) - size + 1)) for t in texts)
        if wanted and given:
            common = sum((wanted & given).values())
            shares.append((common / sum(given.values()), common / sum(wanted.values())))
    if not shares:
        return 0.0
    precision, recall = (mean(column) for column in zip(*shares, strict=True))
    return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("answered", [masked, labelled])
def test_token_f1_is_scikit_learns_f1_of_the_bags(answered: Any) -> None:
    scores = []
    for pair in answered().pairs():
        wanted, given = (Counter(re.findall(r"\w+|[^\w\s]", text)) for text in pair)
        truth, guess = tokens_as_classes(wanted, given)
        scores.append(metrics.f1_score(truth, guess, zero_division=1.0) if truth else 1.0)
    assert answered().measured("token_f1").scores()["token_f1"] == pytest.approx(
        mean(scores), abs=EXACT
    )


def tokens_as_classes(wanted: Counter[str], given: Counter[str]) -> tuple[list[int], list[int]]:
    """Return for each occurrence of a token whether it is expected, and whether it is answered."""
    truth, guess = [], []
    for token in wanted | given:
        for number in range(max(wanted[token], given[token])):
            truth.append(int(number < wanted[token]))
            guess.append(int(number < given[token]))
    return truth, guess


def test_classes_are_scored_as_scikit_learn_does() -> None:
    found = labelled().measured("label_accuracy", "macro_f1")
    wanted, given = zip(*labelled().pairs(), strict=True)
    labels = sorted(set(wanted))
    assert found.scores() == {
        "label_accuracy": pytest.approx(metrics.accuracy_score(wanted, given), abs=EXACT),
        "macro_f1": pytest.approx(
            metrics.f1_score(wanted, given, labels=labels, average="macro"), abs=EXACT
        ),
    }
    confusion = found.confusion()
    assert confusion is not None
    assert confusion["labels"] == labels
    table = metrics.confusion_matrix(wanted, given, labels=[*labels, "no idea"])
    told = {(e, len(labels) if a is None else a): n for e, a, n in confusion["counts"]}
    assert told == {(e, a): n for (e, a), n in enumerate_cells(table) if n}


def enumerate_cells(table: Any) -> Iterator[tuple[tuple[int, int], int]]:
    for row, numbers in enumerate(table.tolist()):
        for column, number in enumerate(numbers):
            yield (row, column), number


def test_placeholders_are_scored_as_scikit_learn_does() -> None:
    found = masked().measured("placeholder_precision", "placeholder_recall", "placeholder_f1")
    known = {k for e, _ in masked().pairs() for k in re.findall(r"\{\{(\w+)\}\}", e)}
    truth: dict[str, list[int]] = {}
    guess: dict[str, list[int]] = {}
    for pair in masked().pairs():
        wanted, given = (Counter(re.findall(r"\{\{(\w+)\}\}", text)) for text in pair)
        for kind in wanted | given:
            name = kind if kind in known else "(other)"
            true, guessed = tokens_as_classes(
                Counter({kind: wanted[kind]}), Counter({kind: given[kind]})
            )
            truth.setdefault(name, []).extend(true)
            guess.setdefault(name, []).extend(guessed)
    everything = [list(itertools.chain(*found_in.values())) for found_in in (truth, guess)]
    shares = metrics.precision_recall_fscore_support(*everything, average="binary")[:3]
    assert tuple(found.scores().values()) == pytest.approx(shares, abs=EXACT)
    entities = found.entities()
    assert entities is not None
    assert entities.keys() == truth.keys()
    for kind, scores in entities.items():
        each = metrics.precision_recall_fscore_support(
            truth[kind], guess[kind], average="binary", zero_division=0.0
        )[:3]
        assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx(
            each, abs=EXACT
        )
        assert scores["expected"] == sum(truth[kind])


def test_leaks_are_those_of_the_marked_spans() -> None:
    """The data names what is personal; what alignment derives must say the same of leaks."""
    entries = json.loads(public("pii_presidio.json").read_text())
    leaking = 0
    for row, text, entry in zip(masked().rows, masked().answers, entries, strict=True):
        spans = {span["entity_value"].lower() for span in entry["spans"]}
        left = {s for s in spans if s in text.lower() and s not in row.response.lower()}
        got = Scorer(["leak_rate"], [masked().rows[0], row]).record(row, text)["leaks"]
        if text == row.source and spans:
            assert got[0] == got[1] > 0
        if text == row.response:
            assert got[0] == 0
        if left:
            leaking += 1
            assert got[0] > 0, row.line
    assert leaking > 150


def test_normalised_match_and_json_are_what_other_code_says() -> None:
    import string

    asked = list(labelled().pairs())
    table = str.maketrans("", "", string.punctuation)
    said = [
        float(e.lower().translate(table).split() == a.lower().translate(table).split())
        for e, a in asked
    ]
    score = labelled().measured("normalised_match").scores()["normalised_match"]
    assert score == pytest.approx(mean(said), abs=EXACT)
