"""The Gram matrix: the inner products of all training samples.

With far more features than samples (8,192 against 2,000 for VGG16), the solution of a linear or a
kernel model lies in the span of the samples, so the ``(n, n)`` matrix of their inner products holds
all the information. It takes one product to compute, and then serves every kernel, every C and
every fold of a parameter search.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

import joblib
import numpy as np
from threadpoolctl import ThreadpoolController

from classify.environment import memory_gib
from classify.errors import ClassifierError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

Kernel = Literal["linear", "rbf"]
KERNELS: tuple[Kernel, ...] = ("linear", "rbf")

# Rows that are processed together: about a MB, which stays in the processor's cache.
BLOCK = 16
# Rows whose products with others are computed together: a part of all rows, or this many.
PARTS, LARGEST = 4, 1024
# Columns that are converted to float64 together.
COLUMNS = 1024


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit the BLAS of NumPy and SciPy to one thread in a block.

    On busy cores its threads wait for each other, which took ten times as long on two cores.
    """
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit


@functools.cache
def _blas() -> ThreadpoolController:
    """Return what controls the libraries that are loaded now; finding them takes milliseconds."""
    import scipy.linalg  # noqa: F401 - it has a BLAS of its own

    return ThreadpoolController()


def unit_scale(X: NDArray[np.float32]) -> float:
    """Return the factor that gives the rows of `X` unit mean squared norm.

    One grid of C then suits every backbone, whatever the size and number of its features.

    Raises
    ------
    ClassifierError
        If all features are zero, or their squares overflow.

    Examples
    --------
    >>> unit_scale(np.array([[3.0, 4.0], [0.0, 5.0]], dtype=np.float32))
    0.2
    """
    return scale_of(float(squared_norms(X).mean(dtype=np.float64)))


def scale_of(mean_square: float) -> float:
    """Return the factor that gives rows of this mean squared norm unit mean squared norm.

    Raises
    ------
    ClassifierError
        As from `unit_scale`.
    """
    if not 0.0 < mean_square < np.inf:
        raise ClassifierError(
            f"the features cannot be scaled: their mean squared norm is {mean_square}, expected "
            "a positive number within the range of float32; check the backbone's weights"
        )
    return float(mean_square**-0.5)


def same_features() -> ClassifierError:
    """Return the error that all training samples are the same."""
    return ClassifierError(
        "all training images have the same features, so they cannot be distinguished; check "
        "that the images differ and that the backbone's weights are right"
    )


def squared_norms(X: NDArray[Any], dtype: type[Any] = np.float32) -> NDArray[Any]:
    """Return the squared Euclidean norm of every row, summed in `dtype`."""
    squares: NDArray[Any] = np.einsum("ij,ij->i", X, X, dtype=dtype)
    return squares


