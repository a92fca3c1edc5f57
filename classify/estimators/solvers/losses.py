"""Losses of linear classifiers: their sums over samples, first and second derivatives.

Scores are ``(n_samples, n_outputs)``: for two classes one output, positive for the second class;
else one for each class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Product = Callable[[NDArray[Any]], NDArray[Any]]


def n_outputs(n_classes: int) -> int:
    """Return how many outputs a linear classifier has.

    >>> n_outputs(2), n_outputs(3)
    (1, 3)
    """
    return 1 if n_classes == 2 else n_classes


class Loss(ABC):
    """A convex loss of linear scores."""

    @abstractmethod
    def residual(
        self, scores: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[Any]
    ) -> tuple[float, NDArray[Any]]:
        """Return the weighted sum of the loss and its derivatives by the scores.

        Parameters
        ----------
        scores : ndarray of float, shape (n_samples, n_outputs)
        codes : ndarray of int64, shape (n_samples,)
            Class of every sample.
        weights : ndarray of float, shape (n_samples,)

        Returns
        -------
        loss : float
        residual : ndarray of float, shape (n_samples, n_outputs)
        """

    @abstractmethod
    def curvature(
        self, scores: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[Any]
    ) -> tuple[Product, NDArray[Any]]:
        """Return the second derivatives at some scores.

        Parameters
        ----------
        scores, codes, weights
            As for `residual`.

        Returns
        -------
        product : callable
            Takes a change of the scores, and returns the change of the residual.
        diagonal : ndarray of float, shape (n_samples, n_outputs)
            The second derivative by each score.
        """


class LogLoss(Loss):
    """The log loss of the softmax, or for two classes of the sigmoid."""

    def residual(
        self, scores: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[Any]
    ) -> tuple[float, NDArray[Any]]:
        """See `Loss.residual`."""
        if scores.shape[1] == 1:
            signed = np.where(codes == 1, -scores[:, 0], scores[:, 0])
            losses = np.logaddexp(0, signed)
            residual = (expit(scores[:, 0]) - codes)[:, None] * weights[:, None]
            return float(losses @ weights), residual.astype(scores.dtype, copy=False)
        probabilities, log_sums = _softmax(scores)
        rows = np.arange(len(codes))
        losses = log_sums - scores[rows, codes]
        probabilities[rows, codes] -= 1
        probabilities *= weights[:, None]
        return float(losses.astype(np.float64) @ weights), probabilities

    def curvature(
        self,
        scores: NDArray[Any],
        codes: NDArray[np.int64],  # noqa: ARG002 - other losses need it
        weights: NDArray[Any],
    ) -> tuple[Product, NDArray[Any]]:
        """See `Loss.curvature`."""
        column = weights[:, None]
        if scores.shape[1] == 1:
            probabilities = expit(scores)
            return _times(probabilities * (1 - probabilities) * column)
        probabilities, _ = _softmax(scores)

        def product(change: NDArray[Any]) -> NDArray[Any]:
            moved: NDArray[Any] = probabilities * change
            moved -= probabilities * moved.sum(axis=1, keepdims=True)
            moved *= column
            return moved

        return product, probabilities * (1 - probabilities) * column


class SquaredHinge(Loss):
    """The squared hinge loss, one class against the rest: a linear SVM that is differentiable."""

    def residual(
        self, scores: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[Any]
    ) -> tuple[float, NDArray[Any]]:
        """See `Loss.residual`."""
        targets = _targets(scores, codes)
        shortfall = np.maximum(1 - targets * scores, 0)
        loss = float(np.einsum("ij,ij,i->", shortfall, shortfall, weights, dtype=np.float64))
        return loss, -2 * targets * shortfall * weights[:, None]

    def curvature(
        self, scores: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[Any]
    ) -> tuple[Product, NDArray[Any]]:
        """See `Loss.curvature`."""
        return _times(2 * (_targets(scores, codes) * scores < 1) * weights[:, None])


def _times(second: NDArray[Any]) -> tuple[Product, NDArray[Any]]:
    """Return `Loss.curvature` of scores that do not depend on each other."""

    def product(change: NDArray[Any]) -> NDArray[Any]:
        moved: NDArray[Any] = second * change
        return moved

    return product, second


def _softmax(scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the softmax, and the logarithm of the sum of the exponentials."""
    highest = scores.max(axis=1, keepdims=True)
    probabilities = np.exp(scores - highest)
    sums = probabilities.sum(axis=1, keepdims=True)
    probabilities /= sums
    return probabilities, (np.log(sums) + highest)[:, 0]


def _targets(scores: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[Any]:
    """Return 1 for the class of each sample and -1 for the others, shaped as the scores."""
    if scores.shape[1] == 1:
        return np.where(codes[:, None] == 1, 1, -1).astype(scores.dtype)
    targets = np.full(scores.shape, -1, dtype=scores.dtype)
    targets[np.arange(len(codes)), codes] = 1
    return targets
