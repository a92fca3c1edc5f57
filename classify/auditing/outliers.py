"""Images that are unlike all others, nearly uniform, or tiny."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from extract.images.properties.record import ImageProperties

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


def of_little_use(properties: ImageProperties) -> list[str]:
    """Say why an image shows hardly anything: it is nearly uniform, or tiny.

    Parameters
    ----------
    properties : ImageProperties
        From `extract.images.collecting.collect_properties`.

    Returns
    -------
    list of str
        The reasons; usually none.

    Examples
    --------
    >>> from extract.images.properties.record import ImageProperties
    >>> of_little_use(ImageProperties(width=70, height=12, variation=50.0))
    ['tiny: 70 x 12 pixels']
    """
    reasons = []
    width, height, variation = properties.width, properties.height, properties.variation
    if variation is not None and variation < UNIFORM:
        reasons.append(f"nearly uniform: its pixels vary by {variation:.1f} of 255")
    if width is not None and height is not None and min(width, height) < TINY:
        reasons.append(f"tiny: {width} x {height} pixels")
    return reasons
