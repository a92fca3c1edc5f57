"""The decision values of a classifier as weighted sums of the features, where they are that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from classify.estimators.base import LinearClassifier
from classify.estimators.solvers.one_vs_one import one_vs_one_decision
from classify.estimators.svm import SVM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.base import Classifier

_VECTORS = 256
"""Support vectors whose weights are found at a time."""


class LinearForm(NamedTuple):
    """Decision values are ``X @ coef.T + intercept``.

    Attributes
    ----------
    coef : ndarray of float64, shape (n_values, n_features)
        A row for each decision value: of two classes, for the second one alone, else for each
        class. Where every image has weights of its own, a row for each image.
    intercept : ndarray of float64, shape (n_values,)
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]


def linear_form(estimator: Classifier) -> LinearForm | None:
    """Return the weights of the features in the decision values; None if these are not linear.

    Parameters
    ----------
    estimator : Classifier
        Trained.

    Examples
    --------
    >>> from classify.estimators.svm import SVM
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = SVM(C=1.0, kernel="linear", folds=2).fit(X, ["right", "right", "up", "up"])
    >>> coef, intercept = linear_form(model)
    >>> bool(np.allclose(X @ coef[0] + intercept, model.decision_function(X)))
    True
    """
    if isinstance(estimator, LinearClassifier):
        return LinearForm(
            np.asarray(estimator.coef_, dtype=np.float64),
            np.asarray(estimator.intercept_, dtype=np.float64),
        )
    if isinstance(estimator, SVM) and estimator.kernel_ == "linear" and not estimator.votes_:
        weights, intercept = _weights_of_vectors(estimator)
        vectors = np.asarray(estimator.support_vectors_, dtype=np.float64)
        return LinearForm(estimator.scale_**2 * (weights.T @ vectors), intercept)
    return None


def _weights_of_vectors(svm: SVM) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of every support vector in the decision values, and their intercepts."""
    dual = np.asarray(svm.dual_coef_, dtype=np.float64)
    if len(svm.classes_) == 2:
        return dual, np.asarray(svm.intercept_, dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(svm.n_support_)])

    def decide(products: NDArray[np.float64]) -> NDArray[np.float64]:
        return one_vs_one_decision(products, dual, svm.intercept_, starts)

    n_vectors = len(dual)
    intercept = decide(np.zeros((1, n_vectors)))[0]
    weights = [
        decide(np.eye(min(_VECTORS, n_vectors - start), n_vectors, start)) - intercept
        for start in range(0, n_vectors, _VECTORS)
    ]
    return np.concatenate(weights), intercept
