"""What each metric says of a row, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tunekit.errors import DataError, MissingExtra, UsageError
from tunekit.evaluate import textscores
from tunekit.evaluate.masking import entities, leaks, placeholders
from tunekit.evaluate.scores import METRICS, Measured, Scorer, custom_scores
from tunekit.evaluate.textscores import TEXT_SCORES
from tunekit.model import Example


def examples(pairs: Sequence[tuple[str, str]]) -> list[Example]:
    """Return rows of (input, expected)."""
    return [Example(f"Do: {i}", e, i, line) for line, (i, e) in enumerate(pairs, 1)]


def measured(
    metrics: Sequence[str], pairs: Sequence[tuple[str, str]], answers: Sequence[str]
) -> Measured:
    rows = examples(pairs)
    scorer = Scorer(metrics, rows)
    records = [scorer.record(row, text) for row, text in zip(rows, answers, strict=True)]
    return scorer.measured(json.loads(json.dumps(records)), rows)  # as the registry gives them back


@pytest.mark.parametrize(
    ("name", "expected", "answered", "score"),
    [
        ("exact_match", "Ja ", " Ja", 1.0),
        ("exact_match", "Ja", "ja", 0.0),
        ("normalised_match", "Ja, natürlich!", "ja natürlich", 1.0),
        ("normalised_match", "STRASSE", "straße", 1.0),
        ("normalised_match", "ﬁne  print", "Fine\tprint.", 1.0),
        ("normalised_match", "one two", "onetwo", 0.0),
        ("normalised_match", "", "?!", 1.0),
        ("token_f1", "a b c", "a b d", 2 / 3),
        ("token_f1", "", "", 1.0),
        ("token_f1", "a", "", 0.0),
        ("rouge_l", "the cat sat", "the dog sat", 2 / 3),
        ("rouge_l", "one two three", "three two one", 1 / 3),
        ("rouge_l", "", "", 0.0),
        ("json_validity", "", '{"a": [1, 2.5, null]}', 1.0),
        ("json_validity", "", '{"a": NaN}', 0.0),
        ("json_validity", "", '```json\n{"a": 1}\n```', 0.0),
        ("json_validity", "", "[" * 100_000, 0.0),
        ("json_validity", "", "", 0.0),
    ],
)
def test_texts_are_compared(name: str, expected: str, answered: str, score: float) -> None:
    assert TEXT_SCORES[name](expected, answered) == pytest.approx(score, abs=1e-12)


def test_chrf_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu.metrics.chrf", None)
    textscores._chrf.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'tunekit\[scores\]'"):
        TEXT_SCORES["chrf"]("a", "b")
    monkeypatch.undo()
    textscores._chrf.cache_clear()
    assert TEXT_SCORES["chrf"]("same text", "same text") == 1.0


@pytest.mark.parametrize(
    ("source", "masked", "found"),
    [
        ("Ana wants #12 back", "[NAME] wants [ORDER] back", ["Ana", "#12"]),
        ("the king met ANA", "The King met {{first_name}}", ["ANA"]),
        ("call 555-0142, or 555-0143", "call [PHONE_1], or [PHONE_2]", ["555-0142", "555-0143"]),
        ("Ana", "<NAME>", ["Ana"]),
        ("my card is 4111, thanks", "my card is ****, thanks", ["4111"]),
        ("nothing here", "nothing here", []),
        ("", "[NAME]", []),
        # "to" also stands inside what is masked.
        ("went to To Kill street today", "went to [STREET] today", ["To Kill street"]),
        # The text around it was changed as well.
        ("he s Ana Diaz and not here", "he is [NAME] and not there", ["s Ana Diaz"]),
        ("İ is Ana's", "İ is [NAME]'s", ["Ana"]),
    ],
)
def test_masked_texts_are_found_by_what_stands_around_them(
    source: str, masked: str, found: list[str]
) -> None:
    assert entities(source, masked) == found


def test_touching_placeholders_share_what_stands_there() -> None:
    assert "".join(entities("AnaDiaz left", "[FIRST][LAST] left")) == "AnaDiaz"


def test_alignment_stays_quick_where_texts_are_made_to_be_slow() -> None:
    source, masked = "a " * 4000 + "b", "[X] a " * 1000 + "[X] c"
    assert isinstance(entities(source, masked), list)


@pytest.mark.parametrize(
    ("source", "expected", "answered", "left"),
    [
        ("Ana wants #1234", "[NAME] wants [ORDER]", "[NAME] wants [ORDER]", (0, 2)),
        ("Ana wants #1234", "[NAME] wants [ORDER]", "ana wants [ORDER]", (1, 2)),
        ("Ana wants #1234", "[NAME] wants [ORDER]", "Ana wants #1234", (2, 2)),
        ("Ana wants #1234", "[NAME] wants [ORDER]", "", (0, 2)),
        # A part of it is as bad.
        ("Ana Diaz left", "[NAME] left", "[NAME] Diaz left", (1, 1)),
        # The same word, where the expected answer has it too.
        ("May left in may", "[NAME] left in may", "[NAME] left in may", (0, 1)),
        ("May left in may", "[NAME] left in may", "May left in may", (1, 1)),
        # Another word that begins so is not it.
        ("Ana left", "[NAME] left", "[NAME] left Anatolia", (0, 1)),
        ("name left", "[NAME] left", "[NAME] left", (0, 1)),
        # In the brackets of a placeholder it is still there.
        ("Ana Diaz left", "[NAME] left", "[ANA] left", (1, 1)),
        ("Ana Diaz left", "[NAME] left", "{{Ana Diaz}} left", (1, 1)),
        ("Ana Diaz left", "[NAME] left", "<DIAZ_2> left", (1, 1)),
        ("我是王小明。", "我是[NAME]。", "我是王小明。", (1, 1)),
        ("no one", "no one", "no one", (0, 0)),
    ],
)
def test_what_was_left_unmasked_is_found(
    source: str, expected: str, answered: str, left: tuple[int, int]
) -> None:
    assert leaks(source, expected, answered) == left


def test_placeholders_are_counted_by_kind() -> None:
    text = "[NAME_1] and [NAME_2], {{ city }} <DATE> [FULL NAME] [not one] {none ***** XXXX XXXXL"
    kinds = {"NAME": 2, "city": 1, "DATE": 1, "FULL NAME": 1, "***": 1, "XXX": 1}
    assert placeholders(text) == kinds


def test_a_copy_leaks_all_and_the_expected_answer_nothing() -> None:
    pairs = [("Ana wants #1234", "[NAME] wants [ORDER]"), ("all well", "all well")]
    metrics = ["leak_rate", "placeholder_recall", "placeholder_precision"]
    copied = measured(metrics, pairs, [source for source, _ in pairs]).scores()
    assert copied == {"leak_rate": 1.0, "placeholder_recall": 0.0, "placeholder_precision": 0.0}
    right = measured(metrics, pairs, [expected for _, expected in pairs]).scores()
    assert right == {"leak_rate": 0.0, "placeholder_recall": 1.0, "placeholder_precision": 1.0}


def test_kinds_of_placeholder_are_told_apart_and_a_models_own_are_not_named() -> None:
    pairs = [("Ana and Bo", "[NAME] and [NAME]"), ("in Rome", "in [CITY]")]
    found = measured(["placeholder_f1"], pairs, ["[NAME] and [MARGARET]", "in [CITY]"])
    assert found.entities() == {
        "(other)": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "expected": 0.0},
        "CITY": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "expected": 1.0},
        "NAME": {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "expected": 2.0},
    }
    assert "MARGARET" not in str(found)


def test_nothing_that_a_model_said_is_in_what_is_kept() -> None:
    row = examples([("Ana Diaz wants #1234", "[NAME] wants [ORDER]")])[0]
    scorer = Scorer(list(METRICS), [row])
    kept = json.dumps(scorer.record(row, "Ana Diaz [JUDY] wants #1234"))
    for word in ("Ana", "Diaz", "JUDY", "1234", "wants"):
        assert word not in kept


def test_classes_are_confused_by_place_and_unknown_ones_count_as_none() -> None:
    pairs = [("1", "card"), ("2", "card"), ("3", "cash"), ("4", "loan")]
    found = measured(["label_accuracy", "macro_f1"], pairs, ["card", " cash", "cash", "a loan?"])
    assert found.scores() == {
        "label_accuracy": 0.5,
        "macro_f1": pytest.approx((2 / 3 + 2 / 3 + 0) / 3),
    }
    assert found.confusion() == {
        "labels": ["card", "cash", "loan"],
        "counts": [[0, 0, 1], [0, 1, 1], [1, 1, 1], [2, None, 1]],
    }


@pytest.mark.parametrize(
    ("metrics", "pairs", "why"),
    [
        (["macro_f1"], [("a", "x" * 300)], "an expected answer has more than 200 characters"),
        (["label_accuracy"], [("a", str(n)) for n in range(1001)], "1,001 different expected"),
        (["leak_rate"], [("a", "b")], "no expected answer has a placeholder"),
        (["placeholder_f1"], [("a", "b")], "no expected answer has a placeholder"),
    ],
)
def test_metrics_that_rows_do_not_suit_are_refused(
    metrics: list[str], pairs: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        Scorer(metrics, examples(pairs))


def test_a_users_own_metric_gets_input_and_answers() -> None:
    rows = examples([("in", "wanted"), ("in", "wanted")])
    scorer = Scorer(
        ["exact_match"], rows, custom={"mine": lambda e, a, s: e + a + s == "wantedxin"}
    )
    records = [scorer.record(row, text) for row, text in zip(rows, "xy", strict=True)]
    assert scorer.measured(records, rows).scores() == {"exact_match": 0.0, "custom.mine": 0.5}


@pytest.mark.parametrize(
    ("value", "said"), [("secret row", "raised ValueError"), (float("nan"), "gave nan")]
)
def test_a_users_metric_that_fails_is_told_without_the_row(value: object, said: str) -> None:
    rows = examples([("in", "wanted")])
    scorer = Scorer(["exact_match"], rows, custom={"mine": lambda *_: value})  # type: ignore[return-value,dict-item]
    with pytest.raises(DataError) as refused:
        scorer.record(rows[0], "x")
    assert str(refused.value) == f"the metric custom.mine {said} on the row of line 1"


def test_a_metric_that_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError, match="no installed package has 'polite'"):
        custom_scores(["polite"])


def test_the_kinds_that_some_rows_expect_are_not_those_of_all() -> None:
    rows = examples([("Ana", "[NAME]"), ("Rome", "[CITY]")])
    assert Scorer(["placeholder_f1"], rows).kinds(rows) == ["CITY", "NAME"]
    assert Scorer(["placeholder_f1"], rows).kinds(rows[:1]) == ["NAME"]
    assert Scorer(["exact_match"], rows).kinds(rows) == []


def test_rows_without_an_entity_have_no_scores_of_masking() -> None:
    metrics = ["placeholder_precision", "placeholder_recall", "placeholder_f1", "leak_rate"]
    rows = examples([("all is well", "all is well"), ("Ana", "[NAME]")])
    scorer = Scorer([*metrics, "exact_match"], rows)
    for answer in ("all is well", "[NAME] is well"):  # whatever the model says
        kept = [scorer.record(rows[0], answer)]
        assert set(scorer.measured(kept, rows[:1]).scores()) == {"exact_match"}
    assert set(scorer.baselines(rows)["copy"].scores()) == {*metrics, "exact_match"}


def test_no_rows_have_no_scores() -> None:
    assert measured(["exact_match"], [], []).scores() == {}
