"""How sure scores are: intervals and paired tests, held against SciPy and against the truth."""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb

import pytest

from tests.unit.test_evaluate_scores import measured
from tunekit.errors import UsageError
from tunekit.evaluate.intervals import judged, mcnemar
from tunekit.evaluate.results import evaluated, require_known
from tunekit.evaluate.scores import Measured
from tunekit.model.gate import Gate


def answering(share: float, *, rows: int = 400, seed: int = 1) -> Measured:
    """Return rows of which about `share` are right, by exact match, words and classes."""
    chance = random.Random(seed)
    pairs = [(str(n), chance.choice(["one two", "three four", "five six"])) for n in range(rows)]
    answers = [e if chance.random() < share else "one six" for _, e in pairs]
    return measured(["exact_match", "token_f1", "macro_f1"], pairs, answers)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (5, 0), (8, 3), (3, 8), (40, 41)])
def test_mcnemar_is_the_exact_binomial(won: int, lost: int) -> None:
    from scipy.stats import binomtest

    rows = won + lost
    tail = sum(comb(rows, k) for k in range(min(won, lost) + 1))
    exact = min(Fraction(1), 2 * Fraction(tail, 2**rows))
    assert mcnemar(won, lost) == pytest.approx(float(exact), abs=1e-12)
    if rows:
        assert mcnemar(won, lost) == pytest.approx(binomtest(won, rows).pvalue, abs=1e-12)


def test_an_interval_is_that_of_scipys_bootstrap() -> None:
    import numpy as np
    from scipy.stats import bootstrap

    found = answering(0.8)
    numbers = found.by_row("exact_match")
    theirs = bootstrap(
        (numbers,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(3)
    ).confidence_interval
    low, high = judged({"tuned": found}, [], samples=4000).intervals["tuned"]["exact_match"]
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert low < found.scores()["exact_match"] < high


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(100):
        found = answering(0.7, rows=150, seed=seed)
        low, high = judged({"m": found}, [], samples=300, seed=seed).intervals["m"]["exact_match"]
        # The rare "one six" is never expected, so the share that is right is the one drawn.
        held += low <= 0.7 <= high
    assert 88 <= held <= 100


def test_equal_input_gives_equal_intervals() -> None:
    first, second = (judged({"m": answering(0.6)}, []).intervals["m"] for _ in range(2))
    assert first == second
    assert first["macro_f1"][0] < answering(0.6).scores()["macro_f1"] < first["macro_f1"][1]


def test_a_better_model_is_told_from_chance() -> None:
    good, bad = answering(0.95), answering(0.6)
    found = {
        d.metric: d for d in judged({"tuned": good, "base": bad}, [("tuned", "base")]).differences
    }
    assert found["exact_match"].test == "mcnemar"
    assert found["token_f1"].test == found["macro_f1"].test == "bootstrap"
    for metric, difference in found.items():
        gain = good.scores()[metric] - bad.scores()[metric]
        assert difference.difference == pytest.approx(gain, abs=1e-12)
        assert difference.interval[0] < gain < difference.interval[1]
        assert difference.p_value < 0.002
        assert difference.interval[0] > 0


def test_a_model_does_not_differ_from_itself() -> None:
    same = answering(0.6)
    for difference in judged({"tuned": same, "base": same}, [("tuned", "base")]).differences:
        assert difference.difference == 0
        assert difference.p_value == 1


def test_p_values_of_equal_models_are_small_as_seldom_as_they_say() -> None:
    small = 0
    for seed in range(100):
        one, other = answering(0.7, rows=100, seed=seed), answering(0.7, rows=100, seed=seed)
        pairs = [(str(n), "yes it is") for n in range(100)]
        chance = random.Random(seed)
        texts = [[chance.choice(["yes it is", "yes"]) for _ in pairs] for _ in range(2)]
        one, other = (measured(["token_f1"], pairs, text) for text in texts)
        (found,) = judged({"a": one, "b": other}, [("a", "b")], samples=200, seed=seed).differences
        assert found.test == "bootstrap"
        small += found.p_value < 0.05
    assert small <= 12


def test_models_of_different_rows_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different rows"):
        judged({"a": answering(1, rows=3), "b": answering(1, rows=4)}, [("a", "b")])


def test_no_rows_have_no_intervals() -> None:
    none = measured(["exact_match"], [], [])
    assert judged({"a": none}, []).intervals == {"a": {}}


def results(gate: str):  # type: ignore[no-untyped-def]
    models = {"tuned": ("t", answering(0.9)), "base": ("b", answering(0.4))}
    baselines = {"copy": answering(0.0), "majority": answering(0.3)}
    return evaluated(models, baselines, Gate.parse(gate))


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("exact_match > 0.8", "promoted"),
        ("exact_match > 0.99", "refused"),
        ("exact_match.low > base.exact_match", "promoted"),
        ("exact_match.high < 0.9", "refused"),
        ("token_f1 > majority.token_f1 and token_f1 > copy.token_f1", "promoted"),
    ],
)
def test_a_condition_judges_the_tuned_model_and_never_the_base(gate: str, verdict: str) -> None:
    found = results(gate)
    assert found.main.target == "tuned"
    assert found.main.verdict == verdict
    (base,) = [result for result in found.results if result.target == "base"]
    assert base.verdict is None
    assert base.differences == ()


