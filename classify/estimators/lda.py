"""Linear discriminant analysis with the shrinkage chosen by cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from classify.errors import ClassifierError
from classify.estimators.closed_form import ClosedForm, Solution
from classify.estimators.search import positive_grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from classify.estimators.base import ClassWeight
    from classify.estimators.solvers.moments import Moments

SHRINKAGES: tuple[float, ...] = (
    *(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    *(0.24, 0.5, 0.76, 0.9, 0.97, 0.99),
)
"""Default values of the shrinkage: its odds grow by half a decade."""

# Least share of the variance that is within the classes; rows of a class may all be the same.
LEAST_WITHIN = 1e-6


class LDA(ClosedForm):
    """Linear discriminant analysis whose shrinkage is chosen by cross-validation.

    Each class is a Gaussian with its own mean, and all share one covariance. It has the solution of
    scikit-learn's `LinearDiscriminantAnalysis` with ``solver="lsqr"``. `fit` takes an array or
    `RowsOnDisk`, of which it reads every row twice and keeps none in memory.

    Parameters
    ----------
    shrinkage : float, sequence of float or None, default=None
        Weight of the scaled identity in the covariance, above 0 and at most 1. From several values,
        or from `SHRINKAGES` for None, the one with the lowest cross-validated log loss is chosen.
    folds : int, default=5
        Folds of the cross-validation; at most 3 with more than 10,000 samples.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples; see `class_weights`. The priors
        are the classes' shares of the weight.
    random_state : int, RandomState or None, default=0
        Shuffles the samples before they are split into folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    shrinkage_ : float
        The chosen shrinkage.
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
        For the features as they are.
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    temperature_ : float
        Factor on the decision values, which are log posteriors, before the softmax.
    search_ : SearchResult
        The cross-validation; `cv_results_` and `best_params_` are as in `GridSearchCV`.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training samples, each by a model that was not trained on it.

    See Also
    --------
    RidgeClassifier : The same direction for two classes, with another penalty.
    LogReg : Assumes less about the classes; needs the samples in memory.

    Notes
    -----
    The moments of the folds (see `classify.estimators.solvers.moments`) take one pass over the
    rows, and give the models of all folds and shrinkages. A second pass gives their held-out
    scores. If all of these do not fit in 128 MB, the shrinkage is chosen on rows that are drawn at
    random; the probabilities come from all rows nevertheless. For three or more classes, the
    decision values differ from scikit-learn's by what all classes share.

    In memory are, beside a batch of rows and the held-out scores, ``folds + 4`` matrices of
    ``n_features ** 2`` float64: 3.5 GiB for 8,192 features and three folds.

    References
    ----------
    T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning, 2009, 4.3.1.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = LDA(shrinkage=[0.1, 0.9], folds=2).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    >>> model.cv_results_["params"]
    [{'shrinkage': 0.9}, {'shrinkage': 0.1}]
    """

    title: ClassVar[str] = "Linear discriminant analysis on frozen features"
    chosen_name: ClassVar[str] = "the shrinkage"

    def __init__(
        self,
        shrinkage: float | Sequence[float] | None = None,
        folds: int = 5,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.shrinkage = shrinkage
        self.folds = folds
        self.class_weight = class_weight
        self.random_state = random_state

    @property
    def shrinkage_(self) -> float:
        """The chosen shrinkage."""
        chosen: float = self.search_.chosen["shrinkage"]
        return chosen

    def _points(self) -> list[dict[str, Any]]:
        values = positive_grid("shrinkage", self.shrinkage, SHRINKAGES)
        if values[-1] > 1:
            raise ClassifierError(
                f"shrinkage must be above 0 and at most 1, found {self.shrinkage!r}; leave it out "
                "to have it chosen"
            )
        return [{"shrinkage": value} for value in reversed(values)]

    def _solve(self, moments: Moments, points: Iterable[dict[str, Any]]) -> Iterator[Solution]:
        weight = moments.weights.sum()
        means = moments.deviations / moments.weights[:, None]
        within = moments.within_scatter / weight
        variance = max(np.trace(within), LEAST_WITHIN * moments.variation / weight)
        # Rows that are all the same, as a part may have them, say nothing, whatever the variance.
        identity = (variance or 1.0) / self.n_features_in_
        for point in points:
            shrinkage = point["shrinkage"]
            covariance = (1.0 - shrinkage) * within
            np.fill_diagonal(covariance, covariance.diagonal() + shrinkage * identity)
            factor = cho_factor(covariance.T, overwrite_a=True, check_finite=False)
            coef = cho_solve(factor, means.T).T
            offset = np.log(moments.shares) - np.einsum("ij,ij->i", means, coef) / 2
            if len(means) == 2:
                coef, offset = coef[1:] - coef[:1], offset[1:] - offset[:1]
            yield Solution(coef, moments.mean, offset)
