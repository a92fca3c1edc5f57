"""Support vector machines of two classes, trained on a working set of the samples."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.solvers.gram import Gram, Kernel

# Largest size of the working set; its kernel takes 128 MB in float64. Up to so many samples are all
# trained on at once.
LIMIT = 4000
# The default of `SVC`: largest violation of the optimality conditions, in units of the margin.
TOLERANCE = 1e-3
# Enough while the working set is not the right one yet.
ROUGH_TOLERANCE = 0.05

# Where a sample is: its weight is zero, in the working set, or at its bound and part of a sum.
_ZERO, _WORKING, _SUMMED = 0, 1, 2


@dataclass(frozen=True)
class BinarySVM:
    """A trained SVM of two classes.

    Attributes
    ----------
    weights : ndarray of float64, shape (n,)
        Weight of every sample of the Gram matrix; zero if it is not a support vector.
    intercept : float
    decision : ndarray of float64, shape (n_held_out,)
        Decision values of the samples that are held out.
    """

    weights: NDArray[np.float64]
    intercept: float
    decision: NDArray[np.float64]


def _train_svc(
    C: float,
    kernel: NDArray[np.float64],
    targets: NDArray[np.float64],
    costs: NDArray[np.float64],
    tolerance: float,
) -> tuple[NDArray[np.float64], float]:
    """Return the signed weight of every sample, and the intercept."""
    svc = SVC(C=C, kernel="precomputed", tol=tolerance, cache_size=1000)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        svc.fit(kernel, targets, sample_weight=costs)
    coef = np.zeros(len(kernel))
    coef[svc.support_] = svc.dual_coef_[0]
    return coef, float(svc.intercept_[0])


class PairwiseProblem:
    """The SVMs of two classes for ascending values of C.

    Every SVM is the solution of `SVC`, with the stopping rule of `SVC`.

    Parameters
    ----------
    gram : Gram
    kernel : {"linear", "rbf"}
    gamma : float
    targets : ndarray of float64, shape (n,)
        1 for the samples of the positive class, -1 for those of the other, 0 for samples that are
        not trained on.
    costs : ndarray of float64, shape (n,)
        Upper bound of the weight of every sample, as a multiple of C; the same within a class.
    held_out : ndarray of intp, shape (n_held_out,)
        The samples whose decision values are wanted.

    Notes
    -----
    Most samples are either far on the right side of the margin, with weight zero, or far on the
    wrong side, with their weight at its bound. `SVC` is trained on the others only, the working
    set. The contribution of the samples at their bound is summed by class, and each sum is passed
    to `SVC` as one more sample with the weight of all of them. Then the optimality conditions are
    checked on all samples; those that violate them join the working set, and `SVC` is trained
    again. This is the decomposition of Osuna, Freund and Girosi (An improved training algorithm for
    support vector machines, 1997), with sums in addition.
    """

    def __init__(
        self,
        gram: Gram,
        kernel: Kernel,
        gamma: float,
        targets: NDArray[np.float64],
        costs: NDArray[np.float64],
        held_out: NDArray[np.intp],
    ) -> None:
        self._gram, self._kernel, self._gamma, self._targets = gram, kernel, gamma, targets
        self._costs, self._held_out = costs, held_out
        self._samples = np.flatnonzero(targets)
        self._state = np.full(len(targets), _ZERO, dtype=np.int8)
        self._sums = {target: np.zeros(len(targets)) for target in (1.0, -1.0)}
        self._weights = np.zeros(len(targets))  # absolute values
        self._C = 0.0
        self._decision: NDArray[np.float64] | None = None  # of all samples

    def train_path(self, values: Sequence[float]) -> Iterator[BinarySVM]:
        """Yield one SVM for each of the ascending `values` of C."""
        svm: BinarySVM | None = None
        for C in values:
            # If all weights are below their bounds, the solution is the same for every larger C.
            if svm is None or self._at_bound.any():
                few = len(self._samples) <= LIMIT
                svm = self._train_on_all(C) if few else self._train_on_some(C)
            yield svm

    def _train_on_all(self, C: float) -> BinarySVM:
        samples, self._C = self._samples, C
        targets, costs = self._targets[samples], self._costs[samples]
        largest, intercept_by_C = self._all_at_bound
        if largest >= C:
            coef, intercept = C * costs * targets, C * intercept_by_C
        else:
            coef, intercept = _train_svc(C, self._kernel_within, targets, costs, TOLERANCE)
        self._weights[samples] = np.abs(coef)
        decision = self._kernel_held_out @ coef + intercept
        return BinarySVM(self._weights * self._targets, intercept, decision)

    @functools.cached_property
    def _all_at_bound(self) -> tuple[float, float]:
        """Return up to which C all weights are at their bounds, and the intercept divided by C."""
        targets, costs = self._targets[self._samples], self._costs[self._samples]
        # Of unequal classes, the larger one has weights below their bounds, if only by rounding.
        if targets.sum() != 0.0 or np.ptp(costs) > 0.0:
            return 0.0, 0.0
        products = self._kernel_within @ (targets * costs)
        highest, lowest = products[targets > 0].max(), products[targets < 0].min()
        return 2.0 / max(highest - lowest, np.finfo(float).tiny), -(highest + lowest) / 2

    @functools.cached_property
    def _kernel_within(self) -> NDArray[np.float64]:
        return self._kernel_between(self._samples, self._samples)

    @functools.cached_property
    def _kernel_held_out(self) -> NDArray[np.float64]:
        return self._kernel_between(self._held_out, self._samples)

    def _kernel_between(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        return self._gram.kernel(self._kernel, rows, columns, self._gamma).astype(np.float64)

    def _train_on_some(self, C: float) -> BinarySVM:
        if self._decision is None:
            self._start(C)
        else:
            self._choose_working_set(self._targets * self._decision, self._at_bound, self._free)
        self._C = C
        products, intercept = self._train_working_set()
        self._decision = products + intercept
        weights, held_out = self._weights * self._targets, self._held_out
        return BinarySVM(weights, intercept, self._decision[held_out])

    def _train_working_set(self) -> tuple[NDArray[np.float64], float]:
        """Extend the working set until the optimality conditions hold for all samples.

        Returns
        -------
        products : ndarray of float64, shape (n,)
            Decision values of all samples, without the intercept.
        intercept : float
        """
        droppable = np.ones(len(self._targets), dtype=bool)
        tolerance = ROUGH_TOLERANCE
        while True:
            products, intercept = self._solve(tolerance)
            residual = self._targets - products
            rising, falling = self._movable()
            highest, lowest = residual[rising].max(), residual[falling].min()
            violation = np.maximum(
                np.where(rising, residual - intercept, 0.0),
                np.where(falling, intercept - residual, 0.0),
            )
            violation[self._state == _WORKING] = 0.0
            violating = np.flatnonzero(violation > TOLERANCE / 2)
            exhausted = tolerance <= TOLERANCE / 2 and not len(violating)
            if highest - lowest <= TOLERANCE or exhausted:
                break
            margins = self._targets * (products + intercept)
            self._extend(violating[np.argsort(-violation[violating])], margins, droppable)
            tolerance = min(ROUGH_TOLERANCE, max((highest - lowest) / 20, TOLERANCE / 2))
        free = self._free
        middle = residual[free].mean() if free.any() else (highest + lowest) / 2
        return products, float(middle)

    @property
    def _at_bound(self) -> NDArray[np.bool_]:
        bounds = self._C * self._costs
        at_bound: NDArray[np.bool_] = (self._weights >= bounds * (1 - 1e-9)) & (self._targets != 0)
        return at_bound

    @property
    def _free(self) -> NDArray[np.bool_]:
        return (self._weights > 0) & ~self._at_bound

    def _movable(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which signed weights could be larger, and which could be smaller."""
        first, second = self._targets < 0, self._targets > 0
        below, above = ~self._at_bound, self._weights > 0
        return second & below | first & above, first & below | second & above

    def _solve(self, tolerance: float) -> tuple[NDArray[np.float64], float]:
        """Train `SVC` on the working set and the sums, and set the weights of all samples.

        Returns
        -------
        products, intercept
            As in `_train_working_set`.
        """
        chosen = np.flatnonzero(self._state == _WORKING)
        summed = {
            target: held
            for target in self._sums
            if len(held := np.flatnonzero((self._state == _SUMMED) & (self._targets == target)))
        }
        counts = [self._costs[held].sum() for held in summed.values()]
        coef, intercept = _train_svc(
            self._C,
            self._working_kernel(chosen, summed),
            np.append(self._targets[chosen], list(summed)),
            np.append(self._costs[chosen], counts),
            tolerance,
        )
        carriers = np.flatnonzero(coef[: len(chosen)])
        products = self._gram.combine(self._kernel, coef[carriers], chosen[carriers], self._gamma)
        self._weights[:] = 0.0
        self._weights[chosen] = np.abs(coef[: len(chosen)])
        for (target, held), weight in zip(summed.items(), coef[len(chosen) :], strict=True):
            products += weight / len(held) * self._sums[target]
            self._weights[held] = abs(weight) / len(held)
        return products, intercept

    def _working_kernel(
        self, chosen: NDArray[np.intp], summed: dict[float, NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """Return the kernel of the working set and the means of the sums."""
        n_chosen = len(chosen)
        within = np.empty((n_chosen + len(summed),) * 2)
        within[:n_chosen, :n_chosen] = self._gram.kernel(self._kernel, chosen, chosen, self._gamma)
        for i, (target, held) in enumerate(summed.items(), n_chosen):
            means = self._sums[target] / len(held)
            within[i, :n_chosen] = within[:n_chosen, i] = means[chosen]
            for j, others in enumerate(summed.values(), n_chosen):
                within[i, j] = means[others].mean()
        return within

    def _start(self, C: float) -> None:
        """Choose a working set by an SVM of a subset of the samples, with the weight of all."""
        step = -(-2 * len(self._samples) // LIMIT)
        for target in self._sums:
            self._state[np.flatnonzero(self._targets == target)[::step]] = _WORKING
        self._C = C * len(self._samples) / np.count_nonzero(self._state == _WORKING)
        products, intercept = self._solve(ROUGH_TOLERANCE)
        margins = self._targets * (products + intercept)
        self._choose_working_set(
            margins, (margins < 1.0) & (self._targets != 0), np.zeros(len(margins), dtype=bool)
        )

    def _choose_working_set(
        self,
        margins: NDArray[np.float64],
        at_bound: NDArray[np.bool_],
        free: NDArray[np.bool_],
    ) -> None:
        """Choose the samples whose weights are most likely to change, by an earlier SVM."""
        state = np.full(len(self._targets), _ZERO, dtype=np.int8)
        state[at_bound] = _SUMMED
        if np.count_nonzero(at_bound | free) <= LIMIT * 3 // 4:
            # Few enough to work without sums, which are less precise.
            state[at_bound] = _WORKING
            room = LIMIT // 4
        else:
            room = max(LIMIT // 2 - int(np.count_nonzero(free)), LIMIT // 8)
        state[free] = _WORKING
        for target in self._sums:
            self._add_nearest(state, np.flatnonzero(self._targets == target), margins, room // 2)
        self._set_state(state)

    def _extend(
        self,
        violating: NDArray[np.intp],
        margins: NDArray[np.float64],
        droppable: NDArray[np.bool_],
    ) -> None:
        """Add the first violating samples to the working set, and those nearest to the margin.

        Others are dropped for them, each only once, so that the loop ends.
        """
        state = self._state.copy()
        chosen = np.flatnonzero(state == _WORKING)
        room = LIMIT - len(chosen)
        if room < len(violating):
            at_bound = self._at_bound[chosen]
            right = np.where(at_bound, margins[chosen] < 1, margins[chosen] > 1)
            idle = chosen[right & (at_bound | (self._weights[chosen] == 0)) & droppable[chosen]]
            idle = idle[np.argsort(np.abs(margins[idle] - 1))][LIMIT // 4 :]
            state[idle] = np.where(self._weights[idle] > 0, _SUMMED, _ZERO)
            droppable[idle] = False
            room = max(room + len(idle), LIMIT // 2)
        state[violating[:room]] = _WORKING
        self._add_nearest(state, self._samples, margins, LIMIT // 8 - len(violating))
        self._set_state(state)

    def _add_nearest(
        self,
        state: NDArray[np.int8],
        among: NDArray[np.intp],
        margins: NDArray[np.float64],
        n_added: int,
    ) -> None:
        """Add the `n_added` samples nearest to the margin that are not in the working set yet."""
        others = among[state[among] != _WORKING]
        state[others[np.argsort(np.abs(margins[others] - 1))[: max(0, n_added)]]] = _WORKING

    def _set_state(self, state: NDArray[np.int8]) -> None:
        """Set the state of every sample, and update the sums."""
        was, becomes = self._state == _SUMMED, state == _SUMMED
        for target in self._sums:
            held = np.flatnonzero(becomes & (self._targets == target))
            changed = np.flatnonzero((was != becomes) & (self._targets == target))
            if len(held) <= len(changed):
                self._sums[target] = self._kernel_sum(np.ones(len(held)), held)
            else:
                self._sums[target] += self._kernel_sum(
                    np.where(becomes[changed], 1.0, -1.0), changed
                )
        self._state = state

    def _kernel_sum(
        self, weights: NDArray[np.float64], rows: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        return self._gram.combine(self._kernel, weights, rows, self._gamma)
