"""Sums over rows from which a least-squares or a Gaussian model follows without the rows.

The number of rows, the sum of their features and the sum of their features' products are all that
such a model depends on. They take one pass over rows that need not be in memory, and the sums of
parts add up: the training part of a fold is the total without the fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg.blas import dsyrk

from classify.environment import memory_gib
from classify.errors import ClassifierError
from classify.estimators.solvers.gram import scale_of, squared_norms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# Rows of a matrix that are mirrored together.
BLOCK = 512
# Matrices beside those of the folds: their total, a training part, the same centred, its factor.
WORKING = 4


@dataclass(frozen=True)
class Moments:
    """Weighted sums over rows; those of two sets of rows are added with ``+``, removed with ``-``.

    All sums are in float64. `shift` is subtracted from every row first. A vector near the mean
    keeps the digits that would cancel where the features vary little about a large mean.

    Attributes
    ----------
    n_rows : int
        Number of rows, without weights.
    squares : float
        Sum of the squared norms of the rows as they are, without weights.
    shift : ndarray of float64, shape (n_features,)
    weights : ndarray of float64, shape (n_classes,)
        Total weight of the rows of each class.
    sums : ndarray of float64, shape (n_classes, n_features)
        Weighted sum of the shifted rows of each class.
    products : ndarray of float64, shape (n_features, n_features)
        Weighted sum of the outer products of the shifted rows with themselves.

    Examples
    --------
    >>> X, codes = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1])
    >>> whole = Moments.of([(np.arange(3), X)], codes, np.ones(2), shift=np.zeros(2))
    >>> part = Moments.of([(np.array([1]), X[[1]])], codes, np.ones(2), shift=np.ones(2))
    >>> (whole - part).sums.tolist(), (whole - part).products.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    """

    n_rows: int
    squares: float
    shift: NDArray[np.float64]
    weights: NDArray[np.float64]
    sums: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        parts: Iterable[tuple[NDArray[np.intp], NDArray[Any]]],
        codes: NDArray[np.int64],
        class_weights: NDArray[np.float64],
        shift: NDArray[np.float64],
    ) -> Moments:
        """Sum over rows that come in parts.

        Parameters
        ----------
        parts : iterable of (ndarray of intp, ndarray of float)
            Positions of some rows among all samples, and these rows, as from `batches`.
        codes : ndarray of int64, shape (n_samples,)
            Class of every sample.
        class_weights : ndarray of float64, shape (n_classes,)
            Weight of one sample of each class.
        shift : ndarray of float64, shape (n_features,)
        """
        n_classes, n_features = len(class_weights), len(shift)
        counts, squares = np.zeros(n_classes, dtype=np.int64), 0.0
        sums = np.zeros((n_classes, n_features))
        # One triangle in the order of Fortran, which BLAS adds to in place.
        products = np.zeros((n_features, n_features), order="F")
        for positions, part in parts:
            rows, of_rows = part.astype(np.float64), codes[positions]
            counts += np.bincount(of_rows, minlength=n_classes)
            squares += float(squared_norms(rows, np.float64).sum())
            rows -= shift
            sums += (np.arange(n_classes)[:, None] == of_rows) @ rows
            rows *= np.sqrt(class_weights[of_rows])[:, None]
            products = dsyrk(1.0, rows.T, beta=1.0, c=products, overwrite_c=1)
        _mirror_upper_triangle(products)
        weights, sums = class_weights * counts, class_weights[:, None] * sums
        return cls(int(counts.sum()), squares, shift, weights, sums, products)

    def __add__(self, other: Moments) -> Moments:
        return self._combined(other, 1)

    def __sub__(self, other: Moments) -> Moments:
        return self._combined(other, -1)

    def _combined(self, other: Moments, sign: int) -> Moments:
        if not np.array_equal(other.shift, self.shift):
            other = other.shifted(self.shift)
        return Moments(
            self.n_rows + sign * other.n_rows,
            self.squares + sign * other.squares,
            self.shift,
            self.weights + sign * other.weights,
            self.sums + sign * other.sums,
            self.products + other.products if sign > 0 else self.products - other.products,
        )

    def shifted(self, shift: NDArray[np.float64]) -> Moments:
        """Return the same sums with another `shift`."""
        moved, total = self.shift - shift, self.sums.sum(axis=0)
        crossed = np.outer(total + self.weights.sum() / 2 * moved, moved)
        return Moments(
            self.n_rows,
            self.squares,
            shift,
            self.weights,
            self.sums + self.weights[:, None] * moved,
            self.products + crossed + crossed.T,
        )

    @property
    def unit_scale(self) -> float:
        """Factor that gives the rows unit mean squared norm; see `gram.unit_scale`."""
        return scale_of(self.squares / self.n_rows)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class in the total weight, ``(n_classes,)``."""
        shares: NDArray[np.float64] = self.weights / self.weights.sum()
        return shares

    @property
    def mean(self) -> NDArray[np.float64]:
        """Weighted mean of the rows as they are, ``(n_features,)``."""
        mean: NDArray[np.float64] = self.sums.sum(axis=0) / self.weights.sum() + self.shift
        return mean

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Weighted sum over the rows of each class, less the mean; ``(n_classes, n_features)``."""
        deviations: NDArray[np.float64] = self.sums - np.outer(self.shares, self.sums.sum(axis=0))
        return deviations

    @property
    def total_scatter(self) -> NDArray[np.float64]:
        """Weighted products of the deviations from the mean, ``(n_features, n_features)``."""
        return self._without(self.sums.sum(axis=0)[None] / np.sqrt(self.weights.sum()))

    @property
    def within_scatter(self) -> NDArray[np.float64]:
        """The same for the deviations from the mean of the row's own class."""
        present = self.weights > 0
        return self._without(self.sums[present] / np.sqrt(self.weights[present])[:, None])

    @property
    def variation(self) -> float:
        """Weighted sum of the squared distances from the mean, the trace of `total_scatter`."""
        total = self.sums.sum(axis=0)
        return float(np.trace(self.products) - total @ total / self.weights.sum())

    def _without(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        products: NDArray[np.float64] = rows.T @ rows
        np.subtract(self.products, products, out=products)
        return products


def require_memory(n_features: int, folds: int, n_vectors: int) -> None:
    """Check that the matrices of products, and `n_vectors` of coefficients for each fold, fit.

    Raises
    ------
    ClassifierError
        If they are larger than the memory of this machine.
    """
    n_rows = (folds + WORKING) * n_features + folds * n_vectors
    required, available = 8 * n_features * n_rows / 2**30, memory_gib()
    if available is not None and required > available:
        raise ClassifierError(
            f"the products of all pairs of {n_features:,} features take {required:,.0f} GiB in "
            f"{folds} folds, and this machine has {available:,.0f}; choose logistic regression or "
            "a linear SVM, average pooling, or a base with fewer features",
            setting="clf",
        )


def _mirror_upper_triangle(matrix: NDArray[np.float64]) -> None:
    for start in range(0, len(matrix), BLOCK):
        rows = slice(start, start + BLOCK)
        block = matrix[rows, rows]
        block[:] = np.triu(block) + np.triu(block, 1).T
        matrix[start + BLOCK :, rows] = matrix[rows, start + BLOCK :].T
