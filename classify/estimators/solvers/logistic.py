"""Several regularised logistic regressions at once, on subsets of the same samples.

Most of the time goes into reading the features from memory. All problems share that: one product of
matrices serves every fold.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY = 10
"""Steps that L-BFGS remembers."""
MAX_STEPS = 1000
MAX_LINE_STEPS = 30
LINE_PRECISION = 0.01


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
    targets : ndarray of float64, shape (n_samples, 1, n_outputs)
        For two classes 1 for the second class and 0 for the first; else one column per class.
    shares : ndarray of float64, shape (n_samples, n_problems, 1)
        Sample weights of every problem, each scaled to a sum of one.
    sizes : ndarray of float64, shape (n_problems,)
        Sum of the sample weights of each problem.
    """

    X: NDArray[Any]
    centre: NDArray[np.float64]
    scale: float
    targets: NDArray[np.float64]
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
        targets = np.eye(codes.max() + 1)[codes]
        if targets.shape[1] == 2:
            targets = targets[:, 1:]
        sizes = sample_weights.sum(axis=1)
        shares = (sample_weights / sizes[:, None]).T[:, :, None]
        centre = X.mean(axis=0, dtype=np.float64)
        return cls(X, centre, scale, targets[:, None, :], shares, sizes)

    def zeros(self) -> NDArray[np.float64]:
        """Return coefficients of zero, ``(n_features + 1, n_problems, n_outputs)``.

        The last row is the intercepts.
        """
        n_problems, n_outputs = self.shares.shape[1], self.targets.shape[2]
        return np.zeros((self.X.shape[1] + 1, n_problems, n_outputs))

    def decision(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log odds of every sample, ``(n_samples, n_problems, n_outputs)``."""
        flat = coef[:-1].reshape(len(coef) - 1, -1)
        products: NDArray[np.float64] = (self.X @ flat.astype(self.X.dtype)).astype(np.float64)
        products -= self.centre @ flat
        products *= self.scale
        decision: NDArray[np.float64] = products.reshape(-1, *coef.shape[1:]) + coef[-1]
        return decision

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
            coef, decision = coef + step * direction, decision + step * change
            before = gradient
            gradient, rounding = self._gradient(coef, decision, penalty)
            history = [*history[1 - MEMORY :], (step * direction, gradient - before)]
        warnings.warn(
            f"logistic regression did not converge in {MAX_STEPS} steps",
            ConvergenceWarning,
            stacklevel=2,
        )
        return coef, decision

    def _probabilities(self, decision: NDArray[np.float64]) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = (
            expit(decision) if decision.shape[2] == 1 else softmax(decision, axis=2)
        )
        return probabilities

    def _gradient(
        self, coef: NDArray[np.float64], decision: NDArray[np.float64], penalty: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the gradient, and for every problem a bound on its rounding error."""
        residual = (self._probabilities(decision) - self.targets) * self.shares
        sums = residual.sum(axis=0)
        flat = residual.reshape(len(residual), -1).astype(self.X.dtype)
        products = (self.X.T @ flat).astype(np.float64)
        products -= np.outer(self.centre, sums)
        products *= self.scale
        gradient = np.empty_like(coef)
        gradient[:-1] = products.reshape(gradient[:-1].shape) + penalty[:, None] * coef[:-1]
        gradient[-1] = sums
        return gradient, 8 * np.finfo(self.X.dtype).eps * np.abs(residual).sum(axis=(0, 2))

    def _line_search(
        self,
        decision: NDArray[np.float64],
        change: NDArray[np.float64],
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
            probabilities = self._probabilities(decision + step[:, None] * change)
            weighted = probabilities * change
            first = ((probabilities - self.targets) * change * self.shares).sum(axis=(0, 2))
            first += slope + step * curvature
            bend = weighted * (change if change.shape[2] > 1 else change - weighted)
            if change.shape[2] > 1:
                bend -= weighted * weighted.sum(axis=2, keepdims=True)
            second = (bend * self.shares).sum(axis=(0, 2)) + curvature
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
