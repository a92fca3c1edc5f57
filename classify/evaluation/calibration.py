"""Calibration: probabilities that agree with how often a prediction is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from classify.estimators.solvers import probabilities as probabilities_solver

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: predicted probability against accuracy, in bins.

    Attributes
    ----------
    probabilities : list of float
        Mean probability of the predicted class in each bin that is not empty.
    accuracies : list of float
        Accuracy in each of these bins.
    counts : list of int
        Samples in each of these bins.
    error : float
        Expected calibration error: the mean difference between probability and accuracy over the
        bins, weighted by `counts` (Naeini, Cooper and Hauskrecht, 2015).
    chance : float
        The error that perfectly calibrated probabilities would show on average, because the
        accuracies of few samples fluctuate.
    """

    probabilities: list[float]
    accuracies: list[float]
    counts: list[int]
    error: float
    chance: float


def fit_temperature(probabilities: NDArray[Any], codes: NDArray[np.intp]) -> float:
    """Fit the factor that `calibrate` applies.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training samples, each predicted by a model that was not trained on it.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.

    Returns
    -------
    float
        Above 1 if the probabilities are not sure enough, below 1 if they are too sure.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML (2017).
    """
    return probabilities_solver.fit_temperature(
        _logarithms(probabilities), codes.astype(np.int64), np.ones(probabilities.shape[1])
    )


def calibrate(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Return calibrated probabilities; the most probable class stays the most probable.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        As the classifier predicts them.
    temperature : float
        From `fit_temperature`: the factor on their logarithms.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)

    Examples
    --------
    Of the predictions with a probability of 90%, three in four were correct:

    >>> probabilities = np.array([[0.1, 0.9], [0.9, 0.1]] * 20)
    >>> codes = np.array([1, 0, 1, 0, 1, 0, 0, 1] * 5)
    >>> calibrate(probabilities[:1], fit_temperature(probabilities, codes)).round(1).tolist()
    [[0.3, 0.7]]
    """
    return probabilities_solver.scaled_softmax(_logarithms(probabilities), temperature)


def apply_sigmoids(probabilities: NDArray[Any], sigmoids: list[list[float]]) -> NDArray[np.float64]:
    """Return probabilities as runs of earlier versions calibrated them.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
    sigmoids : list of [slope, offset]
        One for two classes, else one per class, each for its log odds against the rest.
    """
    slopes, offsets = np.array(sigmoids).T
    positive = expit(-(_log_odds(probabilities) * slopes + offsets))
    if probabilities.shape[1] == 2:
        return np.hstack([1 - positive, positive])
    total = positive.sum(axis=1, keepdims=True)
    uniform = np.full_like(positive, 1 / positive.shape[1])
    scaled: NDArray[np.float64] = np.divide(positive, total, out=uniform, where=total > 0)
    return scaled


def reliability(probabilities: NDArray[Any], codes: NDArray[np.intp]) -> Reliability:
    """Compare predicted probabilities with accuracies, in ten bins of equal width.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of test samples.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.

    Returns
    -------
    Reliability

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> round(reliability(probabilities, np.array([0, 0, 1, 0])).error, 3)
    0.1
    """
    top = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == codes
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    filled = np.unique(bins)
    counts = [int((bins == number).sum()) for number in filled]
    means = [float(top[bins == number].mean()) for number in filled]
    accuracies = [float(correct[bins == number].mean()) for number in filled]
    differences = np.abs(np.subtract(means, accuracies))
    # The mean distance of a normal variable from its mean is sqrt(2 / pi) standard deviations.
    deviations = [float((top * (1 - top))[bins == number].sum()) ** 0.5 for number in filled]
    return Reliability(
        means,
        accuracies,
        counts,
        error=float(np.average(differences, weights=counts)),
        chance=(2 / np.pi) ** 0.5 * sum(deviations) / len(top),
    )


def _logarithms(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    tiny = np.finfo(np.float32).eps
    logarithms: NDArray[np.float64] = np.log(probabilities.astype(np.float64).clip(tiny, 1))
    return logarithms


def _log_odds(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log odds of the second of two classes, or of every class against the rest."""
    tiny = np.finfo(np.float32).eps
    clipped = np.clip(probabilities.astype(np.float64), tiny, 1 - tiny)
    odds: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return odds[:, 1:] if probabilities.shape[1] == 2 else odds
