"""Support vector machines of two classes, on a part of the samples at a time, C after C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.solvers.gram import Gram, Kernel

# Up to so many samples, all are trained on at once. Of more, so many are trained on to begin with:
# their kernel takes 128 MB in float64.
LIMIT = 4000
# Scikit-learn's own: how far the optimality conditions may be broken, in units of the margin.
TOLERANCE = 1e-3
# While the wrong samples are trained on, it is enough to be as precise as this.
ROUGH = 0.05

_OUT, _IN, _BOUNDED = 0, 1, 2


@dataclass(frozen=True)
class BinarySVM:
    """A trained machine of two classes.

    Attributes
    ----------
    weights : ndarray of float64, shape (n,)
        Of every sample of the Gram matrix; zero where it is no support vector.
    intercept : float
    decision : ndarray of float64, shape (n,)
        Decision value of every sample of the Gram matrix.
    """

    weights: NDArray[np.float64]
    intercept: float
    decision: NDArray[np.float64]


class PairwiseProblem:
    """Two classes to tell apart: trains the machines of ascending values of C.

    Every machine is the solution of `SVC`, by the rule that `SVC` stops by.

    Parameters
    ----------
    gram : Gram
    kernel : {"linear", "rbf"}
    gamma : float
    sides : ndarray of float64, shape (n,)
        1 for the samples of the positive class, -1 for those of the other, 0 for samples that have
        no part in the training.
    costs : ndarray of float64, shape (n,)
        What every sample counts: its weight is at most C times that. The same within a class.

    Notes
    -----
    Most samples are either far on their side of the margin, with weight zero, or far on the wrong
    one, with the largest weight. `SVC` need only be asked about the others. What those of the
    largest weight contribute is added up, class by class, and given to it as one more sample each,
    of the weight of all of them. Then the optimality conditions are checked on all samples; where
    they are broken, samples are taken in, and `SVC` is asked again. This is the decomposition of
    Osuna, Freund and Girosi (An improved training algorithm for support vector machines, 1997),
    but for those sums.
    """

    def __init__(
        self,
        gram: Gram,
        kernel: Kernel,
        gamma: float,
        sides: NDArray[np.float64],
        costs: NDArray[np.float64],
    ) -> None:
        self._gram, self._kernel, self._gamma, self._sides = gram, kernel, gamma, sides
        self._costs = costs
        self._part = np.flatnonzero(sides)
        self._state = np.full(len(sides), _OUT, dtype=np.int8)
        self._sums = {side: np.zeros(len(sides)) for side in (1.0, -1.0)}
        self._weights = np.zeros(len(sides))  # without their signs
        self._C = 0.0
        self._everything: NDArray[np.float64] | None = None

    def machines(self, values: Sequence[float]) -> Iterator[BinarySVM]:
        """Train one machine for each of the ascending `values` of C."""
        machine: BinarySVM | None = None
        for C in values:
            # A machine that leaves every weight below C is the solution for all larger C too.
            if machine is None or self._at_bound.any():
                machine = self._train(C, machine)
            yield machine

    def _train(self, C: float, last: BinarySVM | None) -> BinarySVM:
        if len(self._part) <= LIMIT:
            self._C = C
            self._state[self._part] = _IN
            products, intercept = self._ask(TOLERANCE)
            return BinarySVM(self._weights * self._sides, intercept, products + intercept)
        if last is None:
            self._guess(C)
        else:
            self._aim(self._sides * last.decision, self._at_bound, self._between)
        self._C = C
        products, intercept = self._improve()
        return BinarySVM(self._weights * self._sides, intercept, products + intercept)

    def _improve(self) -> tuple[NDArray[np.float64], float]:
        """Take samples in until the optimality conditions hold for all of them.

        Returns
        -------
        products : ndarray of float64, shape (n,)
            The decision values of all samples, without the intercept.
        intercept : float
        """
        droppable = np.ones(len(self._sides), dtype=bool)
        precision = ROUGH
        while True:
            products, intercept = self._ask(precision)
            residual = self._sides - products
            rising, falling = self._movable()
            highest, lowest = residual[rising].max(), residual[falling].min()
            breach = np.maximum(
                np.where(rising, residual - intercept, 0.0),
                np.where(falling, intercept - residual, 0.0),
            )
            breach[self._state == _IN] = 0.0
            broken = np.flatnonzero(breach > TOLERANCE / 2)
            exhausted = precision <= TOLERANCE / 2 and not len(broken)
            if highest - lowest <= TOLERANCE or exhausted:
                break
            margins = self._sides * (products + intercept)
            self._take_in(broken[np.argsort(-breach[broken])], margins, droppable)
            precision = min(ROUGH, max((highest - lowest) / 20, TOLERANCE / 2))
        between = self._between
        middle = residual[between].mean() if between.any() else (highest + lowest) / 2
        return products, float(middle)

    @property
    def _at_bound(self) -> NDArray[np.bool_]:
        bounds = self._C * self._costs
        at_bound: NDArray[np.bool_] = (self._weights >= bounds * (1 - 1e-9)) & (self._sides != 0)
        return at_bound

    @property
    def _between(self) -> NDArray[np.bool_]:
        return (self._weights > 0) & ~self._at_bound

    def _movable(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whose signed weight could be larger, and whose could be smaller."""
        first, second = self._sides < 0, self._sides > 0
        below, above = ~self._at_bound, self._weights > 0
        return second & below | first & above, first & below | second & above

    def _ask(self, precision: float) -> tuple[NDArray[np.float64], float]:
        """Have `SVC` train on the samples that are in, and set the weights of all.

        Returns
        -------
        products, intercept
            As in `_improve`.
        """
        chosen = np.flatnonzero(self._state == _IN)
        summed = {
            side: held
            for side in self._sums
            if len(held := np.flatnonzero((self._state == _BOUNDED) & (self._sides == side)))
        }
        counts = [self._costs[held].sum() for held in summed.values()]
        within = self._within(chosen, summed)
        svc = SVC(C=self._C, kernel="precomputed", tol=precision, cache_size=1000).fit(
            within,
            np.append(self._sides[chosen], list(summed)),
            sample_weight=np.append(self._costs[chosen], counts),
        )
        coef = np.zeros(len(within))
        coef[svc.support_] = svc.dual_coef_[0]
        carriers = np.flatnonzero(coef[: len(chosen)])
        products = self._gram.combine(self._kernel, coef[carriers], chosen[carriers], self._gamma)
        self._weights[:] = 0.0
        self._weights[chosen] = np.abs(coef[: len(chosen)])
        for (side, held), weight in zip(summed.items(), coef[len(chosen) :], strict=True):
            products += weight / len(held) * self._sums[side]
            self._weights[held] = abs(weight) / len(held)
        return products, float(svc.intercept_[0])

    def _within(
        self, chosen: NDArray[np.intp], summed: dict[float, NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """Return the kernel within the chosen samples and the means of the summed ones."""
        n_chosen = len(chosen)
        if n_chosen == len(self._part) and self._everything is not None:
            return self._everything
        within = np.empty((n_chosen + len(summed),) * 2)
        within[:n_chosen, :n_chosen] = self._gram.kernel(self._kernel, chosen, chosen, self._gamma)
        for i, (side, held) in enumerate(summed.items(), n_chosen):
            means = self._sums[side] / len(held)
            within[i, :n_chosen] = within[:n_chosen, i] = means[chosen]
            for j, others in enumerate(summed.values(), n_chosen):
                within[i, j] = means[others].mean()
        if n_chosen == len(self._part):
            self._everything = within
        return within

    def _guess(self, C: float) -> None:
        """Aim by a machine that is trained on some samples, of as much weight as all."""
        step = -(-2 * len(self._part) // LIMIT)
        for side in self._sums:
            self._state[np.flatnonzero(self._sides == side)[::step]] = _IN
        self._C = C * len(self._part) / np.count_nonzero(self._state == _IN)
        products, intercept = self._ask(ROUGH)
        margins = self._sides * (products + intercept)
        self._aim(margins, (margins < 1.0) & (self._sides != 0), np.zeros(len(margins), dtype=bool))

    def _aim(
        self,
        margins: NDArray[np.float64],
        at_bound: NDArray[np.bool_],
        between: NDArray[np.bool_],
    ) -> None:
        """Take in the samples whose weights will change most likely, by an earlier machine."""
        state = np.full(len(self._sides), _OUT, dtype=np.int8)
        state[at_bound] = _BOUNDED
        if np.count_nonzero(at_bound | between) <= LIMIT * 3 // 4:
            # Few enough to do without sums, which are less precise.
            state[at_bound] = _IN
            room = LIMIT // 4
        else:
            room = max(LIMIT // 2 - int(np.count_nonzero(between)), LIMIT // 8)
        state[between] = _IN
        for side in self._sums:
            self._add_nearest(state, np.flatnonzero(self._sides == side), margins, room // 2)
        self._arrange(state)

    def _take_in(
        self,
        broken: NDArray[np.intp],
        margins: NDArray[np.float64],
        droppable: NDArray[np.bool_],
    ) -> None:
        """Take in the first of the samples that break the conditions, and the next near the margin.

        Others make room, each of them once only, so that there is an end.
        """
        state = self._state.copy()
        chosen = np.flatnonzero(state == _IN)
        room = LIMIT - len(chosen)
        if room < len(broken):
            at_bound = self._at_bound[chosen]
            right = np.where(at_bound, margins[chosen] < 1, margins[chosen] > 1)
            idle = chosen[right & (at_bound | (self._weights[chosen] == 0)) & droppable[chosen]]
            idle = idle[np.argsort(np.abs(margins[idle] - 1))][LIMIT // 4 :]
            state[idle] = np.where(self._weights[idle] > 0, _BOUNDED, _OUT)
            droppable[idle] = False
            room = max(room + len(idle), LIMIT // 2)
        state[broken[:room]] = _IN
        self._add_nearest(state, self._part, margins, LIMIT // 8 - len(broken))
        self._arrange(state)

    def _add_nearest(
        self,
        state: NDArray[np.int8],
        among: NDArray[np.intp],
        margins: NDArray[np.float64],
        n_added: int,
    ) -> None:
        """Mark as in those `n_added` samples that are nearest to the margin and are not in yet."""
        others = among[state[among] != _IN]
        state[others[np.argsort(np.abs(margins[others] - 1))[: max(0, n_added)]]] = _IN

    def _arrange(self, state: NDArray[np.int8]) -> None:
        """Put every sample into its new state, and keep the sums up to date."""
        was, becomes = self._state == _BOUNDED, state == _BOUNDED
        for side in self._sums:
            held = np.flatnonzero(becomes & (self._sides == side))
            changed = np.flatnonzero((was != becomes) & (self._sides == side))
            if len(held) <= len(changed):
                self._sums[side] = self._sum(np.ones(len(held)), held)
            else:
                self._sums[side] += self._sum(np.where(becomes[changed], 1.0, -1.0), changed)
        self._state = state

    def _sum(self, weights: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._gram.combine(self._kernel, weights, rows, self._gamma)
