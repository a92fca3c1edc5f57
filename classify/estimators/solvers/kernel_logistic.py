"""Logistic regressions on the inner products of the samples, instead of their features.

The optimum lies in the span of the samples: ``w = X.T @ weights``. With fewer samples than
features, the matrix of inner products is the smaller one to read, and one product with it takes the
place of two with the features.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from classify.estimators.solvers.gram import one_blas_thread
from classify.estimators.solvers.logistic import Problems, inner_products, weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.solvers.lbfgs import Minimum, Path

# Inner products from which on threads are worth their cost, and the parts they are divided into.
LARGE, PARTS = 2**20, 4


@dataclass(frozen=True)
class KernelLogisticProblems(Problems):
    """Logistic regressions whose coefficients are weighted sums of the samples.

    The coefficients are the weights of the samples, then the decision values without intercept, and
    last the intercepts: ``(2 * n_samples + 1, n_problems, n_outputs)``.

    Attributes
    ----------
    products : ndarray of float32 or float64, shape (n_samples, n_samples)
        Inner products of the samples, which are centred and scaled.

    Notes
    -----
    Every vector of the minimisation, be it coefficients, a gradient or a search direction, is a
    weighted sum of samples. It is kept as its weights ``a`` and its products ``K @ a`` with all
    samples. Inner products of vectors are then ``a @ (K @ b)``, and linear combinations need no
    product of matrices: each step takes one, for the gradient.
    """

    products: NDArray[Any]

    @classmethod
    def of(
        cls,
        products: NDArray[Any],
        codes: NDArray[np.int64],
        sample_weights: NDArray[np.float64],
    ) -> KernelLogisticProblems:
        """Create one problem for each row of `sample_weights`, ``(n_problems, n_samples)``."""
        return cls(*weighted(codes, sample_weights), products)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the inner products."""
        return self.products.dtype

    def zeros(self) -> NDArray[Any]:
        """Return coefficients of zero, ``(2 * n_samples + 1, n_problems, n_outputs)``."""
        shape = 2 * len(self.codes) + 1, self.shares.shape[1], self.n_outputs
        return np.zeros(shape, self._dtype)

    def decision(self, coef: NDArray[Any]) -> NDArray[Any]:
        """Return the log odds, as `Problems.decision`."""
        decision: NDArray[Any] = coef[len(self.codes) : -1] + coef[-1]
        return decision

    def minimise(
        self, coef: NDArray[Any], C: float, precision: float, path: Path | None = None
    ) -> Minimum:
        """Find the minimum, as `Problems.minimise`, in threads of our own."""
        with one_blas_thread():
            return super().minimise(coef, C, precision, path)

    def renewed(self, coef: NDArray[Any]) -> NDArray[Any]:
        """Return the coefficients with new decision values, as precise as the inner products."""
        return self._of_weights(coef[: len(self.codes)], coef[-1])

    def _of_weights(self, weights: NDArray[Any], intercepts: NDArray[Any]) -> NDArray[Any]:
        n_samples = len(self.codes)
        coef = np.empty_like(self.zeros())
        coef[:n_samples], coef[-1] = weights, intercepts
        flat = weights.reshape(n_samples, -1).astype(self.dtype, copy=False)
        coef[n_samples:-1] = self._multiplied(flat).reshape(weights.shape)
        return coef

    def _multiplied(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return ``products @ weights``; in threads if that is worth their cost."""
        if self.products.size < LARGE:
            product: NDArray[Any] = self.products @ weights
            return product
        # As many parts whatever the number of cores, so that rounding does not depend on it.
        parts = np.array_split(self.products, PARTS)
        return np.concatenate(list(self._threads.map(lambda part: part @ weights, parts)))

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(joblib.cpu_count())

    def _gradient_of(
        self,
        residual: NDArray[Any],
        sums: NDArray[np.float64],
        coef: NDArray[Any],
        penalty: NDArray[np.float64],
    ) -> NDArray[Any]:
        weights = coef[: len(self.codes)]
        return self._of_weights(residual.reshape(weights.shape) + penalty[:, None] * weights, sums)

    def _inner(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        n_samples = len(self.codes)
        return inner_products(a[:n_samples], b[n_samples:-1])

    def _inner_products(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        end = len(self.codes) * self.n_outputs
        weights, decision, intercepts = slice(end), slice(end, 2 * end), slice(2 * end, None)
        b = b[:, None, :, None]
        products: NDArray[Any] = a[..., weights] @ b[..., decision, :]
        products += a[..., intercepts] @ b[..., intercepts, :]
        return products[..., 0]
