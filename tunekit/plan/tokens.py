"""What a count of some rows' tokens says of them all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from tunekit.model import Example, SplitInfo, estimated_tokens
from tunekit.plan.cost import billable_tokens


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of a split as an epoch bills them: counted of a sample of rows, guessed of all.

    `margin` is half of a 95% interval around `total`, in tokens: rows differ in how far a guess is
    off, and only some were counted; of less than 20 it is nearer to 90%. None where they are too
    few to tell.
    """

    sample_rows: int
    sample_tokens: int
    sample_guess: int
    split_guess: int
    total: int
    margin: int | None

    @property
    def ratio(self) -> float | None:
        """Counted tokens a guessed one; None where nothing was guessed."""
        return self.sample_tokens / self.sample_guess if self.sample_guess else None


def sample_places(rows: int, most: int) -> list[int]:
    """Return the positions, from 0, of at most so many rows, spread evenly over all."""
    size = min(rows, most)
    return [(2 * n + 1) * rows // (2 * size) for n in range(size)]


def counted(
    split: SplitInfo,
    sample: Sequence[Example],
    tokens: Sequence[int],
    *,
    system: str,
    is_preference: bool,
) -> Counted:
    """Return what the tokens of a split's sample say of the split: their ratio to the guess counts.

    The margin is that of a ratio estimator: Cochran, Sampling Techniques (1977), section 6.4.
    """
    guesses = [billable_tokens(_info(row), system, is_preference=is_preference) for row in sample]
    guess = billable_tokens(split, system, is_preference=is_preference)
    is_whole = len(sample) == split.rows
    ratio = sum(tokens) / sum(guesses) if sum(guesses) else 0.0
    return Counted(
        sample_rows=len(sample),
        sample_tokens=sum(tokens),
        sample_guess=sum(guesses),
        split_guess=guess,
        total=sum(tokens) if is_whole else round(ratio * guess),
        margin=0 if is_whole else _margin(tokens, guesses, rows=split.rows, guess=guess),
    )


def _info(row: Example) -> SplitInfo:
    """Return what a split of this one row would be."""
    characters = len(row.prompt) + len(row.response) + len(row.rejected or "")
    return SplitInfo(
        rows=1,
        characters=characters,
        digest="",
        tokens=estimated_tokens(characters),
        prompt_tokens=estimated_tokens(len(row.prompt)),
    )


def _margin(tokens: Sequence[int], guesses: Sequence[int], *, rows: int, guess: int) -> int | None:
    size = len(tokens)
    if size < 2 or not sum(guesses):
        return None
    ratio = sum(tokens) / sum(guesses)
    off = sum((t - ratio * g) ** 2 for t, g in zip(tokens, guesses, strict=True)) / (size - 1)
    # Scaled by length, not by rows: the sample's rows may be shorter than the others.
    return round(_t95(size - 1) * guess / sum(guesses) * sqrt((1 - size / rows) * off * size))


def _t95(freedom: int) -> float:
    """Return the two-sided 95% point of Student's t; from 4 degrees of freedom on to 1%.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
    """
    return 1.960 + 2.372 / freedom + 2.823 / freedom**2 + 2.556 / freedom**3
