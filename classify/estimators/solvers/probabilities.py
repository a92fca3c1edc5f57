"""Probabilities from class scores: the softmax, its log loss, and temperature scaling.

Temperature scaling multiplies the scores by one positive factor before the softmax (Guo et al., On
Calibration of Modern Neural Networks, 2017). It never changes which class is the most probable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray


def class_scores(decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return decision values with one column per class.

    Those of two classes, ``(n_samples,)``, become two columns, whose softmax is the sigmoid of
    `decision`.

    Examples
    --------
    >>> class_scores(np.array([3.0]))
    array([[-1.5,  1.5]])
    """
    if decision.ndim == 1:
        return np.stack([-decision / 2, decision / 2], axis=1)
    return decision


def log_loss(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the weighted log loss of the softmax of class scores.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_samples, n_classes)
    codes : ndarray of int64, shape (n_samples,)
        True classes, as columns of `scores`.
    class_weights : ndarray of float64, shape (n_classes,)
        Weight of one sample of each class.

    Examples
    --------
    >>> round(log_loss(np.array([[0.0, 0.0]]), np.array([1]), np.ones(2)), 4)
    0.6931
    """
    losses = -log_softmax(scores, axis=1)[np.arange(len(codes)), codes]
    return float(np.average(losses, weights=class_weights[codes]))


def fit_temperature(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the factor on the scores that minimises the log loss.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_samples, n_classes)
        Each by a model that was not trained on the sample.
    codes : ndarray of int64, shape (n_samples,)
        True classes, as columns of `scores`.
    class_weights : ndarray of float64, shape (n_classes,)
        Weight of one sample of each class.

    Notes
    -----
    The targets are smoothed as in Platt (1999). Otherwise the factor would be infinite for classes
    that are perfectly separated.
    """
    n_samples, n_classes = scores.shape
    rest = 1.0 / (n_samples + 2)
    targets = np.full(scores.shape, rest / (n_classes - 1))
    targets[np.arange(n_samples), codes] = 1.0 - rest
    targets *= class_weights[codes][:, None]

    def loss(log_factor: float) -> float:
        return float(-(targets * log_softmax(np.exp(log_factor) * scores, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded").x))


def scaled_log_loss(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the log loss after temperature scaling; parameters as for `fit_temperature`."""
    factor = fit_temperature(scores, codes, class_weights)
    return log_loss(factor * scores, codes, class_weights)
