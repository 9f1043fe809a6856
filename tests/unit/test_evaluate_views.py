"""Scores as people and build servers get them."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest

from tests.unit.test_evaluate_intervals import answering
from tests.unit.test_evaluate_scores import measured
from tunekit.evaluate.junit import junit
from tunekit.evaluate.results import evaluated
from tunekit.model.gate import Gate
from tunekit.views.evaluation import print_evaluated
from tunekit.views.output import Output


def shown(found, width: int) -> str:  # type: ignore[no-untyped-def]
    stream = io.StringIO()
    output = Output(stream, "table", is_terminal=True, has_colour=False, width=width)
    print_evaluated(output, found)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_several_targets_fit_the_terminal(width: int) -> None:
    models = {name: (name, answering(0.9)) for name in ("tuned", "base", "checkpoint:12")}
    none = {"copy": answering(0.0), "majority": answering(0.3)}
    text = shown(evaluated(models, none, None), width)
    assert max(map(len, text.splitlines())) <= width
    assert "VS BASE" in text
    assert ("VS TUNED" in text) == (width == 120)
    # Baselines, the base and its like have a line of their own; the metric is named once.
    assert text.count("exact_match") == 1
    assert text.count("unchanged copy") == 3


def test_what_a_label_holds_only_prints() -> None:
    pairs = [("1", "a\x1b[31mred"), ("2", "b\u202ereversed"), ("3", "c" * 100)]
    rows = measured(["label_accuracy"], pairs, ["b\u202ereversed", "?", "?"])
    text = shown(evaluated({"tuned": ("t", rows)}, {"copy": rows, "majority": rows}, None), 80)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"1 row of a\x1b[31mred: answered b\u202ereversed" in text
    assert "answered no known label" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_verdict_says_which_comparison_failed() -> None:
    models = {"tuned": ("models/<m>", answering(0.9)), "base": ("b", answering(0.5))}
    gate = Gate.parse("exact_match > 0.5 and token_f1 > 0.999")
    found = evaluated(models, {"copy": answering(0), "majority": answering(0)}, gate)
    text = shown(found, 120)
    assert "tuned: refused" in text
    assert "  met: exact_match > 0.5: exact_match is 0.8875" in text
    assert "  not met: token_f1 > 0.999: token_f1 is 0.9287" in text

    tuned, base = ElementTree.fromstring(junit(found, name="mask@1\x00", split="test"))
    assert (tuned.get("name"), tuned.get("tests"), tuned.get("failures")) == (
        "mask@1\ufffd tuned",
        "2",
        "1",
    )
    first, second = tuned.iter("testcase")
    assert first.find("failure") is None
    failure = second.find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("token_f1 > 0.999: token_f1 is 0.9")
    about = {p.get("name"): p.get("value") for p in tuned.iter("property")}
    assert (about["model"], about["rows"]) == ("models/<m>", "400")
    # The base model is judged by nothing: its metrics are cases that passed.
    assert (base.get("tests"), base.get("failures")) == ("3", "0")


def test_either_of_two_comparisons_is_enough_and_none_fails_then() -> None:
    gate = Gate.parse("exact_match > 0.999 or token_f1 > 0.1")
    rows = answering(0.9)
    found = evaluated({"tuned": ("t", rows)}, {"copy": rows, "majority": rows}, gate)
    (suite,) = ElementTree.fromstring(junit(found, name="mask@1", split="test"))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")