def test_checkpoints_are_compared_with_base_and_tuned() -> None:
    models = {name: (name, answering(0.5)) for name in ("checkpoint:1", "tuned", "base")}
    found = evaluated(models, {}, None)
    assert found.main.target == "tuned"
    than = {r.target: {d.than for d in r.differences} for r in found.results}
    assert than == {"checkpoint:1": {"base", "tuned"}, "tuned": {"base"}, "base": set()}


def test_a_kind_of_placeholder_can_be_a_condition() -> None:
    pairs = [("Ana", "{{first-name}}"), ("Bo", "{{first-name}}"), ("in Rome", "in {{city}}")]
    rows = measured(["placeholder_f1"], pairs, ["{{first-name}}", "Bo", "in {{city}}"])
    gate = Gate.parse("placeholder_recall.city >= 1 and placeholder_recall.first_name >= 0.6")
    require_known(gate, ["placeholder_f1"], ["city", "first-name"], rows.scores())
    found = evaluated({"tuned": ("t", rows)}, {"copy": rows, "majority": rows}, gate)
    told = [(clause.is_met, *clause.numbers.values()) for clause in found.main.clauses]
    assert told == [(True, 1), (False, 0.5)]
    unknown = Gate.parse("placeholder_recall.town > 0")
    with pytest.raises(UsageError, match=r"reads placeholder_recall\.town.* city, first_name"):
        require_known(
            unknown, ["placeholder_recall"], ["city", "first-name"], ["placeholder_recall"]
        )


@pytest.mark.parametrize(
    "gate", ["leak_rate <= 0.01", "copy.leak_rate.low < 1", "not leak_rate > 0"]
)
def test_a_condition_on_a_score_that_these_rows_do_not_have_is_refused(gate: str) -> None:
    with pytest.raises(UsageError, match="nothing to be masked, so there is no leak_rate"):
        require_known(Gate.parse(gate), ["leak_rate", "exact_match"], [], ["exact_match"])


def test_samples_without_an_entity_do_not_count_in_an_interval() -> None:
    pairs = [
        ("Ana is in", "[NAME] is in"),
        *[(f"all is well {n}", f"all is well {n}") for n in range(9)],
    ]
    metrics = ["leak_rate", "placeholder_recall"]
    leaking = measured(metrics, pairs, [text for text, _ in pairs])
    sound = measured(metrics, pairs, [text for _, text in pairs])
    found = judged({"bad": leaking, "good": sound}, [("good", "bad")])
    assert found.intervals["bad"] == {"leak_rate": (1.0, 1.0), "placeholder_recall": (0.0, 0.0)}
    assert found.intervals["good"] == {"leak_rate": (0.0, 0.0), "placeholder_recall": (1.0, 1.0)}
    told = {d.metric: (d.difference, *d.interval) for d in found.differences}
    assert told == {"leak_rate": (-1, -1, -1), "placeholder_recall": (1, 1, 1)}


@pytest.mark.parametrize(("share", "is_met"), [("0.1", True), ("0.99", False)])
def test_a_part_of_the_split_gets_no_verdict(share: str, is_met: bool) -> None:
    models = {"tuned": ("t", answering(0.9))}
    none = {"copy": answering(0.0), "majority": answering(0.3)}
    found = evaluated(models, none, Gate.parse(f"exact_match > {share}"), split_rows=500)
    assert (found.main.is_met, found.main.verdict) == (is_met, None)
    assert (found.rows, found.split_rows) == (400, 500)
    whole = evaluated(models, none, Gate.parse(f"exact_match > {share}"), split_rows=400)
    assert whole.main.verdict == ("promoted" if is_met else "refused")
