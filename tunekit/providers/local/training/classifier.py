"""text-classifier: answers with one of the labels of its training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import text_features
from .fitness import MAX_LABELS
from .frame import Frame, find_frame
from .interface import Evaluation
from .learner import GENERATION_BATCH, LOSS_OF_UNKNOWN, Snapshot, in_batches, pool
from .sampling import Sampler, check_generation, is_greedy
from .weights import Floats, Positions, Weights, choose_features, stack

_EVALUATION_BATCH = 256


class _Encoded(NamedTuple):
    """One input: table rows and values of its features; its label's number, -1 if unknown."""

    positions: Positions
    values: Floats
    gold: int


class ClassifierModel:
    """A trained text-classifier."""

    def __init__(
        self, frame: Frame, labels: Sequence[str], weights: Weights, rarity: Floats
    ) -> None:
        self.frame = frame
        self.labels = tuple(labels)
        self.weights = weights
        self.rarity = rarity
        self.number = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> ClassifierModel:
        """Return the model that `snapshot` was taken of."""
        arrays = snapshot.arrays
        return cls(
            Frame(*snapshot.description["frame"]),
            snapshot.description["labels"],
            Weights(arrays["features"], arrays["weights"].astype(np.float32)),
            arrays["rarity"],
        )

    def snapshot(self) -> Snapshot:
        """Return what a checkpoint holds; weights are halved to 16 bits."""
        description: dict[str, Any] = {
            "base_model": "text-classifier",
            "frame": list(self.frame),
            "labels": list(self.labels),
        }
        arrays: dict[str, NDArray[Any]] = {
            "features": self.weights.features,
            "weights": self.weights.table.astype(np.float16),
            "rarity": self.rarity,
        }
        return Snapshot(description, arrays)

    def generate(
        self,
        prompts: Iterable[str],
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        max_output_tokens: int | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yield one label a prompt, in order; a label is one output token, so never cut.

        Raises ValueError for an option out of range.
        """
        check_generation(
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            max_output_tokens=max_output_tokens,
        )
        greedy = is_greedy(temperature=temperature, top_k=top_k)

        def answers() -> Iterator[str]:
            prompt = 0
            for batch in in_batches(prompts, GENERATION_BATCH):
                for scores in self.score([self.encode(text, None) for text in batch]):
                    if greedy:
                        label = int(scores.argmax())
                    else:
                        sampler = Sampler(
                            temperature=temperature,
                            top_p=top_p,
                            top_k=top_k,
                            seed=seed,
                            prompt=prompt,
                        )
                        label = sampler.draw(scores.astype(np.float64))
                    yield self.labels[label]
                    prompt += 1

        return answers()

    def encode(self, prompt: str, label: str | None) -> _Encoded:
        """Weigh an input's features by count and rarity, to length 1 (TF-IDF)."""
        hashes, counts = text_features(self.frame.remove(prompt))
        positions = self.weights.locate(hashes)
        known = positions >= 0
        values = counts[known] * self.rarity[positions[known]]
        values /= max(float(np.sqrt(values @ values)), 1e-9)
        gold = -1 if label is None else self.number.get(label, -1)
        return _Encoded(positions[known], values, gold)

    def score(self, batch: Sequence[_Encoded]) -> Floats:
        """Return the logits of a batch, shape (inputs, labels)."""
        features, touched = stack([row.positions for row in batch], [row.values for row in batch])
        logits: Floats = features @ self.weights.table[touched]
        return logits


def _softmax(logits: Floats) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    normal: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return normal


class ClassifierLearner:
    """A text-classifier in training. Rows beyond the labels it holds are left out of the loss."""

    def __init__(
        self,
        train: Sequence[tuple[str, str]],
        validation: Sequence[tuple[str, str]],
        *,
        learning_rate: float,
        seed: int,
    ) -> None:
        del seed  # nothing is drawn: the weights start at 0 and the loop shuffles
        responses = [response for _, response in train]
        frame = find_frame([prompt for prompt, _ in train], responses)
        features, counts = choose_features(
            text_features(frame.remove(prompt))[0] for prompt, _ in train
        )
        labels = [label for label, _ in Counter(responses).most_common(MAX_LABELS)]
        table = np.zeros((len(features), len(labels)), dtype=np.float32)
        rarity = (1 + np.log((1 + len(train)) / (1 + counts))).astype(np.float32)
        self.model = ClassifierModel(frame, labels, Weights(features, table), rarity)
        self._train = [self.model.encode(*row) for row in train]
        self._validation = [self.model.encode(*row) for row in validation]
        self._learning_rate = learning_rate

    def step(self, rows: NDArray[np.int64]) -> Evaluation:
        """Update the weights from the rows and return their scores before the update."""
        batch = [self._train[i] for i in rows if self._train[i].gold >= 0]
        if not batch:
            return Evaluation(0.0, 0.0, 0)
        features, touched = stack([row.positions for row in batch], [row.values for row in batch])
        slopes = _softmax(features @ self.model.weights.table[touched])
        gold = np.array([row.gold for row in batch])
        chosen = (np.arange(len(gold)), gold)
        loss = float(-np.log(np.maximum(slopes[chosen], 1e-300)).mean())
        correct = float((slopes.argmax(axis=1) == gold).mean())
        slopes[chosen] -= 1
        gradient = features.T @ (slopes / len(gold)).astype(np.float32)
        self.model.weights.descend(touched, gradient, self._learning_rate)
        return Evaluation(loss, correct, len(gold))

    def evaluate(self) -> Evaluation | None:
        """Score the validation rows; a label that is not known counts as wrong."""
        if not self._validation:
            return None
        return pool(map(self._score_batch, in_batches(self._validation, _EVALUATION_BATCH)))

    def _score_batch(self, batch: list[_Encoded]) -> Evaluation:
        likelihoods = _softmax(self.model.score(batch))
        gold = np.array([row.gold for row in batch])
        known = gold >= 0
        correct = float((known & (likelihoods.argmax(axis=1) == gold)).mean())
        likelihood = np.maximum(likelihoods[np.arange(len(gold)), gold], 1e-300)
        losses = np.where(known, -np.log(likelihood), LOSS_OF_UNKNOWN)
        return Evaluation(float(losses.mean()), correct, len(gold))

    def snapshot(self) -> Snapshot:
        """Return what a checkpoint holds."""
        return self.model.snapshot()
