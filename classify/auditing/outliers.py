"""Images that are unlike all others, nearly uniform, or tiny."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.neighbours import nearest
from extract.errors import ImageError
from extract.images.files import read_bytes
from extract.images.formats import sides
from extract.images.loading import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NEIGHBOURS = 5
FAR = 5.0
"""Robust standard deviations below the median similarity to the nearest images."""
UNIFORM = 8.0
"""Standard deviation of the pixels, out of 255."""
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
        Index of the image, and how far its mean cosine to the five nearest images is below the
        median, in robust standard deviations (1.4826 times the median absolute deviation); the
        farthest first.
    """
    n_neighbours = min(NEIGHBOURS, len(signatures) - 1)
    if n_neighbours < 1:
        return []
    _, cosines = nearest(signatures, signatures, n_neighbours, leave_out=np.arange(len(signatures)))
    similarity = cosines.mean(axis=1)
    below = np.median(similarity) - similarity
    scale = 1.4826 * np.median(np.abs(below))
    deviations = below / scale if scale > 0 else np.zeros_like(below)
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
        Index of the image, and the standard deviation of its pixels over height and width, in the
        colour channel in which it is largest.

    Examples
    --------
    >>> uniform(np.full((1, 8, 8, 3), 90, dtype=np.uint8))
    [(0, 0.0)]
    """
    deviations = [float(image.std(axis=(0, 1)).max()) for image in images]
    return [(i, deviation) for i, deviation in enumerate(deviations) if deviation < UNIFORM]


def tiny(
    paths: Sequence[Path], reading: ReadSettings = ReadSettings()
) -> list[tuple[int, tuple[int, int]]]:
    """Find images with too few pixels to show much.

    Parameters
    ----------
    paths : sequence of Path
        Image files.
    reading : ReadSettings, optional
        How image files are read.

    Returns
    -------
    list of tuple
        Index of the image, and its width and height according to the header of the file.
    """

    def size(path: Path) -> tuple[int, int]:
        try:
            return sides(read_bytes(path), reading.max_pixels) or (TINY, TINY)
        except ImageError:  # the file is gone by now, which others report
            return TINY, TINY

    with ThreadPoolExecutor(reading.threads(paths), "header") as pool:
        sizes = enumerate(pool.map(size, paths))
        return [(i, width_height) for i, width_height in sizes if min(width_height) < TINY]
