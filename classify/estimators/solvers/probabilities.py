"""Probabilities from class scores: the softmax, its log loss, and temperature scaling.

Temperature scaling multiplies the scores by one positive factor before the softmax (Guo et al., On
Calibration of Modern Neural Networks, 2017). It never changes which class is the most probable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Scores that are processed together: about a MB, which stays in the processor's cache.
BLOCK = 2**17


def class_scores(decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return decision values with one column per class.

    Those of two classes, ``(n_samples,)`` or ``(n_samples, 1)``, become two columns, whose softmax
    is the sigmoid of `decision`.

    Examples
    --------
    >>> class_scores(np.array([3.0]))
    array([[-1.5,  1.5]])
    """
    if decision.ndim == 2 and decision.shape[1] > 1:
        return decision
    half = decision.reshape(-1) / 2
    # Column by column in memory: sums over both columns then take a sixth of the time.
    return np.stack([-half, half]).T


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
    return _scaled_log_loss(1.0, scores, codes, class_weights)


def fit_temperature(
    scores: NDArray[np.float64],
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    offsets: NDArray[np.float64] | None = None,
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
    offsets : ndarray of float64, shape (n_classes,), optional
        Added to the scaled scores.

    Notes
    -----
    The targets are smoothed as in Platt (1999). Otherwise the factor would be infinite for classes
    that are perfectly separated.
    """
    n_samples, n_classes = scores.shape
    rest = 1.0 / (n_samples + 2)
    weights, of_codes = class_weights[codes], scores[np.arange(n_samples), codes]
    of_others = (scores.sum(axis=1) - of_codes) / (n_classes - 1)
    expected = weights @ ((1.0 - rest) * of_codes + rest * of_others)

    def loss(log_factor: float) -> float:
        factor = float(np.exp(log_factor))
        return float(weights @ _log_sums(factor, scores, offsets) - factor * expected)

    return float(np.exp(minimize_scalar(loss, bounds=(-7.0, 12.0), method="bounded").x))


def scaled_log_loss(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the log loss after temperature scaling; parameters as for `fit_temperature`."""
    factor = fit_temperature(scores, codes, class_weights)
    return _scaled_log_loss(factor, scores, codes, class_weights)


def scaled_softmax(scores: NDArray[np.float64], factor: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of every row of ``factor * scores``.

    Examples
    --------
    >>> scaled_softmax(np.array([[0.0, 0.0]]), 2.0)
    array([[0.5, 0.5]])
    """
    probabilities = np.empty(scores.shape)
    for rows in _blocks(scores):
        block = probabilities[rows]
        np.exp(factor * (scores[rows] - scores[rows].max(axis=1, keepdims=True)), out=block)
        block /= block.sum(axis=1, keepdims=True)
    return probabilities


def _scaled_log_loss(
    factor: float,
    scores: NDArray[np.float64],
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
) -> float:
    losses = _log_sums(factor, scores) - factor * scores[np.arange(len(codes)), codes]
    return float(np.average(losses, weights=class_weights[codes]))


def _log_sums(
    factor: float, scores: NDArray[np.float64], offsets: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the logarithm of the sum of ``exp(factor * scores + offsets)`` for every row."""
    sums = np.empty(len(scores))
    for rows in _blocks(scores):
        highest = scores[rows].max(axis=1)
        block = scores[rows] - highest[:, None]
        block *= factor
        if offsets is not None:
            block += offsets
        sums[rows] = np.log(np.exp(block, out=block).sum(axis=1)) + factor * highest
    return sums


def _blocks(scores: NDArray[np.float64]) -> Iterator[slice]:
    step = max(1, BLOCK // scores.shape[1])
    return (slice(start, start + step) for start in range(0, len(scores), step))
