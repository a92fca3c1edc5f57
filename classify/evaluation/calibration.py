"""Probabilities that mean what they say: of the answers of 80%, four in five are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from reports.record import Reliability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BINS = 10


class _Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Stands for a classifier whose log odds are known: they are what it is given."""

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
    """Fit a sigmoid for every class to the answers on training images.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training images, each by a model that has not seen it.
    codes : ndarray of int, shape (n_samples,)
        Position of the class of every image.

    Returns
    -------
    list of [slope, offset]
        For `calibrated`: one for two classes, else one a class.

    Notes
    -----
    Platt's method (1999) on the log odds, as scikit-learn's `CalibratedClassifierCV` fits it.
    """
    n_classes = probabilities.shape[1]
    answers = FrozenEstimator(_Answers(n_classes).fit([], []))
    # In as few folds as there can be: nothing is trained in them.
    model = CalibratedClassifierCV(answers, method="sigmoid", cv=2)
    model.fit(_log_odds(probabilities), codes)
    (fitted,) = model.calibrated_classifiers_
    return [[float(sigmoid.a_), float(sigmoid.b_)] for sigmoid in fitted.calibrators]


def calibrated(probabilities: NDArray[Any], sigmoids: list[list[float]]) -> NDArray[np.float64]:
    """Return probabilities that mean what they say.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        A classifier's own.
    sigmoids : list
        From `fit_sigmoids`.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)
        With more than two classes, each against the rest, and scaled to a sum of one.

    Examples
    --------
    Of answers of 90%, three in four were right:

    >>> sure = np.array([[0.1, 0.9], [0.9, 0.1]] * 4)
    >>> sigmoids = fit_sigmoids(sure, np.array([1, 0, 1, 0, 1, 0, 0, 1]))
    >>> calibrated(sure[:1], sigmoids).round(1).tolist()
    [[0.3, 0.7]]
    """
    slopes, offsets = np.array(sigmoids).T
    shares = expit(-(_log_odds(probabilities) * slopes + offsets))
    if probabilities.shape[1] == 2:
        return np.hstack([1 - shares, shares])
    total = shares.sum(axis=1, keepdims=True)
    even = np.full_like(shares, 1 / shares.shape[1])
    scaled: NDArray[np.float64] = np.divide(shares, total, out=even, where=total > 0)
    return scaled


def reliability(probabilities: NDArray[Any], codes: NDArray[np.intp]) -> Reliability:
    """Compare how sure a classifier is with how often it is right.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of test images.
    codes : ndarray of int, shape (n_samples,)

    Returns
    -------
    Reliability
        Answers are put into ten bins by the probability of the answer. The expected calibration
        error is the mean over the answers of how far their bin's accuracy is from its mean
        probability (Naeini, Cooper and Hauskrecht, 2015).

    Examples
    --------
    >>> sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> round(reliability(sure, np.array([0, 0, 1, 0])).error, 3)
    0.1
    """
    surest = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == codes
    bins = np.minimum((surest * BINS).astype(int), BINS - 1)
    filled = np.unique(bins)
    counts = [int((bins == which).sum()) for which in filled]
    means = [float(surest[bins == which].mean()) for which in filled]
    shares = [float(right[bins == which].mean()) for which in filled]
    apart = np.abs(np.subtract(means, shares))
    return Reliability(means, shares, counts, float(np.average(apart, weights=counts)))


def _log_odds(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log odds of the second of two classes, or of every class against the rest."""
    tiny = np.finfo(np.float32).eps
    shares = np.clip(probabilities.astype(np.float64), tiny, 1 - tiny)
    odds: NDArray[np.float64] = np.log(shares) - np.log1p(-shares)
    return odds[:, 1:] if probabilities.shape[1] == 2 else odds
