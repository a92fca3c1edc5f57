"""What L-BFGS remembers of several minimisations at once, and the directions that follow from it.

References
----------
R. H. Byrd, J. Nocedal and R. B. Schnabel, Representations of quasi-Newton matrices and their use in
limited memory methods, 1994.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    InnerProducts = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
    """Takes vectors ``(n_problems, 2, n, length)`` and one for each problem, ``(n_problems,
    length)``, and returns their inner products ``(n_problems, 2, n)``."""


class History:
    """The last steps of several problems, and how their gradients changed along them.

    A direction takes two passes over them, whatever their number: one for the inner products with
    the gradient, one for the sum. Everything between is done on the inner products alone.

    Parameters
    ----------
    n_kept : int
        Number of steps that are remembered.
    shape : tuple of int
        Number of problems, and length of the vectors of each.
    dtype : dtype
        In which steps and changes are kept.
    inner_products : callable
        Returns the inner products of vectors, see `InnerProducts`.

    Examples
    --------
    >>> history = History(2, (1, 2), float, lambda a, b: (a @ b[:, None, :, None])[..., 0])
    >>> history.add(np.array([[1.0, 0.0]]), np.array([[4.0, 0.0]]))
    >>> history.direction(np.array([[8.0, 0.0]])).tolist()
    [[-2.0, 0.0]]
    """

    def __init__(
        self,
        n_kept: int,
        shape: tuple[int, int],
        dtype: DTypeLike,
        inner_products: InnerProducts,
    ) -> None:
        n_problems, length = shape
        # Steps, then changes; and the inner products of all with the changes.
        self._vectors = np.zeros((n_problems, 2, n_kept, length), dtype)
        self._products = np.zeros((n_problems, 2, n_kept, n_kept))
        self._inner_products = inner_products
        self._n_added = 0

    def add(self, step: NDArray[Any], change: NDArray[Any]) -> None:
        """Remember a step of every problem, ``(n_problems, length)``, in place of the oldest."""
        n_kept = self._vectors.shape[2]
        place = self._n_added % n_kept
        self._n_added += 1
        self._vectors[:, 0, place], self._vectors[:, 1, place] = step, change
        products = self._inner_products(self._kept, self._vectors[:, 1, place])
        n_kept = products.shape[2]
        self._products[:, :, :n_kept, place] = products
        self._products[:, 1, place, :n_kept] = products[:, 1]

    @property
    def nbytes(self) -> int:
        """Size in bytes of as many steps as can be remembered."""
        return self._vectors.nbytes

    @property
    def _kept(self) -> NDArray[Any]:
        return self._vectors[:, :, : self._n_added]

    def direction(self, gradient: NDArray[Any]) -> NDArray[Any]:
        """Return the search direction of every problem, ``(n_problems, length)``.

        A problem's steps of zero, and those along which its gradient did not grow, say nothing.
        """
        n_kept = self._kept.shape[2]
        if not n_kept:
            return -gradient
        first = self._n_added % self._vectors.shape[2] if self._n_added > n_kept else 0
        order = np.roll(np.arange(n_kept), -first)  # from the oldest to the latest
        vector = gradient.astype(self._vectors.dtype)  # else all steps would be converted
        with_gradient = self._inner_products(self._kept, vector)[:, :, order]
        products = self._products[:, :, order][..., order]
        along = np.diagonal(products[:, 0], axis1=1, axis2=2)
        usable = along > 0
        with_gradient = np.where(usable[:, None], with_gradient, 0.0)
        products = np.where(usable[:, None, :, None] & usable[:, None, None], products, 0.0)
        steps = np.triu(products[:, 0]) + np.eye(n_kept) * ~usable[:, None]
        along = np.where(usable, along, 0.0)

        latest = n_kept - 1 - np.argmax(usable[:, ::-1], axis=1)[:, None]
        square = np.take_along_axis(np.diagonal(products[:, 1], axis1=1, axis2=2), latest, axis=1)
        size = np.take_along_axis(along, latest, axis=1)
        size = np.divide(size, square, out=np.ones_like(size), where=square > 0)

        of_changes = np.linalg.solve(steps, with_gradient[:, 0, :, None])
        rest = along[..., None] * of_changes
        rest += size[..., None] * (products[:, 1] @ of_changes - with_gradient[:, 1, :, None])
        of_steps = np.linalg.solve(steps.swapaxes(-1, -2), rest)
        weights = np.empty((len(gradient), 2, 1, n_kept), self._vectors.dtype)
        weights[:, 0, :, order] = -of_steps.transpose(1, 0, 2)
        weights[:, 1, :, order] = (size[..., None] * of_changes).transpose(1, 0, 2)
        found: NDArray[Any] = (weights @ self._kept).sum(axis=(1, 2)) - size * gradient
        return found


class Path(NamedTuple):
    """What the minimisation for one C leaves for the next one.

    Attributes
    ----------
    penalty : ndarray of float64, shape (n_problems,)
        Of this C.
    decision, gradient : ndarray of float
        At the minimum.
    rounding : ndarray of float64, shape (n_problems,)
        Bound on the rounding error of the gradient.
    history : History
        Goes on with the next C, so a path can be followed only once.
    step : ndarray of float or None
        From the minimum for the C before to this one.
    """

    penalty: NDArray[np.float64]
    decision: NDArray[Any]
    gradient: NDArray[Any]
    rounding: NDArray[np.float64]
    history: History
    step: NDArray[Any] | None


class Minimum(NamedTuple):
    """Where the objectives of all problems are lowest.

    Attributes
    ----------
    coef : ndarray of float
    decision : ndarray of float
        The decision values, as from `Problems.decision`.
    path : Path or None
        For a start from here with another C. None if it would take much memory.
    """

    coef: NDArray[Any]
    decision: NDArray[Any]
    path: Path | None
