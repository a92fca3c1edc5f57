"""Probabilities from class scores: one positive factor before the softmax, fitted by log loss.

Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, 2017). It cannot change
which class comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from classify.estimators.search import log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray


def temperature(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the factor on `scores` that gives the least log loss.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_samples, n_classes)
        Each by a model that has not seen the sample.
    codes : ndarray of int64, shape (n_samples,)
        Position of the class of every sample.
    class_weights : ndarray of float64, shape (n_classes,)
        What one sample of each class counts.

    Notes
    -----
    The targets are smoothed as in Platt (1999), or a perfect separation would ask for an endless
    factor.
    """
    n_samples, n_classes = scores.shape
    doubt = 1.0 / (n_samples + 2)
    targets = np.full(scores.shape, doubt / (n_classes - 1))
    targets[np.arange(n_samples), codes] = 1.0 - doubt
    targets *= class_weights[codes][:, None]

    def loss(log_factor: float) -> float:
        return float(-(targets * log_softmax(np.exp(log_factor) * scores, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded").x))


def tempered_loss(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the log loss of the probabilities that `scores` become; as for `temperature`."""
    factor = temperature(scores, codes, class_weights)
    return log_loss(factor * scores, codes, class_weights)
