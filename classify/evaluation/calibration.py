"""Calibration: probabilities that agree with how often a prediction is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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
    """

    probabilities: list[float]
    accuracies: list[float]
    counts: list[int]
    error: float


class _LogOddsClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose features are its decision values."""

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: ARG002 - there is nothing to learn
        self.classes_ = np.arange(self.n_classes)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        return np.asarray(X)[:, 0] if self.n_classes == 2 else np.asarray(X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        odds = self.decision_function(X)
        return (odds > 0).astype(int) if self.n_classes == 2 else odds.argmax(axis=1)


def fit_sigmoids(probabilities: NDArray[Any], codes: NDArray[np.intp]) -> list[list[float]]:
    """Fit the sigmoids that `calibrate` applies.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training samples, each predicted by a model that was not trained on it.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.

    Returns
    -------
    list of [slope, offset]
        One sigmoid for two classes, else one per class.

    Notes
    -----
    Platt's method (1999) on the log odds, as in scikit-learn's `CalibratedClassifierCV`.
    """
    n_classes = probabilities.shape[1]
    classifier = FrozenEstimator(_LogOddsClassifier(n_classes).fit([], []))
    # Nothing is trained in the folds, so the fewest do.
    model = CalibratedClassifierCV(classifier, method="sigmoid", cv=2)
    model.fit(_log_odds(probabilities), codes)
    (fitted,) = model.calibrated_classifiers_
    return [[float(sigmoid.a_), float(sigmoid.b_)] for sigmoid in fitted.calibrators]


def calibrate(probabilities: NDArray[Any], sigmoids: list[list[float]]) -> NDArray[np.float64]:
    """Return calibrated probabilities.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        As the classifier predicts them.
    sigmoids : list of [slope, offset]
        From `fit_sigmoids`.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)
        With more than two classes, each is calibrated against the rest, and the rows are scaled to
        a sum of one.

    Examples
    --------
    Of the predictions with a probability of 90%, three in four were correct:

    >>> probabilities = np.array([[0.1, 0.9], [0.9, 0.1]] * 4)
    >>> sigmoids = fit_sigmoids(probabilities, np.array([1, 0, 1, 0, 1, 0, 0, 1]))
    >>> calibrate(probabilities[:1], sigmoids).round(1).tolist()
    [[0.3, 0.7]]
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
    return Reliability(means, accuracies, counts, float(np.average(differences, weights=counts)))


def _log_odds(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log odds of the second of two classes, or of every class against the rest."""
    tiny = np.finfo(np.float32).eps
    clipped = np.clip(probabilities.astype(np.float64), tiny, 1 - tiny)
    odds: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return odds[:, 1:] if probabilities.shape[1] == 2 else odds
