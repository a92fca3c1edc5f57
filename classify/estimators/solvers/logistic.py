"""Several regularised logistic regressions at once, on subsets of the same samples.

Most of the time goes into reading the features, or their inner products, from memory. All problems
share that: one product of matrices serves every fold.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from classify.estimators.solvers.lbfgs import History, Minimum, Path

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

R = TypeVar("R")

MEMORY, CARRIED = (10, 20), 2**26
"""Fewest and most steps that L-BFGS remembers, and how many bytes more than the fewest may take. A
path goes on with the next C if all of it takes no more."""
MAX_STEPS = 1000
MAX_LINE_STEPS = 30
LINE_PRECISION = 0.01
BLOCK = 2**17
"""Probabilities that are computed together: about a MB, which stays in the processor's cache."""
LARGE = 2**22
"""Probabilities from which on threads are worth their cost, and precision costs too much."""


@dataclass(frozen=True)
class Problems(ABC):
    """Logistic regressions on the same samples with different sample weights.

    Each minimises the weighted mean of the log loss plus ``penalty / 2`` times the sum of the
    squared coefficients; the intercept is not penalised.

    Attributes
    ----------
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample.
    n_outputs : int
        One for two classes, for the log odds of the second; else one per class.
    shares : ndarray of float64, shape (n_samples, n_problems, 1)
        Sample weights of every problem, each scaled to a sum of one.
    sizes : ndarray of float64, shape (n_problems,)
        Sum of the sample weights of each problem.
    """

    codes: NDArray[np.int64]
    n_outputs: int
    shares: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Of the features or their inner products."""

    @abstractmethod
    def zeros(self) -> NDArray[Any]:
        """Return coefficients of zero, ``(n_rows, n_problems, n_outputs)``.

        The last row is the intercepts.
        """

    @abstractmethod
    def decision(self, coef: NDArray[Any]) -> NDArray[Any]:
        """Return the log odds of every sample, a new array ``(n_samples, n_problems, n_outputs)``.

        They are float64, or as precise as the features if they are as many as `LARGE`.
        """

    def renewed(self, coef: NDArray[Any]) -> NDArray[Any]:
        """Return coefficients that other problems found on the same samples, less precisely."""
        return coef

    @abstractmethod
    def _gradient_of(
        self,
        residual: NDArray[Any],
        sums: NDArray[np.float64],
        coef: NDArray[Any],
        penalty: NDArray[np.float64],
    ) -> NDArray[Any]:
        """Return the gradient by `coef`, from the derivatives of the loss by decision values.

        `residual` is in `dtype`, ``(n_samples, n_problems * n_outputs)``; `sums` are those of its
        columns, ``(n_problems, n_outputs)``.
        """

    @abstractmethod
    def _inner(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Return the inner product of the coefficients of every problem, without intercepts."""

    @abstractmethod
    def _inner_products(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Return the inner products of flattened vectors; see `lbfgs.InnerProducts`."""

    @property
    def _dtype(self) -> np.dtype[Any]:
        large = self.shares.size * self.n_outputs >= LARGE
        return self.dtype if large else np.dtype(np.float64)

    def minimise(
        self, coef: NDArray[Any], C: float, precision: float, path: Path | None = None
    ) -> Minimum:
        """Find the minimum.

        Parameters
        ----------
        coef : ndarray of float
            Where to start; shaped as `zeros`.
        C : float
            As in scikit-learn: the penalty is ``1 / (C * sizes)``.
        precision : float
            Largest distance of the coefficients from the optimum, relative to their length.
        path : Path, optional
            From the minimum at `coef`, for the C before.

        Returns
        -------
        Minimum

        Notes
        -----
        L-BFGS. Along a line the decision values are linear, so the line search does not need the
        features. The distance from the optimum is at most the length of the gradient divided by the
        penalty.

        From one C to the next, only the penalty changes, so the gradient is known, and what L-BFGS
        remembers is nearly right. The first step goes on in the direction of the last minimum from
        the one before.
        """
        penalty = 1 / (C * self.sizes)
        if path is None:
            path = self._path(coef, penalty)
        start, direction, rise = coef, path.step, penalty - path.penalty
        decision, rounding, history = path.decision, path.rounding, path.history
        gradient = path.gradient + self._without_intercepts(coef, rise)
        del path  # and with it arrays that are replaced
        for _ in range(MAX_STEPS):
            tolerance = precision * penalty * self._length(self._inner(coef, coef))
            length = self._length(self._dot(gradient, gradient))
            unsolved = length > np.maximum(tolerance, rounding)
            if not unsolved.any():
                break
            if direction is None or (self._dot(gradient, direction) >= 0).any():
                direction = self._unflattened(history.direction(self._flattened(gradient)))
            direction = direction * unsolved[:, None]
            change = self.decision(direction)
            penalty_terms = (self._inner(coef, direction), self._inner(direction, direction))
            size = self._line_search(decision, change, *(penalty * term for term in penalty_terms))
            step = size[:, None] * direction
            coef = coef + step
            change *= size[:, None].astype(change.dtype)
            change += decision
            decision = change
            before, direction = gradient, None
            gradient, rounding = self._gradient(coef, decision, penalty)
            history.add(self._flattened(step), self._flattened(gradient - before))
        else:
            warnings.warn(
                f"logistic regression did not converge in {MAX_STEPS} steps",
                ConvergenceWarning,
                stacklevel=2,
            )
        if history.nbytes + decision.nbytes + gradient.nbytes + coef.nbytes > CARRIED:
            return Minimum(coef, decision, None)
        path = Path(penalty, decision, gradient, rounding, history, coef - start)
        return Minimum(coef, decision, path)

    def _path(self, coef: NDArray[Any], penalty: NDArray[np.float64]) -> Path:
        """Return the beginning of a path."""
        decision = self.decision(coef)
        gradient, rounding = self._gradient(coef, decision, penalty)
        n_kept = min(MEMORY[1], max(MEMORY[0], CARRIED // (2 * coef.size * self.dtype.itemsize)))
        shape = coef.shape[1], coef[:, 0].size
        history = History(n_kept, shape, self.dtype, self._inner_products)
        return Path(penalty, decision, gradient, rounding, history, step=None)

    def _gradient(
        self, coef: NDArray[Any], decision: NDArray[Any], penalty: NDArray[np.float64]
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the gradient, and for every problem a bound on its rounding error."""
        flat = np.empty((len(decision), decision[0].size), dtype=self.dtype)

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
        gradient = self._gradient_of(flat, sums, coef, penalty)
        return gradient, 8 * np.finfo(self.dtype).eps * sizes

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
        step, low, high = (np.full(len(slope), start) for start in (1.0, 0.0, np.inf))
        for _ in range(MAX_LINE_STEPS):
            first, second = self._derivatives(decision, change, step)
            first += slope + step * curvature
            second += curvature
            low, high = np.where(first < 0, step, low), np.where(first > 0, step, high)
            smallest = np.finfo(float).eps * np.abs(first) + np.finfo(float).tiny
            newton = step - first / np.maximum(second, smallest)
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

    @staticmethod
    def _flattened(vectors: NDArray[Any]) -> NDArray[Any]:
        """Return vectors that are shaped as `zeros` as ``(n_problems, length)``."""
        flat: NDArray[Any] = np.moveaxis(vectors, 1, 0).reshape(vectors.shape[1], -1)
        return flat

    def _unflattened(self, flat: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(flat.reshape(len(flat), -1, self.n_outputs), 0, 1)

    @staticmethod
    def _without_intercepts(coef: NDArray[Any], factor: NDArray[np.float64]) -> NDArray[Any]:
        """Return a multiple of the coefficients of every problem, with intercepts of zero."""
        found: NDArray[Any] = factor[:, None] * coef
        found[-1] = 0.0
        return found

    def _dot(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Return the inner product for every problem."""
        product: NDArray[np.float64] = self._inner(a, b) + inner_products(a[-1:], b[-1:])
        return product

    @staticmethod
    def _length(square: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the square root, of a square that rounding can leave just below zero."""
        length: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
        return length

    def _by_blocks(self, function: Callable[[slice], R]) -> list[R]:
        """Call a function for blocks of samples; in threads if all of them are large."""
        width = self.shares.shape[1] * self.n_outputs
        step = max(1, BLOCK // width)
        blocks = [slice(start, start + step) for start in range(0, len(self.codes), step)]
        if len(self.codes) * width < LARGE:
            return [function(rows) for rows in blocks]
        with ThreadPoolExecutor(joblib.cpu_count()) as threads:
            return list(threads.map(function, blocks))


@dataclass(frozen=True)
class LogisticProblems(Problems):
    """Logistic regressions on features, which are centred and scaled without a copy.

    Attributes
    ----------
    X : ndarray of float32 or float64, shape (n_samples, n_features)
    centre : ndarray of float64, shape (n_features,)
    scale : float
        The models are trained on ``scale * (X - centre)``.
    """

    X: NDArray[Any]
    centre: NDArray[np.float64]
    scale: float

    @classmethod
    def of(
        cls,
        X: NDArray[Any],
        codes: NDArray[np.int64],
        sample_weights: NDArray[np.float64],
        scale: float,
    ) -> LogisticProblems:
        """Create one problem for each row of `sample_weights`, ``(n_problems, n_samples)``."""
        return cls(*weighted(codes, sample_weights), X, X.mean(axis=0, dtype=np.float64), scale)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the features."""
        return self.X.dtype

    def zeros(self) -> NDArray[np.float64]:
        """Return coefficients of zero, ``(n_features + 1, n_problems, n_outputs)``.

        The last row is the intercepts.
        """
        return np.zeros((self.X.shape[1] + 1, self.shares.shape[1], self.n_outputs))

    def decision(self, coef: NDArray[np.float64]) -> NDArray[Any]:
        """Return the log odds, as `Problems.decision`."""
        flat = coef[:-1].reshape(len(coef) - 1, -1)
        products = (self.X @ flat.astype(self.X.dtype)).astype(self._dtype, copy=False)
        products -= (self.centre @ flat).astype(self._dtype)
        products *= self.scale
        decision: NDArray[Any] = products.reshape(-1, *coef.shape[1:])
        decision += coef[-1].astype(self._dtype)
        return decision

    def _gradient_of(
        self,
        residual: NDArray[Any],
        sums: NDArray[np.float64],
        coef: NDArray[Any],
        penalty: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        products = (self.X.T @ residual).astype(np.float64)
        products -= np.outer(self.centre, sums)
        products *= self.scale
        gradient = np.empty_like(coef)
        gradient[:-1] = products.reshape(gradient[:-1].shape) + penalty[:, None] * coef[:-1]
        gradient[-1] = sums
        return gradient

    def _inner(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        return inner_products(a[:-1], b[:-1])

    def _inner_products(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        products: NDArray[Any] = a @ b[:, None, :, None]
        return products[..., 0]


def _probabilities(decision: NDArray[Any]) -> NDArray[Any]:
    """Return the probabilities of the outputs, in a new array."""
    if decision.shape[2] == 1:
        odds: NDArray[Any] = expit(decision)
        return odds
    probabilities: NDArray[Any] = decision - decision.max(axis=2, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    return probabilities


def weighted(
    codes: NDArray[np.int64], sample_weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], int, NDArray[np.float64], NDArray[np.float64]]:
    """Return the attributes of `Problems`, one problem for each row of `sample_weights`."""
    n_classes = int(codes.max()) + 1
    sizes = sample_weights.sum(axis=1)
    shares = (sample_weights / sizes[:, None]).T[:, :, None]
    return codes, 1 if n_classes == 2 else n_classes, shares, sizes


def inner_products(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return the inner product for every problem."""
    return np.asarray(np.einsum("ijk,ijk->j", a, b))
