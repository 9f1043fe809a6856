"""A table of weights, one row a feature, and the optimizer that updates the rows touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .features import Hashes

Floats = NDArray[np.float32]
Positions = NDArray[np.int32]

_COMMON_FROM_ROWS = 50
_EPSILON = 1e-8


def choose_features(rows: Iterable[Hashes]) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the features worth a weight, sorted, and the number of rows that have each.

    A feature of a single row says nothing of another, and is left out of all but tiny data.
    """
    distinct = [np.unique(hashes) for hashes in rows]
    features, counts = np.unique(np.concatenate(distinct), return_counts=True)
    is_kept = counts >= (2 if len(distinct) >= _COMMON_FROM_ROWS else 1)
    return features[is_kept], counts[is_kept]


class Weights:
    """Weights of shape (features, outputs), found by the features' hashes."""

    def __init__(self, features: Hashes, table: Floats) -> None:
        self.features = features
        self.table = table
        self._squares: Floats | None = None

    def locate(self, hashes: Hashes) -> Positions:
        """Return the row of each hash, -1 where the feature is unknown; same shape."""
        if not len(self.features):
            return np.full(hashes.shape, -1, dtype=np.int32)
        found = np.minimum(np.searchsorted(self.features, hashes), len(self.features) - 1)
        return np.where(self.features[found] == hashes, found, -1).astype(np.int32)

    def descend(self, touched: Positions, gradient: Floats, learning_rate: float) -> None:
        """Take one AdaGrad step on the touched rows.

        Source: Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html
        """
        if self._squares is None:
            self._squares = np.zeros_like(self.table)
        squares = self._squares[touched] + gradient * gradient
        self._squares[touched] = squares
        self.table[touched] -= learning_rate * gradient / (np.sqrt(squares) + _EPSILON)


def stack(
    positions: Sequence[Positions], values: Sequence[Floats]
) -> tuple[sparse.csr_matrix, Positions]:
    """Return a matrix of one line per sequence of positions, and the table rows of its columns.

    The columns are only the rows that occur, so that a step costs what its batch costs.
    """
    lengths = [len(line) for line in positions]
    touched, columns = np.unique(np.concatenate(positions), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    shape = (len(lengths), len(touched))
    matrix = sparse.csr_matrix(
        (np.concatenate(values), columns.astype(np.int32), starts), shape=shape
    )
    return matrix, touched
