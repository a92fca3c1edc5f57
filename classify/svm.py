"""A support vector machine on frozen features, trained on their Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from cache.console import silent
from classify.base import Classifier
from classify.errors import ClassifierError
from classify.gram import KERNELS, Gram, Kernel, kernel, squared_norms
from classify.search import c_grid, class_scores, cross_validate, log_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cache.console import Progress
    from reports.record import Search


class SVM(Classifier):
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
    search_ : Search
        The cross-validation, for the report.

    Notes
    -----
    Probabilities come from temperature scaling (Guo et al., On Calibration of Modern Neural
    Networks, 2017): one positive factor, fitted by log loss on the class scores of the samples that
    were held out in the cross-validation. It cannot change which class comes first. Its targets are
    smoothed as in Platt (1999), or a perfect separation would ask for an endless factor.
    """

    consumes: ClassVar[Literal["embeddings", "images"]] = "embeddings"
    title: ClassVar[str] = "SVM on frozen features"

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        kernel: Literal["auto", "linear", "rbf"] = "auto",
        folds: int = 5,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.folds = folds
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
        gram = Gram.of(features)
        outcome = cross_validate(
            [{"kernel": name, "C": value} for name in kernels for value in values],
            partial(_score_fold, gram, codes, kernels, values),
            codes,
            folds=self.folds,
            seed=self.random_state,
            progress=progress,
            stage="SVM: choosing C" if len(kernels) == 1 else "SVM: choosing kernel and C",
            loss=_calibrated_loss,
        )
        self.search_: Search = outcome.record
        self.C_: float = outcome.chosen["C"]
        self.kernel_: Kernel = outcome.chosen["kernel"]
        self.temperature_ = _temperature(outcome.scores, codes)
        everything = np.arange(len(codes))
        self.scale_ = gram.scale
        self.gamma_ = gram.gamma(everything)
        within = gram.kernel(self.kernel_, everything, everything, self.gamma_)
        machine = next(_machines(within, codes, [self.C_]))
        self.support_ = machine.support
        self.support_vectors_: NDArray[np.float32] = features[machine.support]
        self.dual_coef_ = machine.dual_coef
        self.intercept_ = machine.intercept
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values, ``(n_samples,)`` for two classes, else one a class.

        They are those of `SVC`: the signed margin of the second class, or with more than two
        classes the number of duels won, refined by the margins.
        """
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        factor = np.float32(self.scale_**2)
        products = features @ self.support_vectors_.T
        products *= factor
        between = kernel(
            self.kernel_,
            products,
            squared_norms(features) * factor,
            squared_norms(self.support_vectors_) * factor,
            self.gamma_,
        )
        return _decision(between @ self.dual_coef_ + self.intercept_, len(self.classes_))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        scores = class_scores(self.decision_function(X))
        probabilities: NDArray[np.float64] = softmax(self.temperature_ * scores, axis=1)
        return probabilities


@dataclass(frozen=True)
class _Machine:
    """A trained machine: which samples it rests on, and how they decide every pair of classes."""

    support: NDArray[np.intp]
    dual_coef: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def decide(self, between: NDArray[Any]) -> NDArray[np.float64]:
        """Decide from the kernel between samples and support vectors, ``(n, n_pairs)``."""
        decided: NDArray[np.float64] = between @ self.dual_coef + self.intercept
        return decided


def _kernels(name: str) -> tuple[Kernel, ...]:
    if name == "auto":
        return KERNELS
    for known in KERNELS:
        if name == known:
            return (known,)
    raise ClassifierError(f"unknown kernel {name!r}; choose one of auto, {', '.join(KERNELS)}")


def _score_fold(
    gram: Gram,
    codes: NDArray[np.int64],
    kernels: Sequence[Kernel],
    values: Sequence[float],
    train: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the class scores of `held_out` for every kernel and C, trained on `train`."""
    scores = []
    gamma = gram.gamma(train)
    n_classes = int(codes.max()) + 1
    for name in kernels:
        between = gram.kernel(name, held_out, train, gamma)
        within = gram.kernel(name, train, train, gamma)
        for machine in _machines(within, codes[train], values):
            pairwise = machine.decide(between[:, machine.support])
            scores.append(class_scores(_decision(pairwise, n_classes)))
    return np.stack(scores)


def _machines(
    within: NDArray[np.float32], codes: NDArray[np.int64], values: Sequence[float]
) -> Iterator[_Machine]:
    """Train one machine for each of the ascending `values` of C on the kernel `within`."""
    precise = within.astype(np.float64)
    machine: _Machine | None = None
    bounded = True
    for value in values:
        # A machine that leaves every weight below its bound C is the solution for all larger C too.
        if machine is None or bounded:
            svc = SVC(C=value, kernel="precomputed").fit(precise, codes)
            machine = _Machine(svc.support_, _pairwise_coef(svc), svc.intercept_)
            bounded = bool(np.abs(svc.dual_coef_).max() >= value)
        yield machine


def _pairwise_coef(svc: SVC) -> NDArray[np.float64]:
    """Return the weights of the support vectors in every duel of two classes.

    libsvm stores for a support vector of one class its weights against the other classes in
    turn, the rows of `dual_coef_`, with its own class left out.
    """
    n_classes = len(svc.n_support_)
    if n_classes == 2:
        return np.ascontiguousarray(svc.dual_coef_.T)
    ends = np.cumsum(svc.n_support_)
    of_class = [slice(end - count, end) for end, count in zip(ends, svc.n_support_, strict=True)]
    pairs = list(combinations(range(n_classes), 2))
    coef = np.zeros((ends[-1], len(pairs)))
    for column, (first, second) in enumerate(pairs):
        coef[of_class[first], column] = svc.dual_coef_[second - 1, of_class[first]]
        coef[of_class[second], column] = svc.dual_coef_[first, of_class[second]]
    return coef


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


def _calibrated_loss(scores: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Return the log loss of the probabilities that `scores` become."""
    return log_loss(_temperature(scores, codes) * scores, codes)


def _temperature(scores: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Return the factor on `scores` that gives the least log loss on smoothed targets."""
    n_samples, n_classes = scores.shape
    doubt = 1.0 / (n_samples + 2)
    targets = np.full(scores.shape, doubt / (n_classes - 1))
    targets[np.arange(n_samples), codes] = 1.0 - doubt

    def loss(log_factor: float) -> float:
        return float(-(targets * log_softmax(np.exp(log_factor) * scores, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded").x))
