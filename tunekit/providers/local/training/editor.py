"""text-editor: tags every token of the input with an edit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .chain import Doubles, Indexes, best_path, find_rules, infer, sample_path
from .edits import Edit, EditedRow, apply_edits, edit_row, edit_rows, source_tokens
from .features import document_features, token_features
from .frame import Frame
from .interface import Evaluation
from .learner import GENERATION_BATCH, LOSS_OF_UNKNOWN, Snapshot, in_batches, pool
from .sampling import Sampler, check_generation, is_greedy
from .tokens import Token, join, tokenize
from .weights import Floats, Positions, Weights, choose_features, stack

# The share of a token's features left out at random at each step of training, so that the model
# does not lean on the words it has seen alone. Chosen on a validation slice.
FEATURE_DROPOUT = 0.2
_EVALUATION_BATCH = 32


class _Encoded(NamedTuple):
    """One input: table rows of each token's features and of the whole input's; its gold edits.

    `gold` is -1 where the edit is not in the vocabulary.
    """

    tokens: Positions
    document: Positions
    gold: Indexes


class _Scored(NamedTuple):
    """A batch's scores, shape (inputs, tokens, edits), and what its gradient needs.

    `at` holds the input and the place of every token of the batch.
    """

    scores: Doubles
    lengths: Indexes
    at: tuple[Indexes, Indexes]
    features: sparse.csr_matrix
    touched: Positions


class EditorModel:
    """A trained text-editor."""

    def __init__(self, frame: Frame, vocabulary: Sequence[Edit], weights: Weights) -> None:
        self.frame = frame
        self.vocabulary = tuple(vocabulary)
        self.weights = weights
        self.rules = find_rules(self.vocabulary)
        self._number = {edit: i for i, edit in enumerate(self.vocabulary)}

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> EditorModel:
        """Return the model that `snapshot` was taken of."""
        weights = snapshot.arrays["weights"].astype(np.float32)
        return cls(
            Frame(*snapshot.description["frame"]),
            [Edit(*edit) for edit in snapshot.description["edits"]],
            Weights(snapshot.arrays["features"], weights),
        )

    def snapshot(self) -> Snapshot:
        """Return what a checkpoint holds; weights are halved to 16 bits."""
        description: dict[str, Any] = {
            "base_model": "text-editor",
            "frame": list(self.frame),
            "edits": [list(edit) for edit in self.vocabulary],
        }
        weights = self.weights.table.astype(np.float16)
        return Snapshot(description, {"features": self.weights.features, "weights": weights})

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
        """Yield one edited input a prompt, in order.

        Above temperature 0 each token's edit is drawn given the one before. An output token is a
        word, number, sign or placeholder. Raises ValueError for an option out of range.
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
                inputs = [source_tokens(self.frame.remove(text)) for text in batch]
                for tokens, scores in zip(inputs, self._score_inputs(inputs), strict=True):
                    if greedy:
                        path = best_path(scores, self.rules)
                    else:
                        sampler = Sampler(
                            temperature=temperature,
                            top_p=top_p,
                            top_k=top_k,
                            seed=seed,
                            prompt=prompt,
                        )
                        path = sample_path(scores, self.rules, sampler)
                    output = apply_edits(tokens, [self.vocabulary[edit] for edit in path])
                    if max_output_tokens is not None:
                        output = join(tokenize(output)[:max_output_tokens])
                    yield output
                    prompt += 1

        return answers()

    def _score_inputs(self, inputs: Sequence[Sequence[Token]]) -> list[Doubles]:
        """Return the scores of each input, shape (tokens, edits), in the order given."""
        order = np.argsort([-len(tokens) for tokens in inputs], kind="stable")
        scored = self.score([self.encode(inputs[i], None) for i in order])
        found = {int(i): scored.scores[place] for place, i in enumerate(order)}
        return [found[i][: len(tokens)] for i, tokens in enumerate(inputs)]

    def encode(self, tokens: Sequence[Token], edits: Sequence[Edit] | None) -> _Encoded:
        """Look an input's features up, and its gold edits where given."""
        gold = np.array([self._number.get(edit, -1) for edit in edits or ()], dtype=np.int64)
        document = self.weights.locate(document_features(tokens))
        return _Encoded(self.weights.locate(token_features(tokens)), document, gold)

    def score(self, batch: Sequence[_Encoded], keep: NDArray[np.bool_] | None = None) -> _Scored:
        """Score the edits of a batch of inputs, the longest first.

        `keep` says which features of which token count, shape (tokens of the batch, templates).
        """
        features, touched = _stack(batch, keep)
        products = features @ self.weights.table[touched]
        lengths = np.array([len(row.tokens) for row in batch], dtype=np.int64)
        of_input = np.repeat(np.arange(len(batch)), lengths)
        place = np.concatenate([np.arange(length) for length in lengths])
        count = len(of_input)
        scores = np.zeros((len(batch), int(lengths.max()), len(self.vocabulary)))
        scores[of_input, place] = products[:count] + products[count:][of_input]
        return _Scored(scores, lengths, (of_input, place), features, touched)


