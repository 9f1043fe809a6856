"""Choosing an outcome from a softmax with temperature, top-k and top-p."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Sampler:
    """Draws outcomes; one for each prompt, so that an answer does not depend on its neighbours.

    `temperature` 0 or `top_k` 1 mean the most likely answer; `top_k` 0 means all outcomes.
    """

    def __init__(
        self, *, temperature: float, top_p: float, top_k: int, seed: int, prompt: int
    ) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self.top_k = top_k
        self._rng = np.random.default_rng([abs(seed), int(seed < 0), prompt])

    def draw(self, log_probabilities: NDArray[np.float64]) -> int:
        """Return the index of an outcome; the top-p set is the smallest that reaches `top_p`."""
        logits = log_probabilities / self.temperature
        probabilities = np.exp(logits - logits.max())
        order = np.argsort(-probabilities, kind="stable")
        if self.top_k:
            order = order[: self.top_k]
        ranked = probabilities[order] / probabilities[order].sum()
        size = int(np.searchsorted(np.cumsum(ranked), self.top_p)) + 1
        ranked, order = ranked[:size], order[:size]
        place = np.searchsorted(np.cumsum(ranked), self._rng.random() * ranked.sum(), "right")
        return int(order[min(int(place), len(order) - 1)])


def check_generation(
    *, temperature: float, top_p: float, top_k: int, max_output_tokens: int | None
) -> None:
    """Raise ValueError where an option of `generate` is out of range."""
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}; it must be 0 or more")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be above 0 and at most 1")
    if top_k < 0:
        raise ValueError(f"top_k is {top_k}; it must be 0 (all) or more")
    if max_output_tokens is not None and max_output_tokens < 1:
        raise ValueError(f"max_output_tokens is {max_output_tokens}; it must be 1 or more")


def is_greedy(*, temperature: float, top_k: int) -> bool:
    """True where the options leave only the most likely answer."""
    return temperature == 0 or top_k == 1
