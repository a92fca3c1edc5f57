"""Images that are unlike all others, nearly uniform, or tiny."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.neighbours import nearest
from extract.errors import ImageError
from extract.images.decoding import read_bytes, sides
from extract.images.loading import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NEIGHBOURS = 5
FAR = 5.0
"""Robust standard deviations below the usual similarity to the nearest others."""
UNIFORM = 8.0
"""Standard deviation of the pixels, of 255."""
TINY = 48
"""Pixels of the shorter side."""


def far(signatures: NDArray[np.float32]) -> list[tuple[int, float]]:
    """Find images that are far from all others.

    Parameters
    ----------
    signatures : ndarray of float32, shape (n, n_directions)
        From `classify.auditing.duplicates.signatures`.

    Returns
    -------
    list of tuple
        Position, and by how many robust standard deviations (1.4826 times the median deviation
        from the median) the mean cosine to the five nearest others is below the median; the
        farthest first.
    """
    n_neighbours = min(NEIGHBOURS, len(signatures) - 1)
    if n_neighbours < 1:
        return []
    _, cosines = nearest(signatures, signatures, n_neighbours, leave_out=np.arange(len(signatures)))
    closeness = cosines.mean(axis=1)
    below = np.median(closeness) - closeness
    spread = 1.4826 * np.median(np.abs(below))
    deviations = below / spread if spread > 0 else np.zeros_like(below)
    order = np.argsort(-deviations, kind="stable")
    return [(int(i), float(deviations[i])) for i in order if deviations[i] >= FAR]


def uniform(images: NDArray[np.uint8]) -> list[tuple[int, float]]:
    """Find images that show hardly anything.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)

    Returns
    -------
    list of tuple
        Position, and the standard deviation of the pixels over height and width, of the colour in
        which it is largest.

    Examples
    --------
    >>> uniform(np.full((1, 8, 8, 3), 90, dtype=np.uint8))
    [(0, 0.0)]
    """
    spreads = [float(image.std(axis=(0, 1)).max()) for image in images]
    return [(i, spread) for i, spread in enumerate(spreads) if spread < UNIFORM]


def tiny(
    paths: Sequence[Path], reading: ReadSettings = ReadSettings()
) -> list[tuple[int, tuple[int, int]]]:
    """Find images that have fewer pixels than can show much.

    Returns
    -------
    list of tuple
        Position, and width and height as the file's header has them.
    """

    def read(path: Path) -> tuple[int, int]:
        try:
            return sides(read_bytes(path), reading.max_pixels) or (TINY, TINY)
        except ImageError:  # it is gone by now, which is for others to say
            return TINY, TINY

    with ThreadPoolExecutor(reading.threads(paths), "header") as pool:
        found = enumerate(pool.map(read, paths))
        return [(i, both) for i, both in found if min(both) < TINY]
