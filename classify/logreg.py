"""Logistic regression on frozen features, in the coordinates that their Gram matrix gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from cache.console import silent
from classify.base import Classifier
from classify.errors import ClassifierError
from classify.gram import Gram, unit_scale
from classify.search import c_grid, class_scores, cross_validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cache.console import Progress
    from reports.record import Search

# Scikit-learn's default of 1e-4 stops a path that starts from the last C's solution at once.
TOLERANCE = 1e-6
MAX_ITERATIONS = 2000
# Directions in which the features vary less than float32 products can tell from rounding.
NEGLIGIBLE = 1e-6


class LogReg(Classifier):
    """Logistic regression whose C is chosen by cross-validation.

    It is scikit-learn's `LogisticRegression` (L2 penalty, lbfgs), and has its solution.

    Parameters
    ----------
    C : float, sequence of float or None
        Inverse of the penalty, on features scaled to unit mean squared norm: ``C * scale_**2`` is
        the same on the features as they are. Several, or None for the default grid, are chosen from
        by log loss over the folds; of equally good ones the smallest is chosen.
    folds : int
        Folds of the cross-validation.
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
    search_ : Search
        The cross-validation, for the report.

    Notes
    -----
    The penalised optimum lies in the span of the training samples. With fewer samples than
    features it is therefore found in coordinates `Z` of that span, ``Z @ Z.T = K``, which are as
    many as there are samples, and then mapped back.
    """

    consumes: ClassVar[Literal["embeddings", "images"]] = "embeddings"
    title: ClassVar[str] = "Logistic regression on frozen features"

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        folds: int = 5,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.folds = folds
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
        with _one_thread():
            Z, to_features, self.scale_ = _coordinates(features)

        def score_fold(train: NDArray[np.intp], held_out: NDArray[np.intp]) -> NDArray[np.float64]:
            return np.stack(
                [
                    class_scores(model.decision_function(Z[held_out]))
                    for model in _path(Z[train], codes[train], values)
                ]
            )

        outcome = cross_validate(
            [{"C": value} for value in values],
            score_fold,
            codes,
            folds=self.folds,
            seed=self.random_state,
            progress=progress,
            stage="Logistic regression: choosing C",
        )
        self.search_: Search = outcome.record
        self.C_: float = outcome.chosen["C"]
        # Down the same path as in the folds: it is quicker than one fit from nothing at a large C.
        with _one_thread():
            *_, model = _path(Z, codes, [value for value in values if value <= self.C_])
        self.coef_ = to_features(model.coef_)
        mean = features.mean(axis=0, dtype=np.float64)
        self.intercept_: NDArray[np.float64] = model.intercept_ - self.coef_ @ mean
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log odds, ``(n_samples,)`` for two classes, else one a class."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        scores: NDArray[np.float64] = features @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        scores = class_scores(self.decision_function(X))
        probabilities: NDArray[np.float64] = softmax(scores, axis=1)
        return probabilities


def _one_thread() -> threadpool_limits:
    """Keep BLAS to one thread, which costs little here when cores are idle.

    When they are not, its threads wait for each other: ten times as long, seen on two cores.
    """
    return threadpool_limits(1, user_api="blas")


def _path(
    Z: NDArray[np.float64], codes: NDArray[np.int64], values: Sequence[float]
) -> Iterator[LogisticRegression]:
    """Yield one model, refitted for each of the ascending `values` of C from the last solution."""
    model = LogisticRegression(warm_start=True, tol=TOLERANCE, max_iter=MAX_ITERATIONS)
    for value in values:
        yield model.set_params(C=value).fit(Z, codes)


def _coordinates(
    X: NDArray[np.float32],
) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], NDArray[np.float32]], float]:
    """Return centred coordinates of the scaled rows of `X`, in as few dimensions as they need.

    Returns
    -------
    Z : ndarray of float64, shape (n_samples, min(n_samples - 1, n_features) or fewer)
    to_features : callable
        Maps coefficients ``(n, Z.shape[1])`` to ``(n, n_features)``, on the unscaled features.
    scale : float
    """
    if len(X) > X.shape[1]:
        scale = unit_scale(X)
        Z = (X - X.mean(axis=0, dtype=np.float64)) * scale
        return Z, lambda coef: (coef * scale).astype(np.float32), scale
    gram = Gram.of(X)
    K = gram.products.astype(np.float64)
    # Centring changes nothing but the intercept, which is free, and saves lbfgs many steps.
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

    return vectors * roots, to_features, gram.scale