def exact_products(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the inner products of the rows of `X` and `Y`, summed in float64.

    BLAS sums in an order that depends on the shape of `X`. In float32, the seventh digit of a
    prediction would therefore depend on the other samples of its batch, and on the processor.

    Parameters
    ----------
    X : ndarray of float, shape (n, n_features)
    Y : ndarray of float, shape (m, n_features)

    Returns
    -------
    ndarray of float64, shape (n, m)

    Examples
    --------
    >>> X = np.array([[1, 2], [3, 4]], dtype=np.float32)
    >>> exact_products(X, X[:1]).tolist()
    [[5.0], [11.0]]
    """
    products = np.zeros((len(X), len(Y)))
    # Some columns at a time, so that neither array is copied as a whole.
    for start in range(0, X.shape[1], COLUMNS):
        columns = slice(start, start + COLUMNS)
        products += X[:, columns].astype(np.float64) @ Y[:, columns].T.astype(np.float64)
    return products


@dataclass(frozen=True)
class Samples(ABC):
    """The kernel between samples, on features scaled to unit mean squared norm.

    Attributes
    ----------
    squares : ndarray of float32, shape (n,)
        Squared norm of each row of ``scale * X``, with mean 1.
    scale : float
    row_means : ndarray of float64, shape (n,)
        Mean over the features of each row of ``scale * X``.
    n_features : int
    """

    squares: NDArray[np.float32]
    scale: float
    row_means: NDArray[np.float64]
    n_features: int

    def gamma(self, rows: NDArray[np.intp]) -> float:
        """Return scikit-learn's ``gamma="scale"``, ``1 / (n_features * X[rows].var())``."""
        mean_square = self.squares[rows].mean(dtype=np.float64) / self.n_features
        variance = float(mean_square - self.row_means[rows].mean() ** 2)
        return 1.0 / (self.n_features * variance) if variance > 0 else 1.0

    def kernel(
        self, name: Kernel, rows: NDArray[np.intp], columns: NDArray[np.intp], gamma: float
    ) -> NDArray[np.float32]:
        """Return the kernel between the samples `rows` and the samples `columns`."""
        products = self._products(rows, columns)
        return kernel(name, products, self.squares[rows], self.squares[columns], gamma)

    @abstractmethod
    def _products(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the inner products of some rows of ``scale * X`` with others, a new array."""


@dataclass(frozen=True)
class Gram(Samples):
    """Samples with the inner products of all of them.

    Attributes
    ----------
    products : ndarray of float32, shape (n, n)
        Of the rows of ``scale * X``; its diagonal is `squares`.
    """

    products: NDArray[np.float32]

    @classmethod
    def of(cls, X: NDArray[np.float32]) -> Gram:
        """Compute the Gram matrix of `X`, float32 ``(n, n_features)``.

        Raises
        ------
        ClassifierError
            If the matrix is larger than the memory of this machine.
        """
        required, available = 4 * len(X) ** 2 / 2**30, memory_gib()
        if available is not None and required > available:
            raise ClassifierError(
                f"the inner products of all pairs of {len(X):,} training images take "
                f"{required:,.0f} GiB, and this machine has {available:,.0f}; choose logistic "
                "regression, the dense head or the nearest class mean, use fewer training images, "
                "or train a linear SVM on rows on disk by a memory limit below "
                f"{X.nbytes // 2**20:,}MB",
                setting="memory_limit",
            )
        scale = unit_scale(X)
        products = _all_products(X)
        products *= np.float32(scale**2)
        row_means = scale * X.mean(axis=1, dtype=np.float64)
        return cls(products.diagonal().copy(), scale, row_means, X.shape[1], products)

    def _products(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        products = np.empty((len(rows), len(columns)), dtype=np.float32)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            products[start : start + BLOCK] = self.products[part].take(columns, axis=1)
        return products

    def combine(
        self, name: Kernel, weights: NDArray[np.float64], rows: NDArray[np.intp], gamma: float
    ) -> NDArray[np.float64]:
        """Return the weighted sum of the kernel's rows `rows`, float64 ``(n,)``.

        The kernel between `rows` and all samples is never in memory as a whole.
        """
        total = np.zeros(len(self.squares))
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            block = kernel(name, self.products[part], self.squares[part], self.squares, gamma)
            total += weights[start : start + BLOCK] @ block.astype(np.float64)
        return total


@dataclass(frozen=True)
class ProductsOnDemand(Samples):
    """Samples whose inner products are computed when they are needed, and not kept.

    For many samples with few features, of which every solver needs a small part at a time.

    Attributes
    ----------
    X : ndarray of float32, shape (n, n_features)
    """

    X: NDArray[np.float32]

    @classmethod
    def of(cls, X: NDArray[np.float32]) -> ProductsOnDemand:
        """Scale `X`, float32 ``(n, n_features)``, without a copy."""
        scale = unit_scale(X)
        squares = squared_norms(X) * np.float32(scale**2)
        return cls(squares, scale, scale * X.mean(axis=1, dtype=np.float64), X.shape[1], X)

    def _products(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        products: NDArray[np.float32] = self.X[rows] @ self.X[columns].T
        products *= np.float32(self.scale**2)
        return products


def _all_products(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``X @ X.T``, computed in threads of our own, which need not wait for each other."""
    products = np.empty((len(X), len(X)), dtype=np.float32)
    # As many whatever the number of cores, so that rounding does not depend on it.
    size = min(LARGEST, -(-len(X) // PARTS))
    parts = [slice(start, start + size) for start in range(0, len(X), size)]

    def compute(first: slice, second: slice) -> None:
        products[first, second] = X[first] @ X[second].T
        if first != second:
            products[second, first] = products[first, second].T

    with (
        one_blas_thread(),
        ThreadPoolExecutor(joblib.cpu_count()) as threads,
    ):
        list(threads.map(compute, *zip(*combinations_with_replacement(parts, 2), strict=True)))
    return products


def kernel(
    name: Kernel,
    products: NDArray[Any],
    row_squares: NDArray[Any],
    column_squares: NDArray[Any],
    gamma: float,
) -> NDArray[Any]:
    """Return a kernel from inner products and squared norms, in the dtype of `products`.

    ``linear`` is the inner product itself, ``rbf`` is ``exp(-gamma * squared distance)``. The
    array `products` is overwritten.
    """
    if name == "linear":
        return products
    for start in range(0, len(products), BLOCK):
        distances = products[start : start + BLOCK]
        distances *= -2.0
        distances += row_squares[start : start + BLOCK, None]
        distances += column_squares
        # Rounding can leave the distance of a row to itself just below zero.
        np.maximum(distances, 0.0, out=distances)
        distances *= distances.dtype.type(-gamma)
        np.exp(distances, out=distances)
    return products
