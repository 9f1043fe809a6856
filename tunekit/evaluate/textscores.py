"""How alike two texts are: each function takes (expected, answered) and returns 0 to 1."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tunekit.errors import MissingExtra

_TOKENS = re.compile(r"\w+|[^\w\s]")
_ROUGE_TOKENS = re.compile(r"[a-z0-9]+")


def exact_match(expected: str, answered: str) -> float:
    """Return 1.0 where the two are equal but for white space around them, else 0.0."""
    return float(expected.strip() == answered.strip())


def normalised_match(expected: str, answered: str) -> float:
    """Return 1.0 where the two are equal but for case, punctuation, width and white space."""
    return float(normalised(expected) == normalised(answered))


def normalised(text: str) -> str:
    """Return text in NFKC, case folded, without punctuation (Unicode P*), single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = (c for c in folded if not unicodedata.category(c).startswith("P"))
    return " ".join("".join(kept).split())


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


def rouge_l(expected: str, answered: str) -> float:
    """Return the F-measure of the longest common subsequence of words; 0 where one has no word.

    Words are runs of a-z and 0-9 after lower-casing, as in the package rouge-score (no stemming):
    other scripts have none. Source: Lin 2004, ROUGE, aclanthology.org/W04-1013.
    """
    from rapidfuzz.distance import LCSseq

    wanted, given = _ROUGE_TOKENS.findall(expected.lower()), _ROUGE_TOKENS.findall(answered.lower())
    if not wanted or not given:
        return 0.0
    return 2 * LCSseq.similarity(wanted, given) / (len(wanted) + len(given))


def chrf(expected: str, answered: str) -> float:
    """Return chrF2: character n-grams up to 6, recall counted twice, white space left out.

    Sentence level, as sacrebleu computes it, divided by 100. MissingExtra without sacrebleu.
    Source: Popović 2015, aclanthology.org/W15-3049.
    """
    score: float = _chrf().sentence_score(answered, [expected]).score
    return score / 100


@functools.cache
def _chrf() -> Any:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise MissingExtra(needs="the package sacrebleu (for chrf)", extra="scores") from error
    return CHRF()


def json_validity(expected: str, answered: str) -> float:
    """Return 1.0 where the answer is one JSON value (RFC 8259) and nothing else, else 0.0."""
    try:
        json.loads(answered, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)  # NaN and Infinity are Python's, not JSON's


TextScore = Callable[[str, str], float]
TEXT_SCORES: Mapping[str, TextScore] = {
    "exact_match": exact_match,
    "normalised_match": normalised_match,
    "token_f1": token_f1,
    "rouge_l": rouge_l,
    "chrf": chrf,
    "json_validity": json_validity,
}
