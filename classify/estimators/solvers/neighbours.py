"""Finding the most similar rows, by the cosine of their angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.solvers.gram import exact_products

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 512
"""Rows that are compared with all others together."""


def unit_rows(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows of `X` scaled to norm one; a row of zeros stays.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))
    norms[norms == 0] = 1.0
    scaled: NDArray[np.float32] = X / norms[:, None].astype(np.float32)
    return scaled


def nearest(
    rows: NDArray[np.float32],
    among: NDArray[np.float32],
    n_neighbours: int,
    *,
    leave_out: NDArray[np.intp] | None = None,
    exact: bool = False,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Find for every row the most similar rows of another array.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, n_features)
        Of norm one, see `unit_rows`.
    among : ndarray of float32, shape (m, n_features)
        Of norm one.
    n_neighbours : int
        How many, at most `m`.
    leave_out : ndarray of int, shape (n,), optional
        For every row a position in `among` that is passed over: its own.
    exact : bool
        Sum in float64, so that the neighbours of a row do not depend on the other rows.

    Returns
    -------
    positions : ndarray of int, shape (n, n_neighbours)
        In `among`, the most similar first.
    cosines : ndarray of float32, shape (n, n_neighbours)
        -1 for the row that is left out, where no other is left.
    """
    positions = np.empty((len(rows), n_neighbours), dtype=np.intp)
    cosines = np.empty((len(rows), n_neighbours), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        stop = min(start + BLOCK, len(rows))
        block: NDArray[Any]
        if exact:
            # Rounded, so that equal rows are equally near whatever the order of the sum.
            block = exact_products(rows[start:stop], among).round(12)
        else:
            block = rows[start:stop] @ among.T
        if leave_out is not None:
            block[np.arange(stop - start), leave_out[start:stop]] = -1.0
        some = np.argpartition(-block, n_neighbours - 1, axis=1)[:, :n_neighbours]
        found = np.take_along_axis(block, some, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        positions[start:stop] = np.take_along_axis(some, order, axis=1)
        cosines[start:stop] = np.take_along_axis(found, order, axis=1)
    return positions, cosines
