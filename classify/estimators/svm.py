"""Support vector machine with C and the kernel chosen by cross-validation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import call
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import joblib
import numpy as np

from classify.errors import ClassifierError
from classify.estimators.base import ClassWeight, DecisionClassifier
from classify.estimators.cross_validation import (
    MANY,
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
    ProductsOnDemand,
    exact_products,
    kernel,
    one_blas_thread,
    squared_norms,
)
from classify.estimators.solvers.one_vs_one import (
    ROWS,
    OneVsOne,
    from_pairs,
    one_vs_one_decision,
    votes_decision,
)
from classify.estimators.solvers.probabilities import (
    class_scores,
    fit_temperature,
    scaled_log_loss,
    scaled_softmax,
)
from classify.estimators.solvers.working_set import LIMIT, BinarySVM, PairwiseProblem

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from classify.estimators.solvers.gram import Samples
    from toolkit.progress import Progress

T = TypeVar("T")

# Samples whose inner products are kept even if there are few features: 64 MB.
FEW_SAMPLES = 4000


class SVM(SearchMixin, DecisionClassifier):
    """Support vector classifier whose C and kernel are chosen by cross-validation.

    For two classes it predicts what scikit-learn's `SVC` predicts. For more, it has the same SVM
    for every pair of classes, and predicts the class with the highest mean decision value against
    the others. It is trained on one Gram matrix for all kernels, values of C and folds.

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
    class_weight : {"balanced", None} or dict, default=None
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
    n_support_ : ndarray of intp, shape (n_classes,)
        Number of support vectors of each class. With more than two classes, the support vectors
        are sorted by class.
    dual_coef_ : ndarray, shape (n_support, 1) or (n_support, n_classes)
        Weights of the support vectors, positive for the second of two classes. With more classes,
        the weight in the SVM of the vector's class and each other class, see
        `classify.estimators.solvers.one_vs_one`.
    intercept_ : ndarray of float64, shape (1,) or (n_classes, n_classes)
    temperature_ : float
        Factor on the decision values before the softmax.
    votes_ : bool
        Whether the decision values count the pairs that a class wins: only in models of earlier
        versions, of more than two classes.
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
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.kernel = kernel
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
        kernels = _kernels(self.kernel)
        values = positive_grid("C", self.C, C_GRID)
        weights = self._class_weights(codes)
        samples = _samples(features, codes)
        paths = [
            RegularisationPath(
                [{"kernel": name, "C": value} for value in values],
                partial(_path_steps, codes=codes, class_weights=weights, name=name, values=values),
                samples,
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
            groups=groups,
        )
        self.search_ = outcome.result
        self.divided_classes_ = self.classes_[outcome.divided]
        self.C_: float = outcome.chosen["C"]
        self.kernel_: Kernel = outcome.chosen["kernel"]
        self.temperature_ = fit_temperature(outcome.scores, codes, weights)
        self.held_out_proba_ = scaled_softmax(outcome.scores, self.temperature_)
        self.votes_ = False
        everything = np.arange(len(codes))
        self.scale_ = samples.scale
        self.gamma_ = samples.gamma(everything)
        if len(weights) == 2:
            assert isinstance(samples, Gram)
            fold = (everything, everything[:0])
            (svm,) = _train_pair(samples, codes, weights, self.kernel_, fold, [self.C_])
            self.support_: NDArray[np.intp] = np.flatnonzero(svm.weights)
            self.dual_coef_: NDArray[Any] = svm.weights[self.support_, None]
            self.intercept_ = np.array([svm.intercept])
        else:
            svms = OneVsOne(samples, self.kernel_, codes, weights, everything, [self.C_])
            with (
                one_blas_thread(),
                ThreadPoolExecutor(joblib.cpu_count()) as threads,
            ):
                list(threads.map(call, svms.training()))
            kept = np.flatnonzero(svms.weights.any(axis=1))
            self.support_, self.dual_coef_ = svms.rows[kept], svms.weights[kept]
            self.intercept_ = svms.intercepts
        self.n_support_: NDArray[np.intp] = np.bincount(codes[self.support_])
        self.support_vectors_: NDArray[np.float32] = features[self.support_]

    def _decide(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        vectors, n_classes = self.support_vectors_, len(self.classes_)
        vector_squares = self.scale_**2 * squared_norms(vectors, np.float64)
        decision = np.empty((len(features), 1 if n_classes == 2 else n_classes))
        for start in range(0, len(features), ROWS):
            rows = features[start : start + ROWS]
            products = self.scale_**2 * exact_products(rows, vectors)
            row_squares = self.scale_**2 * squared_norms(rows, np.float64)
            values = kernel(self.kernel_, products, row_squares, vector_squares, self.gamma_)
            if n_classes == 2:
                decided = values @ self.dual_coef_ + self.intercept_
            else:
                starts = np.concatenate([[0], np.cumsum(self.n_support_)])
                decide = votes_decision if self.votes_ else one_vs_one_decision
                decided = decide(values, self.dual_coef_, self.intercept_, starts)
            decision[start : start + ROWS] = decided
        return decision[:, 0] if n_classes == 2 else decision

    def upgrade(self) -> None:
        """Convert a model of an earlier version.

        It counts the pairs that a class wins, and may have a column of weights per pair of classes.
        """
        self.votes_ = getattr(self, "votes_", True)
        if hasattr(self, "n_support_") or len(self.classes_) == 2:
            return
        order, self.dual_coef_, self.intercept_, self.n_support_ = from_pairs(
            self.dual_coef_, self.intercept_, len(self.classes_)
        )
        self.support_, self.support_vectors_ = self.support_[order], self.support_vectors_[order]


def _kernels(name: str) -> tuple[Kernel, ...]:
    if name == "auto":
        return KERNELS
    for known in KERNELS:
        if name == known:
            return (known,)
    raise ClassifierError(
        f"unknown kernel {name!r}; choose one of auto, {', '.join(KERNELS)}", setting="kernel"
    )


def _samples(features: NDArray[np.float32], codes: NDArray[np.int64]) -> Samples:
    """Return the samples; with all inner products, if that is necessary or takes little memory."""
    sizes = np.sort(np.bincount(codes))
    small = len(features) <= max(FEW_SAMPLES, 4 * features.shape[1])
    if small or len(sizes) == 2 or sizes[-2:].sum() > LIMIT:
        return Gram.of(features)
    return ProductsOnDemand.of(features)


def _path_steps(
    samples: Samples,
    splits: Sequence[Fold],
    *,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    values: Sequence[float],
) -> Generator[PathStep]:
    """Train one model per fold for each of the ascending values of C."""
    # Each thread takes one core; a BLAS that used all cores for each of them would mostly wait.
    with one_blas_thread():
        if len(class_weights) > 2:
            yield from _one_vs_one_steps(samples, splits, codes, class_weights, name, values)
            return
        assert isinstance(samples, Gram)
        folds = [
            _train_pair(samples, codes, class_weights, name, split, values) for split in splits
        ]
        with ThreadPoolExecutor(min(len(splits), joblib.cpu_count())) as threads:
            for svms in _in_threads(threads, folds, len(values), ahead=len(codes) <= MANY):
                decision = np.empty(len(codes))
                for (_, held_out), svm in zip(splits, svms, strict=True):
                    decision[held_out] = svm.decision
                yield PathStep(class_scores(decision))


def _in_threads(
    threads: ThreadPoolExecutor, folds: Sequence[Iterator[T]], n_steps: int, *, ahead: bool
) -> Iterator[list[T]]:
    """Yield the next item of every fold, `n_steps` times.

    With `ahead`, the threads begin the next step before the last fold has ended this one. A path
    that may end early would wait for it in vain.
    """
    running: list[Future[T]] = []
    for step in range(n_steps):
        running = running or [threads.submit(next, fold) for fold in folds]
        following = []
        if ahead and step + 1 < n_steps:
            following = [
                threads.submit(_next_after, before, fold)
                for before, fold in zip(running, folds, strict=True)
            ]
        yield [future.result() for future in running]
        running = following


def _next_after(before: Future[T], fold: Iterator[T]) -> T:
    before.result()
    return next(fold)


def _one_vs_one_steps(
    samples: Samples,
    splits: Sequence[Fold],
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    values: Sequence[float],
) -> Generator[PathStep]:
    folds = [OneVsOne(samples, name, codes, class_weights, train, values) for train, _ in splits]
    blocks = [
        (fold, held_out[start : start + ROWS])
        for fold, (_, held_out) in zip(folds, splits, strict=True)
        for start in range(0, len(held_out), ROWS)
    ]
    scores = np.empty((len(codes), len(class_weights)))
    with ThreadPoolExecutor(joblib.cpu_count()) as threads:
        for _ in values:
            list(threads.map(call, (train for fold in folds for train in fold.training())))
            if any(fold.changed for fold in folds):
                scores = np.empty_like(scores)
                decided = threads.map(lambda block: block[0].decide(block[1]), blocks)
                for (_, rows), part in zip(blocks, decided, strict=True):
                    scores[rows] = part
            yield PathStep(scores)


def _train_pair(
    gram: Gram,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    fold: Fold,
    values: Sequence[float],
) -> Iterator[BinarySVM]:
    """Yield the SVM of two classes, the second one positive, for the ascending values of C."""
    rows, held_out = fold
    targets = np.zeros(len(codes))
    targets[rows] = np.where(codes[rows] == 1, 1.0, -1.0)
    problem = PairwiseProblem(gram, name, gram.gamma(rows), targets, class_weights[codes], held_out)
    return problem.train_path(values)
