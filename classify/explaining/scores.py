"""The score of a class, which evidence adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.base import Classifier

_SMALLEST = 1e-12
"""A probability of zero has no log-odds."""


def class_scores(
    estimator: Classifier, X: NDArray[np.float32] | NDArray[np.uint8], codes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the score of a class of each sample: its decision value, else its log-odds.

    Parameters
    ----------
    estimator : Classifier
    X : ndarray
        What it takes.
    codes : ndarray of intp, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    rows = np.arange(len(X))
    if hasattr(estimator, "decision_function"):
        decision = np.asarray(estimator.decision_function(X), dtype=np.float64)
        if decision.ndim == 1:
            return np.where(codes == 1, decision, -decision)
        return decision[rows, codes]
    probability = np.asarray(estimator.predict_proba(X), dtype=np.float64)[rows, codes]
    probability = probability.clip(_SMALLEST, 1 - _SMALLEST)
    return np.log(probability) - np.log1p(-probability)
