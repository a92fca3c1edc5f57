"""Support vector machine with C and the kernel chosen by cross-validation."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import joblib
import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from classify.errors import ClassifierError
from classify.estimators.base import ClassWeight, DecisionClassifier
from classify.estimators.cross_validation import (
    Fold,
    PathStep,
    RegularisationPath,
    cross_validate,
)
from classify.estimators.search import C_GRID, SearchMixin, positive_grid
from classify.estimators.solvers.gram import (
    KERNELS,
    Gram,
    Kernel,
    exact_products,
    kernel,
    squared_norms,
)
from classify.estimators.solvers.probabilities import (
    class_scores,
    fit_temperature,
    scaled_log_loss,
)
from classify.estimators.solvers.working_set import BinarySVM, PairwiseProblem

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from toolkit.progress import Progress

# Samples whose kernel with all support vectors is in memory at a time.
ROWS = 512


class SVM(SearchMixin, DecisionClassifier):
    """Support vector classifier whose C and kernel are chosen by cross-validation.

    It predicts what scikit-learn's `SVC` predicts (with ``break_ties=True`` for more than two
    classes). It is trained on one Gram matrix for all kernels, values of C and folds.

    Parameters
    ----------
    C : float, sequence of float or None, default=None
        Penalty of a misclassified training sample, on features scaled to unit mean squared norm;
        ``C * scale_**2`` is the equivalent on the features as they are. From several values, or
        from `C_GRID` for None, the one with the lowest cross-validated log loss is chosen.
    kernel : {"auto", "linear", "rbf"}, default="auto"
        ``"auto"`` chooses it together with C. The width of ``"rbf"`` is scikit-learn's
        ``gamma="scale"``.
    folds : int, default=5
        Folds of the cross-validation, which also fits the probabilities.
    class_weight : {"balanced", None} or dict, default="balanced"
        Whether all classes have the same weight, or all samples; see `class_weights`.
    random_state : int, RandomState or None, default=0
        Shuffles the samples before they are split into folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
        The chosen C.
    kernel_ : {"linear", "rbf"}
        The chosen kernel.
    gamma_ : float
        Width of the rbf kernel, on the scaled features.
    scale_ : float
        Factor that gives the features unit mean squared norm.
    support_ : ndarray of shape (n_support,)
        Positions of the support vectors in the training data.
    support_vectors_ : ndarray of float32, shape (n_support, n_features)
    dual_coef_ : ndarray of float64, shape (n_support, n_pairs)
        Weights of the support vectors, one column for every pair of classes.
    intercept_ : ndarray of float64, shape (n_pairs,)
    temperature_ : float
        Factor on the decision values before the softmax.
    search_ : SearchResult
        The cross-validation; `cv_results_` and `best_params_` are as in `GridSearchCV`.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training samples, each by a model that was not trained on it.

    See Also
    --------
    LogReg : Faster, and often as accurate.

    Notes
    -----
    The probabilities come from temperature scaling (see
    `classify.estimators.solvers.probabilities`) of the decision values of the held-out samples in
    the cross-validation.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = SVM(C=1.0, kernel="linear", folds=2).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    title: ClassVar[str] = "SVM on frozen features"

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        kernel: Literal["auto", "linear", "rbf"] = "auto",
        folds: int = 5,
        class_weight: ClassWeight = "balanced",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.folds = folds
        self.class_weight = class_weight
        self.random_state = random_state

    def _fit(
        self, features: NDArray[np.float32], codes: NDArray[np.int64], progress: Progress
    ) -> None:
        kernels = _kernels(self.kernel)
        values = positive_grid("C", self.C, C_GRID)
        weights = self._class_weights(codes)
        gram = Gram.of(features)
        paths = [
            RegularisationPath(
                [{"kernel": name, "C": value} for value in values],
                partial(_path_steps, codes=codes, class_weights=weights, name=name, values=values),
                gram,
            )
            for name in kernels
        ]
        outcome = cross_validate(
            paths,
            codes,
            folds=self.folds,
            seed=self.random_state,
            progress=progress,
            stage="SVM: choosing C" if len(kernels) == 1 else "SVM: choosing kernel and C",
            loss=partial(scaled_log_loss, class_weights=weights),
        )
        self.search_ = outcome.result
        self.C_: float = outcome.chosen["C"]
        self.kernel_: Kernel = outcome.chosen["kernel"]
        self.temperature_ = fit_temperature(outcome.scores, codes, weights)
        self.held_out_proba_: NDArray[np.float64] = softmax(
            self.temperature_ * outcome.scores, axis=1
        )
        everything = np.arange(len(codes))
        self.scale_ = gram.scale
        self.gamma_ = gram.gamma(everything)
        svms = next(_train_pairs(gram, codes, weights, self.kernel_, everything, [self.C_]))
        dual_coef = np.stack([svm.weights for svm in svms], axis=1)
        self.support_: NDArray[np.intp] = np.flatnonzero(dual_coef.any(axis=1))
        self.support_vectors_: NDArray[np.float32] = features[self.support_]
        self.dual_coef_: NDArray[np.float64] = dual_coef[self.support_]
        self.intercept_ = np.array([svm.intercept for svm in svms])

    def _decide(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        vectors = self.support_vectors_
        vector_squares = self.scale_**2 * squared_norms(vectors, np.float64)
        pairwise = np.empty((len(features), len(self.intercept_)))
        for start in range(0, len(features), ROWS):
            rows = features[start : start + ROWS]
            products = self.scale_**2 * exact_products(rows, vectors)
            row_squares = self.scale_**2 * squared_norms(rows, np.float64)
            values = kernel(self.kernel_, products, row_squares, vector_squares, self.gamma_)
            pairwise[start : start + ROWS] = values @ self.dual_coef_ + self.intercept_
        return _decision(pairwise, len(self.classes_))


def _kernels(name: str) -> tuple[Kernel, ...]:
    if name == "auto":
        return KERNELS
    for known in KERNELS:
        if name == known:
            return (known,)
    raise ClassifierError(
        f"unknown kernel {name!r}; choose one of auto, {', '.join(KERNELS)}", setting="kernel"
    )


def _path_steps(
    gram: Gram,
    splits: Sequence[Fold],
    *,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    values: Sequence[float],
) -> Generator[PathStep]:
    """Train one model per fold for each of the ascending values of C."""
    n_classes = int(codes.max()) + 1
    folds = [_train_pairs(gram, codes, class_weights, name, train, values) for train, _ in splits]
    workers = min(len(splits), joblib.cpu_count())
    # Each fold takes one core; a BLAS that used all cores for each of them would mostly wait.
    with (
        threadpool_limits(1, user_api="blas"),
        joblib.Parallel(n_jobs=workers, require="sharedmem") as parallel,
    ):
        for _ in values:
            scores = np.empty((len(codes), n_classes))
            svms_by_fold = parallel(joblib.delayed(next)(fold) for fold in folds)
            for (_, held_out), svms in zip(splits, svms_by_fold, strict=True):
                pairwise = np.stack([svm.decision[held_out] for svm in svms], axis=1)
                scores[held_out] = class_scores(_decision(pairwise, n_classes))
            yield PathStep(scores)


def _train_pairs(
    gram: Gram,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    rows: NDArray[np.intp],
    values: Sequence[float],
) -> Iterator[tuple[BinarySVM, ...]]:
    """Yield one SVM per pair of classes, for each of the ascending values of C.

    As in `SVC`, the first class of a pair is the positive one; of a single pair, the second.
    """
    n_classes, gamma = int(codes.max()) + 1, gram.gamma(rows)
    positive = -1.0 if n_classes == 2 else 1.0
    paths = []
    for first, second in combinations(range(n_classes), 2):
        targets = np.zeros(len(codes))
        targets[rows[codes[rows] == first]] = positive
        targets[rows[codes[rows] == second]] = -positive
        problem = PairwiseProblem(gram, name, gamma, targets, class_weights[codes])
        paths.append(problem.train_path(values))
    return zip(*paths, strict=True)


def _decision(pairwise: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Return `SVC`'s decision values from those of all pairs of classes.

    With more than two classes: the number of pairs that a class wins, plus the sum of its margins
    squeezed into a third of a win, so that margins only order classes with as many wins.
    """
    if n_classes == 2:
        return pairwise[:, 0]
    signs = np.zeros((pairwise.shape[1], n_classes))
    for column, (first, second) in enumerate(combinations(range(n_classes), 2)):
        signs[column, first], signs[column, second] = 1.0, -1.0
    wins = (np.where(pairwise >= 0, 1.0, -1.0) @ signs + n_classes - 1) / 2
    margins = pairwise @ signs
    decision: NDArray[np.float64] = wins + margins / (3 * (np.abs(margins) + 1))
    return decision
