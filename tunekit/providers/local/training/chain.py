"""A conditional random field over edits: which edit may follow which is fixed, not learned.

Only the deletions inside a replaced span are bound: they follow the span's phrase or each other.
Learned weights of transitions were tried and gained nothing. Arrays are padded to
(inputs, tokens, edits), the inputs longest first. Source: Lafferty et al. 2001,
https://repository.upenn.edu/cis_papers/159
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .edits import Edit
from .sampling import Sampler

Doubles = NDArray[np.float64]
Indexes = NDArray[np.int64]


# Scores further than this below a token's best are raised to it: exp() must not underflow to 0.
_DEEPEST = -80.0


class Rules(NamedTuple):
    """Which edit may come first, shape (edits,), and which after which, shape (edits, edits)."""

    start: Doubles
    follow: Doubles


class Posterior(NamedTuple):
    """Each token's distribution over edits, and the log partition summed over all inputs."""

    marginals: Doubles
    log_partition: float


def find_rules(vocabulary: Sequence[Edit]) -> Rules:
    """Return the rules of a vocabulary, as 0 and 1."""
    start = np.array([float(not edit.inside) for edit in vocabulary])
    follow = np.ones((len(vocabulary), len(vocabulary)))
    for after, edit in enumerate(vocabulary):
        if edit.inside:
            follow[:, after] = [_is_span(before, edit.inside) for before in vocabulary]
    return Rules(start, follow)


def _is_span(edit: Edit, phrase: str) -> bool:
    return phrase in (edit.inside, edit.phrase if edit.form == "phrase" else "")


def infer(scores: Doubles, lengths: Indexes, rules: Rules) -> Posterior:
    """Return the posterior of the edits, by the forward-backward algorithm."""
    longest = scores.shape[1]
    live = [int((lengths > at).sum()) for at in range(longest)]
    peaks = scores.max(axis=2, keepdims=True)
    potentials = np.exp(np.maximum(scores - peaks, _DEEPEST))
    forward = np.zeros_like(potentials)
    scales = np.ones(scores.shape[:2])
    state = potentials[:, 0] * rules.start
    for at in range(longest):
        if at:
            state = (forward[: live[at], at - 1] @ rules.follow) * potentials[: live[at], at]
        scales[: live[at], at] = state.sum(axis=1)
        forward[: live[at], at] = state / scales[: live[at], at, None]
    backward = np.ones_like(potentials)
    for at in range(longest - 1, 0, -1):
        n = live[at]
        message = potentials[:n, at] * backward[:n, at] / scales[:n, at, None]
        backward[:n, at - 1] = message @ rules.follow.T
    is_token = np.arange(longest) < lengths[:, None]
    log_partition = float(np.log(scales).sum() + peaks[:, :, 0][is_token].sum())
    return Posterior(forward * backward, log_partition)


def best_path(scores: Doubles, rules: Rules) -> list[int]:
    """Return the most likely edits of one input, by the Viterbi algorithm; scores (tokens, edits).

    Equal scores fall to the earlier edit of the vocabulary.
    """
    with np.errstate(divide="ignore"):
        start, follow = np.log(rules.start), np.log(rules.follow)
    best = scores[0] + start
    came_from = []
    for row in scores[1:]:
        through = best[:, None] + follow
        before = through.argmax(axis=0)
        came_from.append(before)
        best = through[before, np.arange(len(row))] + row
    path = [int(best.argmax())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return path[::-1]


def sample_path(scores: Doubles, rules: Rules, sampler: Sampler) -> list[int]:
    """Draw the edits of one input from left to right, each from its softmax given the last one."""
    potentials = np.exp(np.maximum(scores - scores.max(axis=1, keepdims=True), _DEEPEST))
    future = np.ones_like(potentials)
    for at in range(len(scores) - 1, 0, -1):
        message = rules.follow @ (potentials[at] * future[at])
        future[at - 1] = message / message.max()
    path: list[int] = []
    with np.errstate(divide="ignore"):
        for at in range(len(scores)):
            allowed = rules.follow[path[-1]] if path else rules.start
            path.append(sampler.draw(np.log(potentials[at] * future[at] * allowed)))
    return path
