"""Logistic regression with C chosen by cross-validation."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import joblib
import numpy as np

from classify.estimators.base import ClassWeight, LinearClassifier
from classify.estimators.cross_validation import (
    MANY,
    Fold,
    PathStep,
    RegularisationPath,
    cross_validate,
)
from classify.estimators.search import C_GRID, SearchMixin, positive_grid
from classify.estimators.solvers.gram import Gram, one_blas_thread, same_features, unit_scale
from classify.estimators.solvers.kernel_logistic import KernelLogisticProblems
from classify.estimators.solvers.logistic import LogisticProblems, Problems
from classify.estimators.solvers.probabilities import class_scores, log_loss, scaled_softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.solvers.lbfgs import Path
    from toolkit.progress import Progress

# Largest distance of the coefficients from the optimum, relative to their length: during the search
# for C, and in the end.
SEARCH_PRECISION = 0.03
PRECISION = 1e-4
# Smaller inner products of centred samples are rounding errors of float32.
NEGLIGIBLE = 1e-6
# Probabilities of all folds that are in memory together: 128 MB.
AT_ONCE = 2**24
# Rows of inner products that are centred together.
BLOCK = 64


class LogReg(SearchMixin, LinearClassifier):
    """Logistic regression whose C is chosen by cross-validation.

    It has the solution of scikit-learn's `LogisticRegression` with the L2 penalty. All folds and
    all values of C share their work, so the search costs little more than one fit.

    Parameters
    ----------
    C : float, sequence of float or None, default=None
        Inverse of the penalty, on features scaled to unit mean squared norm; ``C * scale_**2`` is
        the equivalent on the features as they are. From several values, or from `C_GRID` for None,
        the one with the lowest cross-validated log loss is chosen.
    folds : int, default=5
        Folds of the cross-validation.
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
    search_ : SearchResult
        The cross-validation; `cv_results_` and `best_params_` are as in `GridSearchCV`.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training samples, each by a model that was not trained on it.

    See Also
    --------
    SVM : Often more accurate, with a kernel; takes longer with many samples.

    Notes
    -----
    The penalised optimum lies in the span of the training samples. With fewer samples than features
    it is found as weights of the samples, on the inner products of the centred samples (in float32
    during the search), see `classify.estimators.solvers.kernel_logistic`. With more samples it is
    found on the features, see `classify.estimators.solvers.logistic`. All folds are trained
    together.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = LogReg(C=[0.1, 1.0], folds=2).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    >>> model.cv_results_["params"]
    [{'C': 0.1}, {'C': 1.0}]
    """

    title: ClassVar[str] = "Logistic regression on frozen features"

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

    def _fit(
        self,
        features: NDArray[np.float32],
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        values = positive_grid("C", self.C, C_GRID)
        weights = self._class_weights(codes)
        with one_blas_thread() if len(features) <= MANY else contextlib.nullcontext():
            samples = _samples(features)
            self.scale_ = samples.scale
            path = RegularisationPath(
                [{"C": value} for value in values],
                partial(
                    _path_steps,
                    problems_of=samples.problems_of,
                    codes=codes,
                    sample_weight=weights[codes],
                    values=values,
                ),
                samples.rough,
            )
            outcome = cross_validate(
                [path],
                codes,
                folds=self.folds,
                seed=self.random_state,
                progress=progress,
                stage="Logistic regression: choosing C",
                loss=partial(log_loss, class_weights=weights),
                groups=groups,
            )
            self.search_ = outcome.result
            self.divided_classes_ = self.classes_[outcome.divided]
            self.held_out_proba_ = scaled_softmax(outcome.scores)
            self.C_: float = outcome.chosen["C"]
            problem = samples.problems_of(samples.exact, codes, weights[codes][np.newaxis])
            start = problem.zeros() if outcome.solution is None else outcome.solution
            coef = problem.minimise(problem.renewed(start), self.C_, PRECISION).coef
        self.coef_ = samples.to_features(coef[:, 0].T)
        mean = features.mean(axis=0, dtype=np.float64)
        self.intercept_ = coef[-1, 0] - self.coef_ @ mean


def _path_steps(
    samples: NDArray[Any],
    splits: Sequence[Fold],
    *,
    problems_of: Callable[..., Problems],
    codes: NDArray[np.int64],
    sample_weight: NDArray[np.float64],
    values: Sequence[float],
) -> Generator[PathStep]:
    """Train one model per fold for each of the ascending values of C.

    The solution of a step is the mean of the folds' coefficients, which is near the solution for
    all samples.
    """
    batches = list(_batches(splits, len(codes) * (int(codes.max()) + 1)))
    problems = []
    for batch in batches:
        weights = np.zeros((len(batch), len(codes)))
        for fold, (train, _) in enumerate(batch):
            weights[fold, train] = sample_weight[train]
        problems.append(problems_of(samples, codes, weights))
    coefs = [problem.zeros() for problem in problems]
    paths: list[Path | None] = [None] * len(problems)
    for C in values:
        held_out_decision = np.empty((len(codes), problems[0].n_outputs))
        for i, (batch, problem) in enumerate(zip(batches, problems, strict=True)):
            coefs[i], decision, paths[i] = problem.minimise(coefs[i], C, SEARCH_PRECISION, paths[i])
            for fold, (_, held_out) in enumerate(batch):
                held_out_decision[held_out] = decision[held_out, fold]
        mean = np.concatenate(coefs, axis=1).mean(axis=1, keepdims=True)
        yield PathStep(class_scores(held_out_decision), mean)


def _batches(splits: Sequence[Fold], n_probabilities: int) -> Iterator[Sequence[Fold]]:
    """Divide the folds into batches whose probabilities are in memory together."""
    at_once = max(1, AT_ONCE // n_probabilities)
    return (splits[start : start + at_once] for start in range(0, len(splits), at_once))


@dataclass(frozen=True)
class _Samples:
    """What the models are trained on.

    Attributes
    ----------
    rough, exact : ndarray of float
        Features or inner products, for the search and for the chosen C.
    problems_of : callable
        Takes one of them, classes and sample weights.
    to_features : callable
        Maps coefficients ``(n, n_rows)`` of the problems to ``(n, n_features)`` of the features.
    scale : float
        Factor that gives the features unit mean squared norm.
    """

    rough: NDArray[Any]
    exact: NDArray[Any]
    problems_of: Callable[..., Problems]
    to_features: Callable[[NDArray[Any]], NDArray[np.float32]]
    scale: float


def _samples(X: NDArray[np.float32]) -> _Samples:
    """Return the features, or their inner products if those are fewer."""
    if len(X) > X.shape[1]:
        scale = unit_scale(X)
        return _Samples(
            X,
            X,
            partial(LogisticProblems.of, scale=scale),
            lambda coef: (coef[:, :-1] * scale).astype(np.float32),
            scale,
        )
    gram = Gram.of(X)
    scale, products = gram.scale, gram.products
    K = _centred(products)
    if np.einsum("ij,ij->i", products, products).max() < NEGLIGIBLE**2:
        raise same_features()

    def to_features(coef: NDArray[Any]) -> NDArray[np.float32]:
        weights = coef[:, : len(X)] * scale**2
        # Weights that sum to zero need no centred features.
        weights -= weights.mean(axis=1, keepdims=True)
        mapped: NDArray[Any] = weights.astype(np.float32) @ X
        return mapped

    return _Samples(products, K, KernelLogisticProblems.of, to_features, scale)


def _centred(products: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre inner products in place, and return them in float64.

    Centring only changes the intercept, which is not penalised, and saves many steps.
    """
    means = products.mean(axis=0, dtype=np.float64)
    K = np.empty(products.shape)

    def centre(start: int) -> None:
        rows = slice(start, start + BLOCK)
        np.subtract(products[rows], means - means.mean(), out=K[rows])
        K[rows] -= means[rows, None]
        products[rows] = K[rows]

    with ThreadPoolExecutor(joblib.cpu_count()) as threads:
        list(threads.map(centre, range(0, len(K), BLOCK)))
    return K
