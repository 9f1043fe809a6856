"""Conditions on scores: what they mean, and what is no condition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunekit.model.gate import BadGate, Gate, metric_of

SCORES = {"exact_match": 0.91, "exact_match.low": 0.85, "leak_rate": 0.005, "base.exact_match": 0.5}


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ("exact_match >= 0.9 and leak_rate <= 0.01", True),
        ("exact_match >= 0.92 and leak_rate <= 0.01", False),
        ("exact_match >= 0.92 or leak_rate <= 0.01", True),
        ("exact_match.low >= 90%", False),
        ("exact_match > 90 %", True),
        ("exact_match >= base.exact_match + 0.4", True),
        ("exact_match - base.exact_match >= 0.42", False),
        ("not leak_rate > 0.01", True),
        ("not (leak_rate > 0.01 or exact_match < 0.95)", False),
        # `and` binds closer than `or`.
        ("exact_match > 0.9 or exact_match > 0.9 and leak_rate > 1", True),
        ("(exact_match > 0.9 or exact_match > 0.9) and leak_rate > 1", False),
        ("0.9<exact_match", True),
        ("exact_match == .91 and exact_match != 0.9", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, is_met: bool) -> None:
    assert Gate.parse(text).is_met(SCORES) is is_met


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected a metric or a number at its end (character 1)"),
        ("exact_match", "expected >=, <=, >, <, == or != at its end"),
        ("exact_match >= ", "expected a metric or a number at its end"),
        ("exact_match = 0.9", "nothing can be read at '=' (character 13)"),
        ("exact_match >= 0.9 leak_rate < 1", "expected `and`, `or` or the end at 'leak_rate'"),
        ("0.5 <= exact_match <= 0.9", "expected `and` between two comparisons at '<='"),
        ("(exact_match > 0.9", "expected `)` at its end"),
        ("exact_match > 0.9 and", "expected a metric or a number at its end"),
        ("__import__('os').system('x') > 0", "expected >=, <=, >, <, == or != at '('"),
        ("exact_match > 1e-3", "expected `and`, `or` or the end at 'e'"),
        ("not " * 60 + "a > 1", "nested too deeply"),
        ("(" * 5000 + "a > 1", "nested too deeply"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text: str, why: str) -> None:
    with pytest.raises(BadGate) as refused:
        Gate.parse(text)
    assert why in str(refused.value)


def test_each_comparison_tells_how_it_came_out() -> None:
    gate = Gate.parse("exact_match >= 0.92 and not leak_rate > 0.01")
    first, second = gate.clauses(SCORES)
    assert (str(first), first.is_met) == ("exact_match >= 0.92: exact_match is 0.91", False)
    assert (str(second), second.is_met) == ("not leak_rate > 0.01: leak_rate is 0.005", True)
    assert gate.names() == ("exact_match", "leak_rate")
    assert not gate.reads_base
    assert Gate.parse("exact_match > base.exact_match").reads_base


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("exact_match", "exact_match"),
        ("base.exact_match", "exact_match"),
        ("exact_match.low", "exact_match"),
        ("custom.polite", "custom.polite"),
        ("copy.custom.polite", "custom.polite"),
        ("custom.polite.high", "custom.polite"),
        ("placeholder_recall.NAME", "placeholder_recall"),
    ],
)
def test_a_name_tells_its_metric(name: str, metric: str) -> None:
    assert metric_of(name) == metric


@given(st.text(alphabet="ab.>=<!+-()%0123456789 andortn\n", max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        gate = Gate.parse(text)
    except BadGate:
        return
    assert gate.is_met(dict.fromkeys(gate.names(), 0.5)) in (True, False)
