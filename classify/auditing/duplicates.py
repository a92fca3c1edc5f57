"""Near-duplicates: the same photograph resized, encoded anew, cropped a little or mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.neighbours import nearest, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIRECTIONS = 512
"""At most so many principal directions are looked at."""
IMAGES_PER_DIRECTION = 5
"""With fewer images, the directions are not known well enough."""
SAME = 0.38
"""Cosine from which on two images are taken for one; see `benchmarks/audit.py`."""
CHANCE = 6.0
"""Standard deviations of the cosine of two random directions that cannot be chance."""


def signatures(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features in which only copies of one photograph point in the same direction.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, height, width, channels) or (n, channels)
        Embeddings.

    Returns
    -------
    ndarray of float32, shape (n, n_directions)
        Rows of norm one.

    Notes
    -----
    Mean and largest value over height and width do not know left from right. What all images have
    in common, and the few directions in which most of them differ, say what a picture shows;
    whitened, every direction counts the same, and what is left in common is the photograph.
    """
    if rows.ndim > 2:
        over = tuple(range(1, rows.ndim - 1))
        rows = np.concatenate([rows.mean(axis=over), rows.max(axis=over)], axis=1)
    pooled = rows.astype(np.float64)
    pooled -= pooled.mean(axis=0)
    covariance = pooled.T @ pooled / len(pooled)
    values, vectors = np.linalg.eigh(covariance)
    known = max(1, len(rows) // IMAGES_PER_DIRECTION)
    n_directions = min(DIRECTIONS, known, len(values))
    values, vectors = values[-n_directions:], vectors[:, -n_directions:]
    whitened = pooled @ (vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny)))
    return unit_rows(whitened.astype(np.float32))


def same(some: NDArray[np.float32], others: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Find the rows that are near-duplicates of rows of another array.

    Parameters
    ----------
    some, others : ndarray of float32, shape (n, n_directions) and (m, n_directions)
        From `signatures` of all of them together.

    Returns
    -------
    list of tuple
        Position in `some`, position of the most similar row in `others`, and their cosine; the
        most similar first.

    Examples
    --------
    >>> rows = np.random.default_rng(0).random((400, 2, 2, 32), dtype=np.float32)
    >>> mirrored = rows[7:8, :, ::-1]
    >>> marks = signatures(np.concatenate([rows, mirrored]))
    >>> [(i, j) for i, j, cosine in same(marks[400:], marks[:400])]
    [(0, 7)]
    """
    if not len(some) or not len(others):
        return []
    # In few directions, unlike images point in similar ones by chance.
    threshold = max(SAME, min(0.95, CHANCE / some.shape[1] ** 0.5))
    positions, cosines = nearest(some, others, 1)
    found = [
        (int(i), int(positions[i, 0]), float(cosines[i, 0]))
        for i in np.flatnonzero(cosines[:, 0] >= threshold)
    ]
    return sorted(found, key=lambda pair: -pair[2])
