"""The span of the training samples, which has no more dimensions than there are samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.gram import exact_products, same_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Directions with a smaller share of the largest variance are rounding errors.
NEGLIGIBLE = 1e-10


def coordinates(
    X: NDArray[np.float32],
) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], NDArray[np.float32]]]:
    """Return coordinates of the rows of `X`, less their mean, in as few dimensions as they need.

    Parameters
    ----------
    X : ndarray of float32, shape (n_samples, n_features)

    Returns
    -------
    Z : ndarray of float64, shape (n_samples, n_samples - 1 or fewer)
        With the inner products of the centred rows.
    to_features : callable
        Maps coefficients ``(n, Z.shape[1])`` for `Z` to ``(n, n_features)`` for `X`.

    Raises
    ------
    ClassifierError
        If all rows are the same.

    Examples
    --------
    Two points in space are on a line:

    >>> Z, to_features = coordinates(np.array([[3, 0, 0], [0, 4, 0]], dtype=np.float32))
    >>> np.abs(Z).round(6).tolist(), np.abs(to_features(np.ones((1, 1))))
    ([[2.5], [2.5]], array([[0.6, 0.8, 0. ]], dtype=float32))
    """
    K = exact_products(X, X)
    size = K.trace()
    K -= K.mean(axis=0)
    K -= K.mean(axis=1)[:, None]
    eigenvalues, vectors = np.linalg.eigh(K)
    if eigenvalues[-1] <= NEGLIGIBLE * size:
        raise same_features()
    keep = eigenvalues > NEGLIGIBLE * eigenvalues[-1]
    roots, vectors = np.sqrt(eigenvalues[keep]), vectors[:, keep]

    def to_features(coef: NDArray[np.float64]) -> NDArray[np.float32]:
        # The rows of these weights sum to zero, so X need not be centred.
        weights = (coef / roots) @ vectors.T
        return exact_products(weights, X.T).astype(np.float32)

    return vectors * roots, to_features
