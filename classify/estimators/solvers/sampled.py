"""The penalised loss of a linear classifier on samples in memory, and its minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from classify.estimators.solvers.losses import Loss

    Preconditioner = Callable[[NDArray[np.float64]], NDArray[np.float64]]

MAX_STEPS = 50
MAX_PRODUCTS = 60
MAX_HALVINGS = 30
BLOCK = 1024
MAX_DECOMPOSED = 2048
"""Most features whose products are decomposed."""
FORCING = 0.1
"""The residual at which conjugate gradients end, relative to the gradient."""


@dataclass(frozen=True)
class Sample:
    """Samples in memory.

    Attributes
    ----------
    X : ndarray of float32, shape (n_samples, n_features)
        Centred and scaled.
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample.
    weights : ndarray of float32, shape (n_samples,)
    spectrum : tuple of ndarray of float64, optional
        Eigenvalues ``(n_features,)`` and eigenvectors ``(n_features, n_features)`` of ``X.T @ X``,
        which make steps cheaper; see `with_spectrum`.
    """

    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]
    spectrum: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def with_spectrum(self) -> Sample:
        """Return the samples with their spectrum, unless it costs more than it saves."""
        if self.X.shape[1] > MAX_DECOMPOSED:
            return self
        values, vectors = np.linalg.eigh((self.X.T @ self.X).astype(np.float64))
        return replace(self, spectrum=(np.maximum(values, 0.0), vectors))

    def __getitem__(self, rows: NDArray[Any] | slice) -> Sample:
        """Return some of the samples."""
        return Sample(self.X[rows], self.codes[rows], self.weights[rows])

    def scores(self, coef: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the scores, ``(n_samples, n_outputs)``, of coefficients as in `Objective`."""
        scores: NDArray[np.float32] = self.X @ coef[:-1].astype(np.float32)
        scores += coef[-1].astype(np.float32)
        return scores

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the derivative by the coefficients from the one by the scores."""
        values = values.astype(np.float32, copy=False)
        derivative = np.empty((self.X.shape[1] + 1, values.shape[1]))
        derivative[:-1] = self.X.T @ values
        derivative[-1] = values.sum(axis=0, dtype=np.float64)
        return derivative

    def squares(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return `sums` of the squared features."""
        sums = np.zeros((self.X.shape[1] + 1, values.shape[1]))
        for start in range(0, len(self.X), BLOCK):  # so that the sample is not copied as a whole
            rows = slice(start, start + BLOCK)
            squared = Sample(self.X[rows] ** 2, self.codes[rows], self.weights[rows])
            sums += squared.sums(values[rows])
        return sums


@dataclass(frozen=True)
class Objective:
    """A loss over a sample, and a penalty.

    Coefficients are float64, ``(n_features + 1, n_outputs)``; the last row is the intercepts, which
    are not penalised.

    Attributes
    ----------
    loss : Loss
    sample : Sample
    factor : float
        Weight of the loss over the sample.
    penalty : float
        Half of it is the weight of the squared coefficients.
    """

    loss: Loss
    sample: Sample
    factor: float
    penalty: float

    def value(self, coef: NDArray[np.float64], scores: NDArray[Any]) -> float:
        """Return the objective at coefficients with their scores."""
        loss, _ = self.loss.residual(scores, self.sample.codes, self.sample.weights)
        return self.factor * loss + self.penalty / 2 * float((coef[:-1] ** 2).sum())

    def gradient(self, coef: NDArray[np.float64], scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return the gradient, shaped as the coefficients."""
        _, residual = self.loss.residual(scores, self.sample.codes, self.sample.weights)
        gradient: NDArray[np.float64] = self.factor * self.sample.sums(residual)
        gradient[:-1] += self.penalty * coef[:-1]
        return gradient

    def minimise(self, coef: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
        """Find the minimum by Newton's method.

        Parameters
        ----------
        coef : ndarray of float64
            Where to start.
        tolerance : float
            The decrease that a step must promise to be taken.

        Notes
        -----
        Along a step the scores are linear, so halving it needs no product of matrices (Nocedal and
        Wright, Numerical Optimization, 2006, algorithm 7.1).
        """
        scores = self.sample.scores(coef)
        value = self.value(coef, scores)
        for _ in range(MAX_STEPS):
            gradient = self.gradient(coef, scores)
            step = -self.solve(scores, gradient)
            promised = -float((step * gradient).sum()) / 2
            if promised <= tolerance:
                break
            change, length = self.sample.scores(step), 1.0
            for _ in range(MAX_HALVINGS):
                moved, moved_scores = coef + length * step, scores + np.float32(length) * change
                found = self.value(moved, moved_scores)
                if found <= value - 1e-4 * length * promised:
                    break
                length /= 2
            else:  # no lower value within the precision of float32
                break
            coef, scores, value = moved, self.sample.scores(moved), found
        return coef

    def times(self, scores: NDArray[Any], vector: NDArray[Any]) -> NDArray[np.float64]:
        """Return the product of the second derivatives and a vector; see `solve`."""
        product, _ = self.loss.curvature(scores, self.sample.codes, self.sample.weights)
        change = product(self.sample.scores(vector))
        moved: NDArray[np.float64] = self.factor * self.sample.sums(change)
        moved[:-1] += self.penalty * vector[:-1]
        return moved

    def solve(self, scores: NDArray[Any], vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the vector times the inverse of the second derivatives, nearly.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_samples, n_outputs)
            Where the derivatives are taken.
        vector : ndarray of float64, shaped as the coefficients

        Notes
        -----
        By conjugate gradients, preconditioned by what the derivatives would be if all samples had
        the same curvature; without the spectrum, by their diagonal.
        """
        product, diagonal = self.loss.curvature(scores, self.sample.codes, self.sample.weights)
        precondition = self._preconditioner(diagonal)
        solution, rest = np.zeros_like(vector), vector
        scaled = precondition(rest)
        direction, inner = scaled, float((rest * scaled).sum())
        enough = FORCING**2 * inner
        for _ in range(MAX_PRODUCTS):
            change = product(self.sample.scores(direction))
            moved = self.factor * self.sample.sums(change)
            moved[:-1] += self.penalty * direction[:-1]
            curvature = float((direction * moved).sum())
            if curvature <= 0:
                break
            length = inner / curvature
            solution = solution + length * direction
            rest = rest - length * moved
            scaled = precondition(rest)
            following = float((rest * scaled).sum())
            if following <= enough:
                break
            direction = scaled + following / inner * direction
            inner = following
        return solution

    def _preconditioner(self, diagonal: NDArray[Any]) -> Preconditioner:
        """Return what divides by the second derivatives, nearly; `diagonal` is by the scores."""
        least = np.finfo(np.float32).tiny
        if self.sample.spectrum is None:
            scale = self.factor * self.sample.squares(diagonal)
            scale[:-1] += self.penalty
            np.maximum(scale, least, out=scale)
            return lambda vector: vector / scale
        values, vectors = self.sample.spectrum
        curvatures = self.factor * diagonal.mean(axis=0, dtype=np.float64)
        by_value = np.maximum(np.outer(values, curvatures) + self.penalty, least)
        of_intercept = np.maximum(len(diagonal) * curvatures, least)

        def divided(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            found = np.empty_like(vector)
            found[:-1] = vectors @ ((vectors.T @ vector[:-1]) / by_value)
            found[-1] = vector[-1] / of_intercept
            return found

        return divided
