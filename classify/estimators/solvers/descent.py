"""Several regularised logistic regressions at once, on parts of the same samples.

A logistic regression spends its time on carrying the features through the processor. All that are
trained here share that: one product of matrices serves every fold.
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
MAX_STEPS = 1000
MAX_TRIALS = 30
LINE_PRECISION = 0.01


@dataclass(frozen=True)
class Problems:
    """Logistic regressions that differ in the samples they are trained on.

    Each minimises the mean of the log loss over its samples plus ``penalty / 2`` times the sum of
    the squared coefficients; the intercept is free. The features are centred and scaled on the
    way, and not copied for it.

    Attributes
    ----------
    X : ndarray of float32 or float64, shape (n_samples, n_features)
    centre : ndarray of float64, shape (n_features,)
    scale : float
        What is trained on is ``scale * (X - centre)``.
    targets : ndarray of float64, shape (n_samples, 1, n_outputs)
        The second class, 0 or 1, for two classes; else one column a class.
    shares : ndarray of float64, shape (n_samples, n_problems, 1)
        Weight of every sample in every problem; each problem's sum to one.
    sizes : ndarray of float64, shape (n_problems,)
        What the samples of each problem count together.
    """

    X: NDArray[Any]
    centre: NDArray[np.float64]
    scale: float
    targets: NDArray[np.float64]
    shares: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(
        cls, X: NDArray[Any], scale: float, codes: NDArray[np.int64], counts: NDArray[np.float64]
    ) -> Problems:
        """Make one problem of each row of `counts`, ``(n_problems, n_samples)``.

        They say how much every sample counts in it, as scikit-learn's `sample_weight`.
        """
        targets = np.eye(codes.max() + 1)[codes]
        if targets.shape[1] == 2:
            targets = targets[:, 1:]
        sizes = counts.sum(axis=1)
        shares = (counts / sizes[:, None]).T[:, :, None]
        centre = X.mean(axis=0, dtype=np.float64)
        return cls(X, centre, scale, targets[:, None, :], shares, sizes)

    def start(self) -> NDArray[np.float64]:
        """Return coefficients of zero, ``(n_features + 1, n_problems, n_outputs)``.

        The last row is the intercepts.
        """
        n_problems, n_outputs = self.shares.shape[1], self.targets.shape[2]
        return np.zeros((self.X.shape[1] + 1, n_problems, n_outputs))

    def scores(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log odds of every sample, ``(n_samples, n_problems, n_outputs)``."""
        flat = coef[:-1].reshape(len(coef) - 1, -1)
        products: NDArray[np.float64] = (self.X @ flat.astype(self.X.dtype)).astype(np.float64)
        products -= self.centre @ flat
        products *= self.scale
        scores: NDArray[np.float64] = products.reshape(-1, *coef.shape[1:]) + coef[-1]
        return scores

    def minimise(
        self, coef: NDArray[np.float64], C: float, precision: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Go from `coef` to the minimum.

        Parameters
        ----------
        coef : ndarray of float64
            As from `start`.
        C : float
            Scikit-learn's: the penalty is its inverse, divided by what the samples count together.
        precision : float
            Bound on the coefficients' distance from the best, relative to their length.

        Returns
        -------
        coef : ndarray of float64
        scores : ndarray of float64
            Theirs.

        Notes
        -----
        L-BFGS (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4). Along a line the
        scores change linearly, so that the lowest point on it is found without the features. The
        distance from the minimum is at most the length of the gradient divided by the penalty.
        """
        penalty = 1 / (C * self.sizes)
        scores = self.scores(coef)
        gradient, rounding = self._gradient(coef, scores, penalty)
        history: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for _ in range(MAX_STEPS):
            reached = precision * penalty * np.sqrt(_dot(coef[:-1], coef[:-1]))
            to_go = np.sqrt(_dot(gradient, gradient)) > np.maximum(reached, rounding)
            if not to_go.any():
                return coef, scores
            direction = _descent(gradient, history) * to_go[:, None]
            ahead = self.scores(direction)
            line = (_dot(coef[:-1], direction[:-1]), _dot(direction[:-1], direction[:-1]))
            step = self._lowest(scores, ahead, *(penalty * part for part in line))[:, None]
            coef, scores = coef + step * direction, scores + step * ahead
            before = gradient
            gradient, rounding = self._gradient(coef, scores, penalty)
            history = [*history[1 - MEMORY :], (step * direction, gradient - before)]
        warnings.warn(
            f"logistic regression did not converge in {MAX_STEPS} steps",
            ConvergenceWarning,
            stacklevel=2,
        )
        return coef, scores

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (
            expit(scores) if scores.shape[2] == 1 else softmax(scores, axis=2)
        )
        return found

    def _gradient(
        self, coef: NDArray[np.float64], scores: NDArray[np.float64], penalty: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the gradient, and for every problem how much of its length may be rounding."""
        residual = (self._probabilities(scores) - self.targets) * self.shares
        sums = residual.sum(axis=0)
        flat = residual.reshape(len(residual), -1).astype(self.X.dtype)
        products = (self.X.T @ flat).astype(np.float64)
        products -= np.outer(self.centre, sums)
        products *= self.scale
        gradient = np.empty_like(coef)
        gradient[:-1] = products.reshape(gradient[:-1].shape) + penalty[:, None] * coef[:-1]
        gradient[-1] = sums
        return gradient, 8 * np.finfo(self.X.dtype).eps * np.abs(residual).sum(axis=(0, 2))

    def _lowest(
        self,
        scores: NDArray[np.float64],
        ahead: NDArray[np.float64],
        slope: NDArray[np.float64],
        curvature: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return how far to go so that ``scores + step * ahead`` have the least loss.

        `slope` and `curvature` are those of the penalty, at a step of zero. Newton's method, kept
        between the longest step that was too short and the shortest that was too long.
        """
        step, low = np.ones(len(slope)), np.zeros(len(slope))
        high = np.full(len(slope), np.inf)
        for _ in range(MAX_TRIALS):
            found = self._probabilities(scores + step[:, None] * ahead)
            moved = found * ahead
            down = ((found - self.targets) * ahead * self.shares).sum(axis=(0, 2))
            down += slope + step * curvature
            bend = moved * (ahead if ahead.shape[2] > 1 else ahead - moved)
            if ahead.shape[2] > 1:
                bend -= moved * moved.sum(axis=2, keepdims=True)
            second = (bend * self.shares).sum(axis=(0, 2)) + curvature
            low, high = np.where(down < 0, step, low), np.where(down > 0, step, high)
            newton = step - down / np.maximum(second, np.finfo(float).tiny)
            middle = np.where(np.isfinite(high), (low + high) / 2, 4 * step)
            better = np.where(
                (newton > low) & (newton < np.minimum(high, 4 * step)), newton, middle
            )
            done = np.abs(better - step) <= LINE_PRECISION * step
            step = np.where(down == 0, step, better)
            if (done | (down == 0)).all():
                break
        return step


def _descent(
    gradient: NDArray[np.float64], history: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """Return the direction to go, from the last steps and how the gradient changed in them."""
    direction = -gradient
    parts = []
    for step, change in reversed(history):
        inner = _dot(step, change)
        # A problem that is solved takes no more steps, and has nothing to tell.
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
