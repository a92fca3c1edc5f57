"""Several regularised logistic regressions at once, on subsets of the same samples.

Most of the time goes into reading the features from memory. All problems share that: one product of
matrices serves every fold.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

R = TypeVar("R")

MEMORY = 10
"""Steps that L-BFGS remembers."""
MAX_STEPS = 1000
MAX_LINE_STEPS = 30
LINE_PRECISION = 0.01
BLOCK = 2**17
"""Probabilities that are computed together: about a MB, which stays in the processor's cache."""
LARGE = 2**22
"""Probabilities from which on threads are worth their cost, and precision costs too much."""


@dataclass(frozen=True)
class LogisticProblems:
    """Logistic regressions on the same samples with different sample weights.

    Each minimises the weighted mean of the log loss plus ``penalty / 2`` times the sum of the
    squared coefficients; the intercept is not penalised. The features are centred and scaled
    without a copy.

    Attributes
    ----------
    X : ndarray of float32 or float64, shape (n_samples, n_features)
    centre : ndarray of float64, shape (n_features,)
    scale : float
        The models are trained on ``scale * (X - centre)``.
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample.
    n_outputs : int
        One for two classes, for the log odds of the second; else one per class.
    shares : ndarray of float64, shape (n_samples, n_problems, 1)
        Sample weights of every problem, each scaled to a sum of one.
    sizes : ndarray of float64, shape (n_problems,)
        Sum of the sample weights of each problem.
    """

    X: NDArray[Any]
    centre: NDArray[np.float64]
    scale: float
    codes: NDArray[np.int64]
    n_outputs: int
    shares: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        X: NDArray[Any],
        scale: float,
        codes: NDArray[np.int64],
        sample_weights: NDArray[np.float64],
    ) -> LogisticProblems:
        """Create one problem for each row of `sample_weights`, ``(n_problems, n_samples)``."""
        n_classes = int(codes.max()) + 1
        sizes = sample_weights.sum(axis=1)
        shares = (sample_weights / sizes[:, None]).T[:, :, None]
        centre = X.mean(axis=0, dtype=np.float64)
        return cls(X, centre, scale, codes, 1 if n_classes == 2 else n_classes, shares, sizes)

    def zeros(self) -> NDArray[np.float64]:
        """Return coefficients of zero, ``(n_features + 1, n_problems, n_outputs)``.

        The last row is the intercepts.
        """
        return np.zeros((self.X.shape[1] + 1, self.shares.shape[1], self.n_outputs))

    def decision(self, coef: NDArray[np.float64]) -> NDArray[Any]:
        """Return the log odds of every sample, ``(n_samples, n_problems, n_outputs)``.

        They are float64, or as precise as the features if they are as many as `LARGE`.
        """
        flat = coef[:-1].reshape(len(coef) - 1, -1)
        products = (self.X @ flat.astype(self.X.dtype)).astype(self._dtype, copy=False)
        products -= (self.centre @ flat).astype(self._dtype)
        products *= self.scale
        decision: NDArray[Any] = products.reshape(-1, *coef.shape[1:])
        decision += coef[-1].astype(self._dtype)
        return decision

    @property
    def _dtype(self) -> np.dtype[Any]:
        large = self.shares.size * self.n_outputs >= LARGE
        return self.X.dtype if large else np.dtype(np.float64)

    def minimise(
        self, coef: NDArray[np.float64], C: float, precision: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coefficients at the minimum.

        Parameters
        ----------
        coef : ndarray of float64
            Where to start; shaped as `zeros`.
        C : float
            As in scikit-learn: the penalty is ``1 / (C * sizes)``.
        precision : float
            Largest distance of the coefficients from the optimum, relative to their length.

        Returns
        -------
        coef : ndarray of float64
        decision : ndarray of float64
            Their decision values, as from `decision`.

        Notes
        -----
        L-BFGS (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4). Along a line the
        decision values are linear, so the line search does not need the features. The distance from
        the optimum is at most the length of the gradient divided by the penalty.
        """
        penalty = 1 / (C * self.sizes)
        decision = self.decision(coef)
        gradient, rounding = self._gradient(coef, decision, penalty)
        history: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for _ in range(MAX_STEPS):
            tolerance = precision * penalty * np.sqrt(_dot(coef[:-1], coef[:-1]))
            unsolved = np.sqrt(_dot(gradient, gradient)) > np.maximum(tolerance, rounding)
            if not unsolved.any():
                return coef, decision
            direction = _lbfgs_direction(gradient, history) * unsolved[:, None]
            change = self.decision(direction)
            penalty_terms = (_dot(coef[:-1], direction[:-1]), _dot(direction[:-1], direction[:-1]))
            step = self._line_search(decision, change, *(penalty * term for term in penalty_terms))
            step = step[:, None]
            coef = coef + step * direction
            change *= step.astype(change.dtype)
            decision += change
            before = gradient
            gradient, rounding = self._gradient(coef, decision, penalty)
            history = [*history[1 - MEMORY :], (step * direction, gradient - before)]
        warnings.warn(
            f"logistic regression did not converge in {MAX_STEPS} steps",
            ConvergenceWarning,
            stacklevel=2,
        )
        return coef, decision

    def _gradient(
        self, coef: NDArray[np.float64], decision: NDArray[Any], penalty: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the gradient, and for every problem a bound on its rounding error."""
        flat = np.empty((len(decision), decision[0].size), dtype=self.X.dtype)

        def residual_of(rows: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            residual = _probabilities(decision[rows])
            if self.n_outputs == 1:
                residual -= self.codes[rows, None, None]
            else:
                residual[np.arange(len(residual)), :, self.codes[rows]] -= 1.0
            residual *= self.shares[rows]
            flat[rows] = residual.reshape(len(residual), -1)
            sums = residual.sum(axis=0, dtype=np.float64)
            return sums, np.abs(residual, out=residual).sum(axis=(0, 2), dtype=np.float64)

        parts = self._by_blocks(residual_of)
        sums, sizes = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
        products = (self.X.T @ flat).astype(np.float64)
        products -= np.outer(self.centre, sums)
        products *= self.scale
        gradient = np.empty_like(coef)
        gradient[:-1] = products.reshape(gradient[:-1].shape) + penalty[:, None] * coef[:-1]
        gradient[-1] = sums
        return gradient, 8 * np.finfo(self.X.dtype).eps * sizes

    def _line_search(
        self,
        decision: NDArray[Any],
        change: NDArray[Any],
        slope: NDArray[np.float64],
        curvature: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the steps at which ``decision + step * change`` has the lowest loss.

        `slope` and `curvature` are those of the penalty at a step of zero. Newton's method,
        bracketed between the longest step that was too short and the shortest that was too long.
        """
        step, low = np.ones(len(slope)), np.zeros(len(slope))
        high = np.full(len(slope), np.inf)
        for _ in range(MAX_LINE_STEPS):
            first, second = self._derivatives(decision, change, step)
            first += slope + step * curvature
            second += curvature
            low, high = np.where(first < 0, step, low), np.where(first > 0, step, high)
            newton = step - first / np.maximum(second, np.finfo(float).tiny)
            middle = np.where(np.isfinite(high), (low + high) / 2, 4 * step)
            bracketed = (newton > low) & (newton < np.minimum(high, 4 * step))
            next_step = np.where(bracketed, newton, middle)
            converged = np.abs(next_step - step) <= LINE_PRECISION * step
            step = np.where(first == 0, step, next_step)
            if (converged | (first == 0)).all():
                break
        return step

    def _derivatives(
        self, decision: NDArray[Any], change: NDArray[Any], step: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the first two derivatives of every problem's log loss by its step, at `step`."""
        steps = step[:, None].astype(decision.dtype)

        def derivatives_of(rows: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            moved, shares = change[rows], self.shares[rows, :, 0]
            weighted = _probabilities(decision[rows] + steps * moved)
            weighted *= moved
            if self.n_outputs == 1:
                mean = weighted[:, :, 0]
                of_target = moved[:, :, 0] * self.codes[rows, None]
                spread = mean * (moved[:, :, 0] - mean)
            else:
                mean = weighted.sum(axis=2)
                of_target = moved[np.arange(len(moved)), :, self.codes[rows]]
                spread = np.einsum("ijk,ijk->ij", weighted, moved) - mean**2
            return ((mean - of_target) * shares).sum(axis=0), (spread * shares).sum(axis=0)

        parts = self._by_blocks(derivatives_of)
        first, second = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
        return first, second

    def _by_blocks(self, function: Callable[[slice], R]) -> list[R]:
        """Call a function for blocks of samples; in threads if all of them are large."""
        width = self.shares.shape[1] * self.n_outputs
        step = max(1, BLOCK // width)
        blocks = [slice(start, start + step) for start in range(0, len(self.X), step)]
        if len(self.X) * width < LARGE:
            return [function(rows) for rows in blocks]
        with ThreadPoolExecutor(joblib.cpu_count()) as threads:
            return list(threads.map(function, blocks))


def _probabilities(decision: NDArray[Any]) -> NDArray[Any]:
    """Return the probabilities of the outputs, in a new array."""
    if decision.shape[2] == 1:
        odds: NDArray[Any] = expit(decision)
        return odds
    probabilities: NDArray[Any] = decision - decision.max(axis=2, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    return probabilities


def _lbfgs_direction(
    gradient: NDArray[np.float64], history: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """Return the search direction from the last steps and the changes of the gradient."""
    direction = -gradient
    parts = []
    for step, change in reversed(history):
        inner = _dot(step, change)
        # A solved problem has steps of zero, which say nothing.
        inverse = np.divide(1.0, inner, out=np.zeros_like(inner), where=inner > 0)
        part = inverse * _dot(step, direction)
        direction -= part[:, None] * change
        parts.append((inverse, part))
    if history:
        step, change = history[-1]
        inner, square = _dot(step, change), _dot(change, change)
        size = np.divide(inner, square, out=np.ones_like(inner), where=inner > 0)
        direction *= size[:, None]
    for (step, change), (inverse, part) in zip(history, reversed(parts), strict=True):
        direction += (part - inverse * _dot(change, direction))[:, None] * step
    return direction


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inner product for every problem."""
    product: NDArray[np.float64] = np.einsum("ijk,ijk->j", a, b)
    return product
