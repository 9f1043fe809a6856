"""Scores of answers against what was expected. Each is a mean over rows, between 0 and 1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

_TOKENS = re.compile(r"\w+|[^\w\s]")


def exact_match(expected: str, answered: str) -> float:
    """Return 1.0 where the two are equal but for white space around them, else 0.0."""
    return float(expected.strip() == answered.strip())


def token_f1(expected: str, answered: str) -> float:
    """Return the harmonic mean of token precision and recall, tokens counted as a bag.

    Tokens are words and single punctuation marks, case kept. Two empty texts agree.
    Source: Rajpurkar et al. 2016, SQuAD, arXiv 1606.05250, section 6.1, without its normalising.
    """
    wanted, given = Counter(_TOKENS.findall(expected)), Counter(_TOKENS.findall(answered))
    if not wanted or not given:
        return float(wanted == given)
    common = (wanted & given).total()
    # 2PR / (P + R) with P = common / given and R = common / wanted, one rounding only.
    return 2 * common / (wanted.total() + given.total())


Metric = Callable[[str, str], float]
METRICS: Mapping[str, Metric] = {"exact_match": exact_match, "token_f1": token_f1}


def score(metrics: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return the mean of each metric over (expected, answered) pairs; {} for no pairs."""
    totals = dict.fromkeys(metrics, 0.0)
    rows = 0
    for expected, answered in pairs:
        rows += 1
        for name in metrics:
            totals[name] += METRICS[name](expected, answered)
    return {name: total / rows for name, total in totals.items()} if rows else {}
