"""Drawn features of many classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.svm import SVC


def clusters(n_classes: int, n_rows: int, n_features: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return Gaussian clusters that overlap, and the class of every row."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(n_classes), n_rows)
    centres = 0.8 * rng.normal(size=(n_classes, n_features))
    return (centres[y] + rng.normal(size=(len(y), n_features))).astype(np.float32), y


def mean_decision(svc: SVC, X: np.ndarray) -> np.ndarray:
    """Return the mean decision value of each class against the others, of a trained `SVC`.

    Of two classes, it is the one value in favour of the second.
    """
    decision = svc.set_params(decision_function_shape="ovo").decision_function(X)
    return mean_of_pairs(decision, len(svc.classes_))


def mean_of_pairs(decision: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the same from the decision values of all pairs."""
    if decision.ndim == 1:
        return decision
    means = np.zeros((len(decision), n_classes))
    for values, first, second in zip(decision.T, *np.triu_indices(n_classes, 1), strict=True):
        means[:, first] += values / (n_classes - 1)
        means[:, second] -= values / (n_classes - 1)
    return means
