"""Near-duplicates: the same photograph resized, encoded anew, slightly cropped or mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.neighbours import nearest, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DIRECTIONS = 512
"""Largest number of principal directions that are used."""
IMAGES_PER_DIRECTION = 5
"""With fewer images per direction, the directions are estimated too badly."""
NEGLIGIBLE = 1e-12
"""A direction with a smaller share of the largest variance is a rounding error."""
MIN_COSINE = 0.38
"""Cosine of two signatures from which on they are near-duplicates; see `benchmarks/audit.py`."""
MIN_DEVIATIONS = 6.0
"""The same in standard deviations of the cosine of two random directions."""
MAX_MIN_COSINE = 0.95


def signatures(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features in which only copies of one photograph point in the same direction.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, height, width, channels) or (n, channels)

    Returns
    -------
    ndarray of float32, shape (n, n_directions)
        Rows of unit norm.

    Notes
    -----
    Mean and maximum over height and width do not change when an image is mirrored. The mean of all
    images and the few directions in which most of them differ describe what an image shows. After
    whitening, every direction counts the same, so that two images agree only if they are the same
    photograph.
    """
    if embeddings.ndim > 2:
        axes = tuple(range(1, embeddings.ndim - 1))
        embeddings = np.concatenate([embeddings.mean(axis=axes), embeddings.max(axis=axes)], axis=1)
    centred = embeddings.astype(np.float64)
    centred -= centred.mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    values, vectors = np.linalg.eigh(covariance)
    n_directions = min(
        MAX_DIRECTIONS,
        max(1, len(centred) // IMAGES_PER_DIRECTION),
        # Features that are the same in every image give directions of rounding errors.
        max(1, int((values > NEGLIGIBLE * values[-1]).sum())),
    )
    values, vectors = values[-n_directions:], vectors[:, -n_directions:]
    whitened = centred @ (vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny)))
    return unit_rows(whitened.astype(np.float32))


def near_duplicates(signatures: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Find the rows that are near-duplicates of each other.

    Parameters
    ----------
    signatures : ndarray of float32, shape (n, n_directions)
        From `signatures`.

    Returns
    -------
    list of tuple
        Indices of two rows, the smaller one first, and their cosine; each row with the most similar
        other one, and each pair once. The most similar pair is first.

    Examples
    --------
    >>> rows = np.random.default_rng(0).random((400, 2, 2, 32), dtype=np.float32)
    >>> mirrored = rows[7:8, :, ::-1]
    >>> [(i, j) for i, j, _ in near_duplicates(signatures(np.concatenate([rows, mirrored])))]
    [(7, 400)]
    """
    if len(signatures) < 2:
        return []
    # With few directions, unlike images have similar ones by chance.
    by_chance = MIN_DEVIATIONS / signatures.shape[1] ** 0.5
    threshold = max(MIN_COSINE, min(MAX_MIN_COSINE, by_chance))
    indices, cosines = nearest(signatures, signatures, 1, leave_out=np.arange(len(signatures)))
    pairs = {
        (min(i, j), max(i, j)): float(cosine)
        for i, (j, cosine) in enumerate(zip(indices[:, 0].tolist(), cosines[:, 0], strict=True))
        if cosine >= threshold
    }
    return sorted(((*pair, cosine) for pair, cosine in pairs.items()), key=lambda pair: -pair[2])
