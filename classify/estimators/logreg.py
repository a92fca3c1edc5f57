"""Logistic regression on frozen features, in the coordinates that their Gram matrix gives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from classify.errors import ClassifierError
from classify.estimators.base import ClassWeight, Linear
from classify.estimators.search import (
    MANY,
    Fold,
    RegularisationPath,
    SearchMixin,
    c_grid,
    class_scores,
    cross_validate,
    log_loss,
)
from classify.estimators.solvers.descent import Problems
from classify.estimators.solvers.gram import Gram, unit_scale
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress

# How far from the best coefficients may be, as a part of their length: while C is searched for, and
# in the end.
SEARCH_PRECISION = 0.03
PRECISION = 1e-4
# Directions in which the features vary less than float32 products can tell from rounding.
NEGLIGIBLE = 1e-6


class LogReg(SearchMixin, Linear):
    """Logistic regression whose C is chosen by cross-validation.

    It has the solution of scikit-learn's `LogisticRegression` (L2 penalty).

    Parameters
    ----------
    C : float, sequence of float or None
        Inverse of the penalty, on features scaled to unit mean squared norm: ``C * scale_**2`` is
        the same on the features as they are. Several, or None for the default grid, are chosen from
        by log loss over the folds; of equally good ones the smallest is chosen.
    folds : int
        Folds of the cross-validation.
    class_weight : {"balanced", None} or dict
        Whether all classes count the same, or all samples; see `class_weights`.
    random_state : int, RandomState or None
        Shuffles the samples before they are split into folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
    scale_ : float
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
        On the features as they are.
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    search_ : SearchResult
        The cross-validation; `cv_results_` has it as scikit-learn's dict of arrays.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training images, each by a model that has not seen it.

    Notes
    -----
    The penalised optimum lies in the span of the training samples. With fewer samples than
    features it is therefore found in coordinates `Z` of that span, ``Z @ Z.T = K``, which are as
    many as there are samples, and then mapped back. With more samples it is found on the features.
    All folds are trained at once, see `classify.estimators.solvers.descent`.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
    title: ClassVar[str] = "Logistic regression on frozen features"

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        folds: int = 5,
        class_weight: ClassWeight = "balanced",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.folds = folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Choose C, then train on all of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Used as float32.
        y : array-like of shape (n_samples,)
        progress : Progress
            Told about every fold.

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, fewer than two samples in one of them, or a
            parameter makes no sense.
        """
        values = c_grid(self.C)
        features, codes = self._take(X, y, at_least=2)
        weights = self._class_weights(self.classes_, codes)
        with _threads(features):
            Z, to_features, self.scale_ = _coordinates(features)
            solutions: dict[float, NDArray[np.float64]] = {}
            score = partial(
                _out_of_fold,
                scale=self.scale_,
                codes=codes,
                sample_weight=weights[codes],
                values=values,
                solutions=solutions,
            )
            outcome = cross_validate(
                [RegularisationPath([{"C": value} for value in values], score, Z)],
                codes,
                folds=self.folds,
                seed=self.random_state,
                progress=progress,
                stage="Logistic regression: choosing C",
                loss=partial(log_loss, class_weights=weights),
            )
            self.search_ = outcome.result
            self.held_out_proba_: NDArray[np.float64] = softmax(outcome.scores, axis=1)
            self.C_: float = outcome.chosen["C"]
            problem = Problems.of(Z, self.scale_, codes, weights[codes][np.newaxis])
            # The solution for all samples is near the mean of those that leave a fold out, which
            # is here unless the folds were trained elsewhere.
            start = solutions.get(self.C_, problem.start())
            coef, _ = problem.minimise(start, self.C_, PRECISION)
        self.coef_ = to_features(coef[:-1, 0].T)
        mean = features.mean(axis=0, dtype=np.float64)
        self.intercept_ = coef[-1, 0] - self.coef_ @ mean
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        scores = class_scores(self.decision_function(X))
        probabilities: NDArray[np.float64] = softmax(scores, axis=1)
        return probabilities


def _threads(X: NDArray[np.float32]) -> threadpool_limits:
    """Keep BLAS to one thread for few rows, which costs little when cores are idle.

    When they are not, its threads wait for each other: ten times as long, seen on two cores.
    """
    return threadpool_limits(1 if len(X) <= MANY else None, user_api="blas")


def _out_of_fold(
    Z: NDArray[Any],
    splits: Sequence[Fold],
    *,
    scale: float,
    codes: NDArray[np.int64],
    sample_weight: NDArray[np.float64],
    values: Sequence[float],
    solutions: dict[float, NDArray[np.float64]],
) -> Generator[NDArray[np.float64]]:
    """Yield the class scores of all samples, each by the fold that it is held out from.

    The mean solution of the folds is added to `solutions`, under its C.
    """
    counts = np.zeros((len(splits), len(codes)))
    for fold, (train, _) in enumerate(splits):
        counts[fold, train] = sample_weight[train]
    problems = Problems.of(Z, scale, codes, counts)
    coef = problems.start()
    for C in values:
        coef, found = problems.minimise(coef, C, SEARCH_PRECISION)
        solutions[C] = coef.mean(axis=1, keepdims=True)
        scores = np.empty((len(codes), found.shape[2]))
        for fold, (_, held_out) in enumerate(splits):
            scores[held_out] = found[held_out, fold]
        yield class_scores(scores[:, 0] if scores.shape[1] == 1 else scores)


def _coordinates(
    X: NDArray[np.float32],
) -> tuple[NDArray[Any], Callable[[NDArray[np.float64]], NDArray[np.float32]], float]:
    """Return coordinates of the rows of `X`, in as few dimensions as they need.

    Returns
    -------
    Z : ndarray of float64, shape (n_samples, n_samples - 1 or fewer)
        Or `X` itself, if there are more samples than features.
    to_features : callable
        Maps coefficients ``(n, Z.shape[1])`` on ``scale * Z`` to ``(n, n_features)`` on `X`.
    scale : float
        Makes the mean squared norm of the rows of `X` one.
    """
    if len(X) > X.shape[1]:
        scale = unit_scale(X)
        return X, lambda coef: (coef * scale).astype(np.float32), scale
    gram = Gram.of(X)
    K = gram.products.astype(np.float64)
    # Centring changes nothing but the intercept, which is free, and saves the descent many steps.
    K -= K.mean(axis=0)
    K -= K.mean(axis=1)[:, None]
    eigenvalues, vectors = np.linalg.eigh(K)
    if eigenvalues[-1] < NEGLIGIBLE:
        raise ClassifierError(
            "all training images have the same features, so there is nothing to tell them apart "
            "by; check that the images differ and that the backbone's weights are right"
        )
    keep = eigenvalues > NEGLIGIBLE * eigenvalues[-1]
    roots = np.sqrt(eigenvalues[keep])
    vectors = vectors[:, keep]

    def to_features(coef: NDArray[np.float64]) -> NDArray[np.float32]:
        # The rows of these weights sum to zero, so that X need not be centred.
        weights = (coef / roots) @ vectors.T * gram.scale**2
        mapped: NDArray[Any] = weights.astype(np.float32) @ X
        return mapped

    return vectors * roots / gram.scale, to_features, gram.scale
