"""Support vector machines of every pair of more than two classes, trained by scikit-learn's `SVC`.

A sample has one weight for every other class, whatever the number of pairs, so the weights of all
SVMs are one matrix with a row per sample and a column per class. With many classes, neither the
weights nor the decision values of single pairs are ever in memory for all pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from classify.estimators.solvers.gram import Gram
from classify.estimators.solvers.working_set import LIMIT, TOLERANCE, PairwiseProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.solvers.gram import Kernel, Samples

# Samples whose decision values are computed at a time.
BLOCK = 128
# Samples whose kernel with all others is in memory at a time.
ROWS = 512


class OneVsOne:
    """The SVMs of all pairs of classes, for one of several ascending values of C at a time.

    Parameters
    ----------
    samples : Samples
        A `Gram` if two classes together have more than `LIMIT` samples.
    kernel : {"linear", "rbf"}
    codes : ndarray of int64, shape (n,)
        Class of every sample.
    class_weights : ndarray of float64, shape (n_classes,)
        Upper bound of a sample's weight by its class, as a multiple of C.
    rows : ndarray of intp, shape (n_rows,)
        The samples to train on, at least one of every class.
    values : sequence of float
        Ascending values of C.

    Attributes
    ----------
    rows : ndarray of intp, shape (n_rows,)
        The samples that are trained on, sorted by class.
    starts : ndarray of intp, shape (n_classes + 1,)
        Where each class begins in `rows`.
    weights : ndarray, shape (n_rows, n_classes)
        Weight of each of these samples in the SVM of its class and each other class; zero if it is
        not a support vector, and for its own class. Every training overwrites them. float64 for up
        to `LIMIT` samples, else float32.
    intercepts : ndarray of float64, shape (n_classes, n_classes)
        Of the decision values in favour of the first class; antisymmetric.

    Notes
    -----
    `SVC` trains all pairs within a group of classes in one call. All classes are one group if they
    have at most `LIMIT` samples. Otherwise they are divided so that every pair is in exactly one
    group (see `groups_of`); the kernel of a group is small, and is computed when it is needed.
    """

    def __init__(
        self,
        samples: Samples,
        kernel: Kernel,
        codes: NDArray[np.int64],
        class_weights: NDArray[np.float64],
        rows: NDArray[np.intp],
        values: Sequence[float],
    ) -> None:
        self.rows = rows[np.argsort(codes[rows], kind="stable")]
        sizes = np.bincount(codes[rows], minlength=len(class_weights))
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        exact = len(rows) <= LIMIT
        self.weights: NDArray[Any] = np.zeros(
            (len(rows), len(sizes)), dtype=np.float64 if exact else np.float32
        )
        self.intercepts = np.zeros((len(sizes), len(sizes)))
        self._samples, self._kernel, self._values = samples, kernel, values
        self._codes, self._costs = codes, class_weights[codes]
        self.gamma = samples.gamma(rows)
        self._changed = True
        self._paths = [self._path(group) for group in groups_of(sizes)]

    def training(self) -> list[Callable[[], object]]:
        """Return functions that together train for the next C, in any order and any thread."""
        self._changed = False
        return [path.__next__ for path in self._paths]

    @property
    def changed(self) -> bool:
        """Whether the last training changed an SVM: not if all weights are below their bounds."""
        return self._changed

    def decide(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the decision values of some samples, ``(len(rows), n_classes)``."""
        decision = np.empty((len(rows), len(self.intercepts)))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            values = self._samples.kernel(self._kernel, part, self.rows, self.gamma)
            decision[start : start + ROWS] = one_vs_one_decision(
                values.astype(self.weights.dtype, copy=False),
                self.weights,
                self.intercepts,
                self.starts,
            )
        return decision

    def _path(self, group: NDArray[np.intp]) -> Iterator[None]:
        within = np.concatenate([np.arange(*self.starts[code : code + 2]) for code in group])
        if len(within) > LIMIT and len(group) == 2:
            return self._path_of_large_pair(group, within)
        return self._path_of_group(group, within)

    def _path_of_group(self, group: NDArray[np.intp], within: NDArray[np.intp]) -> Iterator[None]:
        at_bound = True
        for C in self._values:
            # If all weights are below their bounds, the solution is the same for every larger C.
            if at_bound:
                at_bound = self._train_group(group, within, C)
                self._changed = True
            yield

    def _train_group(self, group: NDArray[np.intp], within: NDArray[np.intp], C: float) -> bool:
        """Train all pairs of a group; return whether a weight is at its bound."""
        rows = self.rows[within]
        costs = self._costs[rows]
        values = self._samples.kernel(self._kernel, rows, rows, self.gamma).astype(np.float64)
        svc = SVC(C=C, kernel="precomputed", tol=TOLERANCE)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            svc.fit(values, self._codes[rows], sample_weight=costs)
        weights = _weights_by_class(svc)
        self.weights[np.ix_(within, group)] = weights
        # The decision value of a single pair is in favour of the second class.
        self._set_intercepts(group, svc.intercept_ if len(group) > 2 else -svc.intercept_)
        return bool((weights >= C * costs[:, None] * (1 - 1e-9)).any())

    def _path_of_large_pair(
        self, pair: NDArray[np.intp], within: NDArray[np.intp]
    ) -> Iterator[None]:
        assert isinstance(self._samples, Gram)
        rows = self.rows[within]
        targets = np.zeros(len(self._codes))
        targets[rows] = np.where(self._codes[rows] == pair[0], 1.0, -1.0)
        nothing = np.empty(0, dtype=np.intp)  # `decide` computes the decision values
        problem = PairwiseProblem(
            self._samples, self._kernel, self.gamma, targets, self._costs, held_out=nothing
        )
        others = np.where(self._codes[rows] == pair[0], pair[1], pair[0])
        for svm in problem.train_path(self._values):
            self._changed = True
            self.weights[within, others] = np.abs(svm.weights[rows])
            self._set_intercepts(pair, np.array([svm.intercept]))
            yield

    def _set_intercepts(self, group: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        first, second = (group[side] for side in np.triu_indices(len(group), 1))
        self.intercepts[first, second] = values
        self.intercepts[second, first] = -values


def _weights_by_class(svc: SVC) -> NDArray[np.float64]:
    """Return the weight of every sample in the SVM of its class and each class, of a trained `SVC`.

    `SVC` has the support vectors sorted by class, and leaves out the class itself.
    """
    n_samples, n_classes = svc.shape_fit_[0], len(svc.classes_)
    weights = np.zeros((n_samples, n_classes))
    start = 0
    for code, number in enumerate(svc.n_support_):
        found = slice(start, start + number)
        others = np.delete(np.arange(n_classes), code)
        weights[np.ix_(svc.support_[found], others)] = np.abs(svc.dual_coef_[:, found].T)
        start += number
    return weights


def groups_of(sizes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Divide classes into groups so that every pair of classes is in exactly one of them.

    Parameters
    ----------
    sizes : ndarray of int, shape (n_classes,)
        Number of samples of each class.

    Returns
    -------
    list of ndarray of intp
        Ascending classes of each group. A group has at most `LIMIT` samples, unless it is a single
        pair.

    Notes
    -----
    The groups are the lines of a finite affine plane: classes are points ``(x, y)`` of a square
    whose side `q` is a prime number, and two points have exactly one line ``y = slope * x + start``
    (or ``x = constant``) modulo `q` in common. A line with too many samples is divided again.

    Examples
    --------
    >>> [group.tolist() for group in groups_of(np.array([1500, 1500, 1500, 1500]))]
    [[0, 1], [2, 3], [0, 2], [1, 3], [0, 3], [1, 2]]
    """
    n_classes = len(sizes)
    if sizes.sum() <= LIMIT or n_classes == 2:
        return [np.arange(n_classes)]
    side = int(np.ceil(np.sqrt(n_classes)))
    while any(side % divisor == 0 for divisor in range(2, side)):
        side += 1
    lines = [[side * x + y for y in range(side)] for x in range(side)]
    lines += [
        [side * x + (slope * x + start) % side for x in range(side)]
        for slope in range(side)
        for start in range(side)
    ]
    groups = []
    for points in lines:
        line = np.array([code for code in points if code < n_classes], dtype=np.intp)
        if len(line) > 1:
            groups += [line[group] for group in groups_of(sizes[line])]
    return groups


def one_vs_one_decision(
    kernel: NDArray[Any],
    weights: NDArray[Any],
    intercepts: NDArray[np.float64],
    starts: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the mean decision value of every class against each of the others.

    Parameters
    ----------
    kernel : ndarray, shape (n_rows, n_support)
        Between any samples and the support vectors, which are sorted by class.
    weights, intercepts, starts
        As in `OneVsOne`, of the support vectors; every class has at least one.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_classes)

    Notes
    -----
    `SVC` counts the pairs that a class wins. Nearly the same number is won wherever the sample
    lies, so wins say little about how sure a prediction is. The sum of the margins does, and takes
    one product of matrices, not one for each pair of classes.
    """
    decision = np.empty((len(kernel), len(intercepts)))
    sums = weights.sum(axis=1)
    for start in range(0, len(kernel), BLOCK):
        rows = kernel[start : start + BLOCK]
        for_class = np.add.reduceat(rows * sums, starts[:-1], axis=1)
        decision[start : start + BLOCK] = for_class - rows @ weights
    decision += intercepts.sum(axis=1)
    decision /= len(intercepts) - 1
    return decision


def votes_decision(
    kernel: NDArray[Any],
    weights: NDArray[Any],
    intercepts: NDArray[np.float64],
    starts: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the decision values of models of earlier versions; parameters as above.

    They are those of `SVC`: the pairs that a class wins, and less than a third for its margins. Of
    a tie, the first class wins.
    """
    n_classes = len(intercepts)
    margins = (n_classes - 1) * one_vs_one_decision(kernel, weights, intercepts, starts)
    decision: NDArray[np.float64] = margins / (3 * (np.abs(margins) + 1))
    columns = np.ascontiguousarray(kernel.T)
    for code in range(n_classes):
        own = slice(starts[code], starts[code + 1])
        against = np.add.reduceat(columns * weights[:, code, None], starts[:-1], axis=0)
        values = weights[own].T @ columns[own] - against + intercepts[code][:, None]
        decision[:, code] += (values[:code] > 0).sum(axis=0)
        decision[:, code] += (values[code + 1 :] >= 0).sum(axis=0)
    return decision


def from_pairs(
    coef: NDArray[np.float64], intercepts: NDArray[np.float64], n_classes: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Convert SVMs that have one column of weights for every pair of classes.

    Parameters
    ----------
    coef : ndarray of float64, shape (n_support, n_pairs)
        Positive for support vectors of the first class of the pair, negative for the second.
    intercepts : ndarray of float64, shape (n_pairs,)
    n_classes : int
        More than two.

    Returns
    -------
    order : ndarray of intp, shape (n_support,)
        The support vectors sorted by class.
    weights, intercepts
        As in `OneVsOne`, in this order.
    n_support : ndarray of intp, shape (n_classes,)
        Number of support vectors of each class.

    Raises
    ------
    ValueError
        If the arrays do not fit the number of classes.
    """
    n_pairs = n_classes * (n_classes - 1) // 2
    if coef.shape[1:] != (n_pairs,) or intercepts.shape != (n_pairs,):
        raise ValueError(
            f"expected weights and intercepts of {n_pairs:,} pairs of classes, found arrays of the "
            f"shapes {coef.shape} and {intercepts.shape}"
        )
    first, second = np.triu_indices(n_classes, 1)
    weights, codes = np.zeros((len(coef), n_classes)), np.zeros(len(coef), dtype=np.intp)
    square = np.zeros((n_classes, n_classes))
    for column, a, b, intercept in zip(coef.T, first, second, intercepts, strict=True):
        for code, other, of_class in ((a, b, column > 0), (b, a, column < 0)):
            weights[of_class, other] = np.abs(column[of_class])
            codes[of_class] = code
        square[a, b], square[b, a] = intercept, -intercept
    order = np.argsort(codes, kind="stable")
    return order, weights[order], square, np.bincount(codes, minlength=n_classes)
