"""Rows on disk, of which only a batch is in memory at a time, and passes over them."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from classify.parallel import map_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

R = TypeVar("R")

BATCH_BYTES = 2**23
"""Size of a batch of rows: 256 embeddings of VGG16 at 150 pixels, or 4,096 of 512 numbers."""
PART_BYTES, PART_ROWS = 2**25, (1024, 8192)
"""Size of the rows that a worker of a cluster gets together, and their least and largest number."""


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows that are indexed like an array, and read from disk every time; none is kept in memory.

    Use it instead of a memory-mapped array: if the disk fails, a mapped file kills the process, and
    nothing checks its bytes. `read` can check what it reads and raise an error.

    Parameters
    ----------
    read : callable
        Takes some of the `keys` and returns their rows, float32 ``(n_keys, n_features)``.
        If it has a method ``can_read(key)``, the workers of a cluster read rows that they can read;
        else rows are sent to them.
    keys : sequence of str, length n_samples
        One key per row; at least one.
    n_features : int, optional
        By default, the first row is read to find out.

    Examples
    --------
    >>> stored = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    >>> rows = RowsOnDisk(lambda keys: np.array([stored[key] for key in keys]), ["a", "b"])
    >>> rows.shape, rows[np.array([1])].tolist()
    ((2, 2), [[3.0, 4.0]])
    """

    read: Callable[[Sequence[str]], NDArray[np.float32]]
    keys: Sequence[str]
    n_features: int | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @functools.cached_property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return len(self), self.n_features or self.read(self.keys[:1]).shape[1]

    def is_readable(self) -> bool:
        """Return whether a process that gets the names alone can read the rows.

        If `read` does not say so, it may depend on what only this process has.
        """
        can_read = getattr(self.read, "can_read", None)
        return can_read is not None and can_read(self.keys[0])

    def part(self, positions: NDArray[np.intp]) -> RowsOnDisk:
        """Return some of the rows without reading them."""
        keys = [self.keys[i] for i in positions]
        return dataclasses.replace(self, keys=keys, n_features=self.shape[1])

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


@dataclass(frozen=True)
class LabelledRows:
    """Rows with their classes and folds, as an estimator passes over them.

    Attributes
    ----------
    X : ndarray of float or RowsOnDisk, shape (n_samples, n_features)
    codes : ndarray of int64, shape (n_samples,)
        Class of every row.
    fold_of : ndarray of intp, shape (n_samples,)
        Number of the fold that holds it out.
    """

    X: NDArray[Any] | RowsOnDisk
    codes: NDArray[np.int64]
    fold_of: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold_of.max()) + 1

    def is_readable(self) -> bool:
        """Return whether a process that gets the names of rows on disk alone can read them."""
        return not isinstance(self.X, RowsOnDisk) or self.X.is_readable()

    def loaded(self) -> LabelledRows:
        """Return the same with the rows in memory."""
        return dataclasses.replace(self, X=self.X[np.arange(len(self))])

    def batches(self) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Yield all rows in batches, each with its positions; see `batches`."""
        return batches(self.X, np.arange(len(self)))

    def map(
        self,
        function: Callable[..., R],
        positions: NDArray[np.intp],
        *arguments: Any,
        least: int = 1,
    ) -> Iterator[tuple[NDArray[np.intp], R]]:
        """Call a function with parts of the rows, on the workers of a cluster if there is one.

        Parameters
        ----------
        function : callable
            Takes `LabelledRows` and `arguments`; see `classify.parallel.map_parts`.
        positions : ndarray of intp, shape (n,)
            Which rows.
        *arguments
            The same for every call.
        least : int, optional
            Number of rows that a part has at least.

        Yields
        ------
        positions : ndarray of intp
            Of the rows of a part.
        result : object
            What the function has returned for it.
        """
        size = min(PART_ROWS[1], max(PART_ROWS[0], PART_BYTES // (4 * self.X.shape[1])))
        size = max(size, least)
        parts = [positions[start : start + size] for start in range(0, len(positions), size)]
        calls = ((self.part(some), *arguments) for some in parts)
        yield from zip(parts, map_parts(function, calls), strict=True)

    def part(self, positions: NDArray[np.intp]) -> LabelledRows:
        """Return some of the rows; those on disk are not read."""
        X = self.X.part(positions) if isinstance(self.X, RowsOnDisk) else self.X[positions]
        return LabelledRows(X, self.codes[positions], self.fold_of[positions])


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
