"""Embeddings that stay on disk, of which only some are in memory at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from extract.frozen import FrozenBase

BATCH_BYTES = 2**23
"""Of rows that are worked on together: 256 of VGG16's at 150 pixels, 4,096 of 512 numbers."""


@dataclass(frozen=True)
class RowsOnDisk:
    """The embeddings of many pictures, indexed like an array, of which nothing is kept.

    It stands in for a memory-mapped array. A mapped file whose disk fails would end the process,
    and nobody would look at its bytes; here every row is read where it lies in its shard, and held
    against its checksum.

    Parameters
    ----------
    base : FrozenBase
        Keeps the embeddings.
    digests : sequence of str, length n_samples
        SHA-256 of the image files, which name the rows; at least one.
    """

    base: FrozenBase
    digests: Sequence[str]

    def __len__(self) -> int:
        return len(self.digests)

    @functools.cached_property
    def shape(self) -> tuple[int, int]:
        """Number of rows, and of features: that of the first row, which is read for it."""
        return len(self), self.base.embeddings(self.digests[:1]).shape[1]

    @property
    def nbytes(self) -> int:
        """What all rows would take in memory."""
        n_samples, n_features = self.shape
        return n_samples * n_features * np.dtype(np.float32).itemsize

    def __getitem__(self, positions: NDArray[np.intp]) -> NDArray[np.float32]:
        """Read some rows, float32 ``(len(positions), n_features)``.

        Raises
        ------
        CacheError
            If one is not there, or not as it was committed.
        """
        return self.base.embeddings([self.digests[i] for i in positions])


def batches(
    X: NDArray[np.float32] | RowsOnDisk, order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield rows of `X` in a given order, some at a time, with their positions.

    Parameters
    ----------
    X : ndarray of float32 or RowsOnDisk, shape (n_samples, n_features)
    order : ndarray of intp
        Positions of the rows that are wanted.

    Examples
    --------
    >>> X = np.zeros((5, 2**20), np.float32)
    >>> [(some.tolist(), rows.shape) for some, rows in batches(X, np.array([4, 0, 2]))]
    [([4, 0], (2, 1048576)), ([2], (1, 1048576))]
    """
    together = max(1, BATCH_BYTES // (np.dtype(np.float32).itemsize * X.shape[1]))
    for start in range(0, len(order), together):
        some = order[start : start + together]
        yield some, X[some]


def probabilities_of(estimator: Classifier, X: NDArray[Any] | RowsOnDisk) -> NDArray[Any]:
    """Return what a trained classifier says of samples in memory, or of rows on disk in batches.

    Returns
    -------
    ndarray of float, shape (n_samples, n_classes)
    """
    if isinstance(X, RowsOnDisk):
        found = [estimator.predict_proba(rows) for _, rows in batches(X, np.arange(len(X)))]
        return np.concatenate(found)
    return estimator.predict_proba(X)
