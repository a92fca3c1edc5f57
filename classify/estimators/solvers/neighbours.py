"""The most similar rows, by cosine similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.solvers.gram import exact_products

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 512
"""Rows that are compared with all others at a time."""


def unit_rows(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows of `X` scaled to unit norm; a row of zeros stays zero.

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
    groups: NDArray[np.int64] | None = None,
    exact: bool = False,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return for every row the most similar rows of another array.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, n_features)
        Of unit norm, see `unit_rows`.
    among : ndarray of float32, shape (m, n_features)
        Of unit norm.
    n_neighbours : int
        At most `m`.
    leave_out : ndarray of int, shape (n,), optional
        For every row a position in `among` to leave out: usually its own.
    groups : ndarray of int, shape (m,), optional
        Leave out all rows of `among` that have the group of that position, too. There must be
        `n_neighbours` others.
    exact : bool, default=False
        Sum in float64, so that the neighbours of a row do not depend on the other rows.

    Returns
    -------
    positions : ndarray of int, shape (n, n_neighbours)
        In `among`, the most similar first.
    cosines : ndarray of float32, shape (n, n_neighbours)
        -1 for the row to leave out, if no other is left.

    Examples
    --------
    >>> among = unit_rows(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    >>> nearest(among[:1], among, 2)[0].tolist()
    [[0, 1]]
    """
    positions = np.empty((len(rows), n_neighbours), dtype=np.intp)
    cosines = np.empty((len(rows), n_neighbours), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        stop = min(start + BLOCK, len(rows))
        block: NDArray[Any]
        if exact:
            # Rounded, so that equal rows are equally near in whatever order they are summed.
            block = exact_products(rows[start:stop], among).round(12)
        else:
            block = rows[start:stop] @ among.T
        if leave_out is not None:
            if groups is None:
                block[np.arange(stop - start), leave_out[start:stop]] = -1.0
            else:
                # Below the cosine of opposite rows.
                block[groups[leave_out[start:stop]][:, None] == groups] = -2.0
        unsorted = np.argpartition(-block, n_neighbours - 1, axis=1)[:, :n_neighbours]
        highest = np.take_along_axis(block, unsorted, axis=1)
        order = np.argsort(-highest, axis=1, kind="stable")
        positions[start:stop] = np.take_along_axis(unsorted, order, axis=1)
        cosines[start:stop] = np.take_along_axis(highest, order, axis=1)
    return positions, cosines
