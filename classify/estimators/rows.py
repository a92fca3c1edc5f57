"""Rows on disk, of which only a batch is in memory at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

BATCH_BYTES = 2**23
"""Size of a batch of rows: 256 embeddings of VGG16 at 150 pixels, or 4,096 of 512 numbers."""


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows that are indexed like an array, and read from disk every time; none is kept in memory.

    Use it instead of a memory-mapped array: if the disk fails, a mapped file kills the process, and
    nothing checks its bytes. `read` can check what it reads and raise an error.

    Parameters
    ----------
    read : callable
        Takes some of the `keys` and returns their rows, float32 ``(n_keys, n_features)``.
    keys : sequence of str, length n_samples
        One key per row; at least one.

    Examples
    --------
    >>> stored = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    >>> rows = RowsOnDisk(lambda keys: np.array([stored[key] for key in keys]), ["a", "b"])
    >>> rows.shape, rows[np.array([1])].tolist()
    ((2, 2), [[3.0, 4.0]])
    """

    read: Callable[[Sequence[str]], NDArray[np.float32]]
    keys: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    @functools.cached_property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features; the first row is read to find out the latter."""
        return len(self), self.read(self.keys[:1]).shape[1]

    @property
    def nbytes(self) -> int:
        """Size of all rows in memory, in bytes."""
        n_samples, n_features = self.shape
        return n_samples * n_features * np.dtype(np.float32).itemsize

    def __getitem__(self, positions: NDArray[np.intp]) -> NDArray[np.float32]:
        """Read some rows, float32 ``(len(positions), n_features)``; errors are those of `read`."""
        return self.read([self.keys[i] for i in positions])


def batches(
    X: NDArray[np.float32] | RowsOnDisk, order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield the rows of `X` in a given order, in batches, with their positions.

    Parameters
    ----------
    X : ndarray of float32 or RowsOnDisk, shape (n_samples, n_features)
    order : ndarray of intp
        Positions of the rows.

    Yields
    ------
    positions : ndarray of intp, shape (n_batch,)
    rows : ndarray of float32, shape (n_batch, n_features)
        A copy, so that it can be changed.

    Examples
    --------
    >>> X = np.zeros((5, 2**20), np.float32)
    >>> [(rows.tolist(), batch.shape) for rows, batch in batches(X, np.array([4, 0, 2]))]
    [([4, 0], (2, 1048576)), ([2], (1, 1048576))]
    """
    size = max(1, BATCH_BYTES // (np.dtype(np.float32).itemsize * X.shape[1]))
    for start in range(0, len(order), size):
        positions = order[start : start + size]
        yield positions, X[positions]


class HasProbabilities(Protocol):
    """What `probabilities_of` needs of a classifier."""

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``."""


def probabilities_of(estimator: HasProbabilities, X: NDArray[Any] | RowsOnDisk) -> NDArray[Any]:
    """Return a classifier's probabilities; rows on disk are predicted in batches.

    Parameters
    ----------
    estimator : HasProbabilities
        Trained.
    X : ndarray or RowsOnDisk

    Returns
    -------
    ndarray of float, shape (n_samples, n_classes)
    """
    if isinstance(X, RowsOnDisk):
        parts = [estimator.predict_proba(batch) for _, batch in batches(X, np.arange(len(X)))]
        return np.concatenate(parts)
    return estimator.predict_proba(X)
