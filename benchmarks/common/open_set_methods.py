"""Scores of familiarity from the literature, on frozen features; each is fitted on training data.

A method takes features and class codes, and returns what scores new features: higher is more
familiar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from classify.estimators.logreg import LogReg
from classify.estimators.solvers.neighbours import unit_rows
from classify.evaluation.unfamiliar.familiarity import Familiarity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Scores = Callable[[NDArray[np.float32]], NDArray[Any]]
    Method = Callable[[NDArray[np.float32], NDArray[np.int64]], Scores]

SHRINKAGE = 0.5
"""Weight of a multiple of the identity in a covariance."""
NEIGHBOURS = 5


def nearest_neighbours(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:  # noqa: ARG001
    """Score as `--reject` does (Sun et al., ICML 2022): the mean cosine to the nearest."""
    return Familiarity(NEIGHBOURS).fit(X).score


def whitened_neighbours(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by minus the mean distance to the nearest, whitened within the classes."""
    mean, basis = _whitening(X, _centred(X, y))
    rows = (X - mean) @ basis

    def score(new: NDArray[np.float32]) -> NDArray[Any]:
        projected = (new - mean) @ basis
        squares = (
            (projected**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1) - 2 * projected @ rows.T
        )
        least = np.partition(squares, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        return -np.sqrt(np.maximum(least, 0)).mean(axis=1)

    return score


def mahalanobis(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by minus the squared distance to the nearest class mean (Lee et al., NeurIPS 2018)."""
    mean, basis = _whitening(X, _centred(X, y))
    means = np.array([(X[y == code].mean(axis=0) - mean) @ basis for code in np.unique(y)])

    def score(new: NDArray[np.float32]) -> NDArray[Any]:
        projected = (new - mean) @ basis
        return -np.min([((projected - one) ** 2).sum(axis=1) for one in means], axis=0)

    return score


def gaussian(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:  # noqa: ARG001
    """Score by minus the squared Mahalanobis distance to the mean of all."""
    mean, basis = _whitening(X, X - X.mean(axis=0))
    return lambda new: -(((new - mean) @ basis) ** 2).sum(axis=1)


def relative_mahalanobis(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by the difference of the two distances (Ren et al., arXiv:2106.09022)."""
    of_classes, of_all = mahalanobis(X, y), gaussian(X, y)
    return lambda new: of_classes(new) - of_all(new)


def probability(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by the highest probability (Hendrycks and Gimpel, ICLR 2017)."""
    classifier = LogReg().fit(X, y)
    return lambda new: classifier.predict_proba(new).max(axis=1)


def energy(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by the logarithm of the sum of the exponentials of the logits (Liu et al., 2020)."""
    classifier = LogReg().fit(X, y)
    return lambda new: logsumexp(_logits(classifier, new), axis=1)


def virtual_logit(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
    """Score by energy less the scaled norm outside of the principal space (Wang et al., 2022)."""
    classifier, mean = LogReg().fit(X, y), X.mean(axis=0)
    centred = (X - mean).astype(np.float64)
    vectors = np.linalg.eigh(centred.T @ centred)[1]
    n_principal = max(1, min(len(X) // 5, X.shape[1] // 2))
    residual = vectors[:, :-n_principal]

    def norm(new: NDArray[np.float32]) -> NDArray[Any]:
        found: NDArray[Any] = np.linalg.norm((new - mean) @ residual, axis=1)
        return found

    scale = _logits(classifier, X).max(axis=1).mean() / norm(X).mean()
    return lambda new: logsumexp(_logits(classifier, new), axis=1) - abs(scale) * norm(new)


def _of_unit_norm(method: Method) -> Method:
    """Return a method on features of unit norm (Mueller and Hein, ICML 2025)."""

    def fit(X: NDArray[np.float32], y: NDArray[np.int64]) -> Scores:
        score = method(unit_rows(X), y)
        return lambda new: score(unit_rows(new))

    return fit


METHODS: dict[str, Method] = {
    "nearest neighbours, unit norm (`--reject`)": nearest_neighbours,
    "nearest neighbours, whitened": whitened_neighbours,
    "the same, unit norm": _of_unit_norm(whitened_neighbours),
    "Mahalanobis": mahalanobis,
    "Mahalanobis, unit norm": _of_unit_norm(mahalanobis),
    "relative Mahalanobis": relative_mahalanobis,
    "relative Mahalanobis, unit norm": _of_unit_norm(relative_mahalanobis),
    "highest probability": probability,
    "energy": energy,
    "ViM": virtual_logit,
}


def _centred(X: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[Any]:
    means = np.array([X[y == code].mean(axis=0) for code in np.unique(y)])
    return X - means[np.searchsorted(np.unique(y), y)]


def _whitening(X: NDArray[np.float32], centred: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean, and the directions over the standard deviations in them, shrunk."""
    covariance = np.cov(centred.astype(np.float64), rowvar=False, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    shrunk = (1 - SHRINKAGE) * values + SHRINKAGE * values.mean()
    return X.mean(axis=0), vectors / np.sqrt(shrunk)


def _logits(classifier: LogReg, X: NDArray[np.float32]) -> NDArray[Any]:
    scores = classifier.decision_function(X)
    return np.column_stack([np.zeros(len(X)), scores]) if scores.ndim == 1 else scores