def _stack(
    batch: Sequence[_Encoded], keep: NDArray[np.bool_] | None
) -> tuple[sparse.csr_matrix, Positions]:
    """Return a line of features for each token, followed by a line for each input."""
    tokens = np.concatenate([row.tokens for row in batch])
    if keep is not None:
        tokens = np.where(keep, tokens, np.int32(-1))
    lines = [line[line >= 0] for line in (*tokens, *(row.document for row in batch))]
    values: list[Floats] = [np.ones(len(line), dtype=np.float32) for line in lines[: len(tokens)]]
    # However long the input, its words together count about as much as a few features.
    for line in lines[len(tokens) :]:
        values.append(np.full(len(line), 1 / np.sqrt(max(len(line), 1)), dtype=np.float32))
    return stack(lines, values)


class EditorLearner:
    """A text-editor in training. Rows that it cannot express are left out of the loss."""

    def __init__(
        self,
        train: Sequence[tuple[str, str]],
        validation: Sequence[tuple[str, str]],
        *,
        learning_rate: float,
        seed: int,
    ) -> None:
        edited = edit_rows(train)
        features, _ = choose_features(
            np.append(token_features(row.tokens), document_features(row.tokens))
            for row in edited.rows
        )
        table = np.zeros((len(features), len(edited.vocabulary)), dtype=np.float32)
        self.model = EditorModel(edited.frame, edited.vocabulary, Weights(features, table))
        self._train = self._encode(edited.rows)
        remove = edited.frame.remove
        self._validation = self._encode(
            [edit_row(remove(prompt), response) for prompt, response in validation]
        )
        self._learning_rate = learning_rate
        self._rng = np.random.default_rng([abs(seed), int(seed < 0), 1])

    def _encode(self, rows: Iterable[EditedRow]) -> list[_Encoded]:
        return [self.model.encode(row.tokens, row.edits) for row in rows]

    def step(self, rows: NDArray[np.int64]) -> Evaluation:
        """Update the weights from the rows and return their scores before the update."""
        batch = [self._train[i] for i in rows if (self._train[i].gold >= 0).all()]
        if not batch:
            return Evaluation(0.0, 0.0, 0)
        batch.sort(key=lambda row: -len(row.tokens))
        shape = (sum(len(row.tokens) for row in batch), batch[0].tokens.shape[1])
        keep = self._rng.random(shape) >= FEATURE_DROPOUT
        scored = self.model.score(batch, keep)
        posterior = infer(scored.scores, scored.lengths, self.model.rules)
        gold = np.concatenate([row.gold for row in batch])
        marginals = posterior.marginals[scored.at]
        loss = posterior.log_partition - float(scored.scores[(*scored.at, gold)].sum())
        correct = float((marginals.argmax(axis=1) == gold).mean())

        marginals[np.arange(len(gold)), gold] -= 1
        marginals /= len(gold)
        starts = np.cumsum(scored.lengths) - scored.lengths
        of_lines = np.concatenate([marginals, np.add.reduceat(marginals, starts, axis=0)])
        gradient = scored.features.T @ of_lines.astype(np.float32)
        self.model.weights.descend(scored.touched, gradient, self._learning_rate)
        return Evaluation(loss / len(gold), correct, len(gold))

    def evaluate(self) -> Evaluation | None:
        """Score the validation rows; an edit outside the vocabulary counts as wrong."""
        if not self._validation:
            return None
        longest_first = sorted(self._validation, key=lambda row: -len(row.tokens))
        return pool(map(self._score_batch, in_batches(longest_first, _EVALUATION_BATCH)))

    def _score_batch(self, batch: list[_Encoded]) -> Evaluation:
        scored = self.model.score(batch)
        posterior = infer(scored.scores, scored.lengths, self.model.rules)
        marginals = posterior.marginals[scored.at]
        gold = np.concatenate([row.gold for row in batch])
        known = gold >= 0
        correct = float((known & (marginals.argmax(axis=1) == gold)).mean())
        likelihood = marginals[np.arange(len(gold)), gold]
        losses = np.where(known, -np.log(np.maximum(likelihood, 1e-300)), LOSS_OF_UNKNOWN)
        return Evaluation(float(np.minimum(losses, 1e3).mean()), correct, len(gold))

    def snapshot(self) -> Snapshot:
        """Return what a checkpoint holds."""
        return self.model.snapshot()
