"""Calibration: probabilities that agree with how often a prediction is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10
AT_ONCE = 2**20
"""Probabilities whose logarithms are in memory together."""
VARIANCE = 1.0
"""Of the offsets, and of the logarithm of the factor, before any sample is seen."""


@dataclass(frozen=True)
class Calibration:
    """How logarithms of probabilities are calibrated: by a factor, and an offset for each class.

    Parameters
    ----------
    temperature : float
        Factor: above 1 if the probabilities are not sure enough, below 1 if they are too sure.
    offsets : list of float, length n_classes
        Positive for a class whose probabilities are too low.
    """

    temperature: float
    offsets: list[float]


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


def fit_calibration(probabilities: NDArray[Any], codes: NDArray[np.intp]) -> Calibration:
    """Find the calibration with the lowest log loss on samples.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training samples, each predicted by a model that was not trained on it.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.

    Notes
    -----
    The targets are smoothed as in Platt (1999): otherwise the factor would be infinite where all
    samples are predicted correctly. The offsets and the logarithm of the factor are penalised by
    their squares, as a normal prior of the variance `VARIANCE` does, so that few samples change
    little.

    References
    ----------
    .. [1] A. Alexandari, A. Kundaje and A. Shrikumar, "Maximum likelihood with bias-corrected
       calibration is hard-to-beat at label shift adaptation", ICML (2020).
    """
    n_samples, n_classes = probabilities.shape
    right, wrong = 1 - 1 / (n_samples + 2), 1 / ((n_samples + 2) * (n_classes - 1))
    step = max(1, AT_ONCE // n_classes)

    def loss(params: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        factor, offsets = np.exp(params[0]), params[1:]
        total, slopes = params @ params / (2 * VARIANCE), params / VARIANCE
        for start in range(0, n_samples, step):
            logarithms = _logarithms(probabilities[start : start + step])
            targets = np.full(logarithms.shape, wrong)
            targets[np.arange(len(targets)), codes[start : start + step]] = right
            fitted = log_softmax(factor * logarithms + offsets, axis=1)
            excess = np.exp(fitted) - targets
            total -= (targets * fitted).sum()
            slopes[0] += factor * (excess * logarithms).sum()
            slopes[1:] += excess.sum(axis=0)
        return float(total), slopes

    found = minimize(loss, np.zeros(1 + n_classes), jac=True, method="L-BFGS-B").x
    return Calibration(float(np.exp(found[0])), found[1:].tolist())


def calibrate(probabilities: NDArray[Any], calibration: Calibration) -> NDArray[np.float64]:
    """Return calibrated probabilities.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        As the classifier predicts them.
    calibration : Calibration
        From `fit_calibration`.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)

    Examples
    --------
    Of the predictions with a probability of 90%, four in five were correct:

    >>> probabilities = np.array([[0.1, 0.9], [0.9, 0.1]] * 50)
    >>> codes = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0, 1] * 10)
    >>> calibrate(probabilities[:1], fit_calibration(probabilities, codes)).round(1).tolist()
    [[0.2, 0.8]]
    """
    scores = calibration.temperature * _logarithms(probabilities) + np.array(calibration.offsets)
    calibrated: NDArray[np.float64] = softmax(scores, axis=1)
    return calibrated


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


def reliability(
    probabilities: NDArray[Any],
    codes: NDArray[np.intp],
    answers: NDArray[np.intp] | None = None,
) -> Reliability:
    """Compare the probabilities of the answers with accuracies, in ten bins of equal width.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of test samples.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.
    answers : ndarray of int, shape (n_samples,), optional
        Predicted classes; None is the most probable ones.

    Returns
    -------
    Reliability

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> round(reliability(probabilities, np.array([0, 0, 1, 0])).error, 3)
    0.1
    """
    answers, top = answered(probabilities, answers)
    correct = answers == codes
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


def answered(
    probabilities: NDArray[Any], answers: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the class that is answered for each sample, and its probability.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
    answers : ndarray of int, shape (n_samples,), optional
        None is the most probable classes.

    Returns
    -------
    answers : ndarray of intp, shape (n_samples,)
    probabilities : ndarray of float64, shape (n_samples,)
    """
    if answers is None:
        answers = probabilities.argmax(axis=1)
    return answers, probabilities[np.arange(len(answers)), answers].astype(np.float64)


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
