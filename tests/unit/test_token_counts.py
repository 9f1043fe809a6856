"""What a count of some rows says of all of them."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunekit.model import Example, SplitInfo, estimated_tokens
from tunekit.plan.cost import billable_tokens
from tunekit.plan.tokens import counted, sample_places


def rows(count: int, *, rejected: str | None = None) -> list[Example]:
    texts = [f"row {n} " + "x" * (n % 37) for n in range(count)]
    return [Example(t, t[: len(t) // 2], t, n + 1, rejected) for n, t in enumerate(texts)]


def split_of(found: list[Example]) -> SplitInfo:
    sizes = [len(row.prompt) + len(row.response) + len(row.rejected or "") for row in found]
    return SplitInfo(
        rows=len(found),
        characters=sum(sizes),
        digest="d",
        tokens=sum(map(estimated_tokens, sizes)),
        prompt_tokens=sum(estimated_tokens(len(row.prompt)) for row in found),
    )


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_a_sample_is_spread_evenly_and_never_larger_than_asked(count: int, most: int) -> None:
    places = sample_places(count, most)
    assert len(places) == min(count, most)
    assert all(0 <= place < count for place in places)
    gaps = {after - before for before, after in pairwise(places)}
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)


def test_a_small_split_is_counted_whole() -> None:
    assert sample_places(5, 200) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("is_preference", [False, True])
def test_the_guess_of_all_rows_is_that_of_the_split(is_preference: bool) -> None:
    """So the figures are those that plan prices."""
    found = rows(30, rejected="worse" if is_preference else None)
    split = split_of(found)
    said = counted(split, found, [7] * 30, system="Mask it.", is_preference=is_preference)
    assert said.sample_guess == said.split_guess
    assert said.split_guess == billable_tokens(split, "Mask it.", is_preference=is_preference)
    plain = counted(split, found, [7] * 30, system="", is_preference=is_preference)
    assert said.split_guess == plain.split_guess + (2 if is_preference else 1) * 30 * 2
    assert (said.total, said.margin) == (210, 0)


def test_a_sample_scales_the_guess_of_the_whole() -> None:
    found = rows(1000)
    split = split_of(found)
    sample = [found[place] for place in sample_places(1000, 100)]
    tokens = [2 * estimated_tokens(len(row.prompt) + len(row.response)) for row in sample]
    said = counted(split, sample, tokens, system="", is_preference=False)
    assert said.ratio == 2.0
    assert (said.total, said.margin) == (2 * split.tokens, 0)  # every guess is off alike


@pytest.mark.parametrize(("size", "least"), [(5, 170), (100, 180)])
def test_the_margin_holds_the_truth_about_as_often_as_it_says(size: int, least: int) -> None:
    found = rows(2000)
    split = split_of(found)
    chance = random.Random(3)
    held = 0
    for _ in range(200):
        truth = [
            round(estimated_tokens(len(r.prompt) + len(r.response)) * chance.uniform(0.7, 1.9))
            for r in found
        ]
        places = sample_places(2000, size)
        sample, tokens = [found[p] for p in places], [truth[p] for p in places]
        said = counted(split, sample, tokens, system="", is_preference=False)
        assert said.margin
        held += abs(said.total - sum(truth)) <= said.margin
    assert least <= held < 200


def test_one_row_of_many_says_nothing_of_the_margin() -> None:
    found = rows(10)
    said = counted(split_of(found), found[:1], [4], system="", is_preference=False)
    assert said.margin is None
    assert said.total > 0


def test_nothing_guessed_has_no_ratio() -> None:
    empty = [Example("", "", "", 1)]
    said = counted(split_of(empty), empty, [0], system="", is_preference=False)
    assert (said.ratio, said.total) == (None, 0)
    none = counted(split_of([]), [], [], system="Mask.", is_preference=False)
    assert (none.ratio, none.total, none.split_guess) == (None, 0, 0)
