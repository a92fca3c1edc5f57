"""Ridge classification: least squares to the classes, with the penalty chosen from sums alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from classify.estimators.closed_form import ClosedForm, Solution
from classify.estimators.search import C_GRID, SearchPoint, positive_grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import ClassWeight
    from classify.estimators.solvers.moments import Moments


class RidgeClassifier(ClosedForm):
    """Least squares to the classes with an L2 penalty that is chosen by cross-validation.

    It has the solution of scikit-learn's `RidgeClassifier`: the targets are one for the class and
    minus one for the others. `fit` takes an array or `RowsOnDisk`, of which it reads every row
    twice and keeps none in memory.

    Parameters
    ----------
    C : float, sequence of float or None, default=None
        Inverse of the penalty, on features scaled to unit mean squared norm; scikit-learn's
        equivalent on the features as they are is ``alpha = 1 / (2 * C * scale_**2)``. From several
        values, or from `C_GRID` for None, the one with the lowest held-out squared error is chosen.
    folds : int, default=5
        Folds of the cross-validation; at most 3 with more than 10,000 samples.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples; see `class_weights`.
    random_state : int, RandomState or None, default=0
        Shuffles the samples before they are split into folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
        The chosen C.
    scale_ : float
        Factor that gives the features unit mean squared norm.
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
        For the features as they are.
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    temperature_ : float
        Factor on the decision values before the softmax.
    squared_errors_ : ndarray of float64, shape (n_values,)
        Mean squared error of the held-out targets for every C, in ascending order.
    search_ : SearchResult
        The cross-validation; `cv_results_` and `best_params_` are as in `GridSearchCV`.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training samples, each by a model that was not trained on it.

    See Also
    --------
    LDA : Its probabilities need no calibration if the classes are Gaussian.
    LogReg : Usually more accurate; needs the samples in memory.

    Notes
    -----
    The moments of the folds (see `classify.estimators.solvers.moments`) take one pass over the
    rows. All models, and their squared errors on the folds that hold them out, follow without
    reading a row again. The errors of leaving one sample out are known in closed form, too, but
    take a second pass for the leverage of each row, and divide groups; folds do neither. A second
    pass over the rows gives the held-out scores, which decide about the probabilities.

    In memory are, beside a batch of rows and the held-out scores, ``folds + 4`` matrices of
    ``n_features ** 2`` float64: 3.5 GiB for 8,192 features and three folds. Each penalty takes one
    Cholesky decomposition for each fold; an eigendecomposition, which would serve all penalties,
    takes as long as ten of them, and more memory.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = RidgeClassifier(C=[0.1, 1.0], folds=2).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    >>> model.cv_results_["params"]
    [{'C': 0.1}, {'C': 1.0}]
    """

    title: ClassVar[str] = "Ridge classifier on frozen features"
    chosen_name: ClassVar[str] = "C"
    chosen_by: ClassVar[str] = "squared error"

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        folds: int = 5,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.folds = folds
        self.class_weight = class_weight
        self.random_state = random_state

    @property
    def C_(self) -> float:  # noqa: N802 - scikit-learn's name
        """The chosen C."""
        chosen: float = self.search_.chosen["C"]
        return chosen

    def _points(self) -> list[dict[str, Any]]:
        return [{"C": value} for value in positive_grid("C", self.C, C_GRID)]

    def _solve(self, moments: Moments, points: Iterable[dict[str, Any]]) -> Iterator[Solution]:
        scatter, targets = moments.total_scatter, _targets(len(moments.weights))
        products = targets.T @ moments.deviations
        centre, offset = moments.mean, moments.shares @ targets
        for point in points:
            penalised = scatter.copy()
            np.fill_diagonal(penalised, penalised.diagonal() + _alpha(point["C"], self.scale_))
            # The transpose is as BLAS wants it, and the same.
            factor = cho_factor(penalised.T, overwrite_a=True, check_finite=False)
            yield Solution(cho_solve(factor, products.T).T, centre, offset)

    def _criteria(
        self,
        folds: Sequence[Moments],
        solutions: Sequence[Sequence[Solution]],
        found: Sequence[SearchPoint],  # noqa: ARG002 - of other subclasses
    ) -> list[float]:
        targets = _targets(len(self.classes_))
        errors = [
            [_squared_error(fold, solution, targets) for solution in of_fold]
            for fold, of_fold in zip(folds, solutions, strict=True)
        ]
        weight = sum(fold.weights.sum() for fold in folds)
        self.squared_errors_: NDArray[np.float64] = (
            np.sum(errors, axis=0) / weight / targets.shape[1]
        )
        return list(self.squared_errors_)


def _alpha(C: float, scale: float) -> float:
    """Return the penalty of the squared coefficients on the features as they are."""
    return 1.0 / (2.0 * C * scale**2)


def _targets(n_classes: int) -> NDArray[np.float64]:
    """Return the targets of each class, ``(n_classes, n_outputs)``."""
    targets = 2.0 * np.eye(n_classes) - 1.0
    return targets[:, 1:] if n_classes == 2 else targets


def _squared_error(rows: Moments, solution: Solution, targets: NDArray[np.float64]) -> float:
    """Return the weighted sum of the squared errors of the rows, over all outputs."""
    coef, offset = solution.coef, solution.offset + solution.coef @ (rows.shift - solution.centre)
    linear = np.einsum("ij,ij->", coef @ rows.products, coef)
    sums, weight = coef @ rows.sums.T, rows.weights.sum()
    squares = linear + 2 * offset @ sums.sum(axis=1) + weight * offset @ offset
    crossed = np.einsum("ij,ji->", targets, sums) + rows.weights @ targets @ offset
    return float(squares - 2 * crossed + rows.weights @ (targets**2).sum(axis=1))
