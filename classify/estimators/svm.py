"""A support vector machine on frozen features, trained on their Gram matrix."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import joblib
import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from classify.errors import ClassifierError
from classify.estimators.base import Classifier, ClassWeight
from classify.estimators.search import (
    Fold,
    RegularisationPath,
    SearchMixin,
    c_grid,
    class_scores,
    cross_validate,
)
from classify.estimators.solvers.gram import (
    KERNELS,
    Gram,
    Kernel,
    exact_products,
    kernel,
    squared_norms,
)
from classify.estimators.solvers.temperature import temperature, tempered_loss
from classify.estimators.solvers.working_set import BinarySVM, PairwiseProblem
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress

# Samples whose kernel with all support vectors is in memory at a time.
ROWS = 512


class SVM(SearchMixin, Classifier):
    """Support vector classifier whose C and kernel are chosen by cross-validation.

    It is scikit-learn's `SVC` on a precomputed kernel, so that it predicts what `SVC` predicts on
    the features themselves (with ``break_ties=True`` for more than two classes).

    Parameters
    ----------
    C : float, sequence of float or None
        Penalty of a misclassified training sample, on features scaled to unit mean squared norm:
        ``C * scale_**2`` is the same penalty on the features as they are. Several, or None for the
        default grid, are chosen from by log loss over the folds; of equally good ones the
        smallest is chosen.
    kernel : {"auto", "linear", "rbf"}
        ``auto`` chooses together with C. The width of ``rbf`` is scikit-learn's ``gamma="scale"``.
    folds : int
        Folds of the cross-validation, also for a single C: the probabilities are fitted on them.
    class_weight : {"balanced", None} or dict
        Whether all classes count the same, or all samples; see `class_weights`.
    random_state : int, RandomState or None
        Shuffles the samples before they are split into folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
    kernel_ : {"linear", "rbf"}
    gamma_ : float
        On the scaled features.
    scale_ : float
    support_ : ndarray of shape (n_support,)
        Positions of the support vectors in the training data.
    support_vectors_ : ndarray of float32, shape (n_support, n_features)
    dual_coef_ : ndarray of float64, shape (n_support, n_pairs)
        Weights of the support vectors, a column for every pair of classes.
    intercept_ : ndarray of float64, shape (n_pairs,)
    temperature_ : float
        Factor on the class scores before the softmax.
    search_ : SearchResult
        The cross-validation; `cv_results_` has it as scikit-learn's dict of arrays.
    held_out_proba_ : ndarray of float64, shape (n_samples, n_classes)
        Probabilities of the training images, each by a model that has not seen it.

    Notes
    -----
    Probabilities come from temperature scaling
    (see `classify.estimators.solvers.temperature`) of the class scores of
    the samples that were held out in the cross-validation.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
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

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Choose C and the kernel, then train on all of `X`.

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
        kernels = _kernels(self.kernel)
        values = c_grid(self.C)
        features, codes = self._take(X, y, at_least=2)
        weights = self._class_weights(self.classes_, codes)
        gram = Gram.of(features)
        outcome = cross_validate(
            [
                RegularisationPath(
                    [{"kernel": name, "C": value} for value in values],
                    partial(
                        _out_of_fold, codes=codes, class_weights=weights, name=name, values=values
                    ),
                    gram,
                )
                for name in kernels
            ],
            codes,
            folds=self.folds,
            seed=self.random_state,
            progress=progress,
            stage="SVM: choosing C" if len(kernels) == 1 else "SVM: choosing kernel and C",
            loss=partial(tempered_loss, class_weights=weights),
        )
        self.search_ = outcome.result
        self.C_: float = outcome.chosen["C"]
        self.kernel_: Kernel = outcome.chosen["kernel"]
        self.temperature_ = temperature(outcome.scores, codes, weights)
        self.held_out_proba_: NDArray[np.float64] = softmax(
            self.temperature_ * outcome.scores, axis=1
        )
        everything = np.arange(len(codes))
        self.scale_ = gram.scale
        self.gamma_ = gram.gamma(everything)
        machines = next(_machines(gram, codes, weights, self.kernel_, everything, [self.C_]))
        weights = np.stack([machine.weights for machine in machines], axis=1)
        self.support_: NDArray[np.intp] = np.flatnonzero(weights.any(axis=1))
        self.support_vectors_: NDArray[np.float32] = features[self.support_]
        self.dual_coef_: NDArray[np.float64] = weights[self.support_]
        self.intercept_ = np.array([machine.intercept for machine in machines])
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values, ``(n_samples,)`` for two classes, else one a class.

        They are those of `SVC`: the signed margin of the second class, or with more than two
        classes the number of duels won, refined by the margins.
        """
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        vectors = self.support_vectors_
        vector_squares = self.scale_**2 * squared_norms(vectors, np.float64)
        pairwise = np.empty((len(features), len(self.intercept_)))
        for start in range(0, len(features), ROWS):
            rows = features[start : start + ROWS]
            products = self.scale_**2 * exact_products(rows, vectors)
            row_squares = self.scale_**2 * squared_norms(rows, np.float64)
            between = kernel(self.kernel_, products, row_squares, vector_squares, self.gamma_)
            pairwise[start : start + ROWS] = between @ self.dual_coef_ + self.intercept_
        return _decision(pairwise, len(self.classes_))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        scores = class_scores(self.decision_function(X))
        probabilities: NDArray[np.float64] = softmax(self.temperature_ * scores, axis=1)
        return probabilities


def _kernels(name: str) -> tuple[Kernel, ...]:
    if name == "auto":
        return KERNELS
    for known in KERNELS:
        if name == known:
            return (known,)
    raise ClassifierError(f"unknown kernel {name!r}; choose one of auto, {', '.join(KERNELS)}")


def _out_of_fold(
    gram: Gram,
    splits: Sequence[Fold],
    *,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    values: Sequence[float],
) -> Generator[NDArray[np.float64]]:
    """Yield the class scores of all samples, each by the fold that it is held out from."""
    n_classes = int(codes.max()) + 1
    folds = [_machines(gram, codes, class_weights, name, train, values) for train, _ in splits]
    workers = min(len(splits), joblib.cpu_count())
    # The folds take a core each; a BLAS that took all cores for each of them would only wait.
    with (
        threadpool_limits(1, user_api="blas"),
        joblib.Parallel(n_jobs=workers, require="sharedmem") as parallel,
    ):
        for _ in values:
            scores = np.empty((len(codes), n_classes))
            trained = parallel(joblib.delayed(next)(fold) for fold in folds)
            for (_, held_out), machines in zip(splits, trained, strict=True):
                pairwise = np.stack([machine.decision[held_out] for machine in machines], axis=1)
                scores[held_out] = class_scores(_decision(pairwise, n_classes))
            yield scores


def _machines(
    gram: Gram,
    codes: NDArray[np.int64],
    class_weights: NDArray[np.float64],
    name: Kernel,
    rows: NDArray[np.intp],
    values: Sequence[float],
) -> Iterator[tuple[BinarySVM, ...]]:
    """Yield for each of the ascending `values` of C a machine for every pair of classes.

    As in `SVC`, the first class of a pair is the positive one, but for a single pair the second.
    """
    n_classes, gamma = int(codes.max()) + 1, gram.gamma(rows)
    positive = -1.0 if n_classes == 2 else 1.0
    duels = []
    for first, second in combinations(range(n_classes), 2):
        sides = np.zeros(len(codes))
        sides[rows[codes[rows] == first]] = positive
        sides[rows[codes[rows] == second]] = -positive
        duels.append(
            PairwiseProblem(gram, name, gamma, sides, class_weights[codes]).machines(values)
        )
    return zip(*duels, strict=True)


def _decision(pairwise: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Return `SVC`'s decision values from the duels of all pairs of classes.

    For more than two classes: duels won, plus the sum of the margins squeezed into a third of a
    duel, so that margins only order classes with as many wins.
    """
    if n_classes == 2:
        return pairwise[:, 0]
    sides = np.zeros((pairwise.shape[1], n_classes))
    for column, (first, second) in enumerate(combinations(range(n_classes), 2)):
        sides[column, first], sides[column, second] = 1.0, -1.0
    won = (np.where(pairwise >= 0, 1.0, -1.0) @ sides + n_classes - 1) / 2
    margins = pairwise @ sides
    decision: NDArray[np.float64] = won + margins / (3 * (np.abs(margins) + 1))
    return decision
