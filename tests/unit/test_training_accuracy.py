"""What the local trainer reaches on public data; skipped where the data are missing."""

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tunekit.providers.local import training

DATA = Path(os.environ.get("TUNEKIT_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
PROMPT = (
    "Given the information below, mask the personal identifiable information.\n\n"
    "Input:\n{}\n\nOutput:\n"
)


def read(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {name}: set TUNEKIT_TEST_DATA to the folder that holds it")
    return path


def score(
    base_model: str,
    train: list[tuple[str, str]],
    test: list[tuple[str, str]],
    folder: Path,
    batch_size: int,
) -> float:
    """Train with the defaults but `batch_size`, and return the exact match on `test`."""
    base = training.BASE_MODELS[base_model]
    assert not training.check(base_model, train).is_refused
    training.train(
        base_model,
        train,
        [],
        epochs=base.epochs,
        batch_size=batch_size,
        learning_rate=base.learning_rate,
        seed=7,
        folder=folder,
        on_step=lambda report: None,
    )
    model = training.load(folder / f"epoch-{base.epochs}")
    return exact_match(model.generate(prompt for prompt, _ in test), test)


def exact_match(answers: Iterable[str], test: list[tuple[str, str]]) -> float:
    pairs = zip(answers, test, strict=True)
    return sum(answer == response for answer, (_, response) in pairs) / len(test)


@pytest.mark.slow
def test_personal_data_are_masked_exactly_in_nine_texts_of_ten(tmp_path: Path) -> None:
    texts = json.loads(read("pii_presidio.json").read_text("utf-8"))[:2000]
    rows = [(PROMPT.format(text["full_text"]), text["masked"]) for text in texts]
    assert score("text-editor", rows[:1900], rows[1900:], tmp_path / "m", 4) >= 0.9


@pytest.mark.slow
def test_intents_are_told_as_well_as_by_logistic_regression(tmp_path: Path) -> None:
    parts = []
    for part in ("train", "test"):
        with open(read(f"banking77_{part}.csv"), encoding="utf-8", newline="") as file:
            parts.append([(row["text"], row["category"]) for row in csv.DictReader(file)])
    train, test = parts
    ours = score("text-classifier", train, test, tmp_path / "m", 32)
    theirs = logistic_regression(train, test)
    print(f"text-classifier {ours:.4f}, TF-IDF + LogisticRegression(C=10) {theirs:.4f}")
    assert ours >= theirs - 0.02
    assert training.check("text-editor", train).better == "text-classifier"


def logistic_regression(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> float:
    """Return the accuracy of scikit-learn's classifier; C was chosen on a validation slice."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    model.fit([text for text, _ in train], [label for _, label in train])
    return float(model.score([text for text, _ in test], [label for _, label in test]))
