"""Evidence maps as transparent images that are laid over the images that they explain."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Vermilion and blue, which people with any colour vision tell apart (Okabe and Ito)."""
OPAQUE = 217
"""Opacity of the strongest evidence, of 255."""
_SIDE = 16
"""Of the PNG in pixels: the browser smooths it further."""


def smooth(
    shares: ArrayLike, size: tuple[int, int], start: float = 0.0, end: float = 1.0
) -> NDArray[np.float64]:
    """Return an evidence map in another size, interpolated between the middles of its places.

    Parameters
    ----------
    shares : array-like of float, shape (height, width)
        What each place adds to the score of a class.
    size : (int, int)
        Rows and columns of the result.
    start, end : float, default=0.0, 1.0
        Where the places begin and end, as shares of the sides of the result; what lies outside has
        the value of the nearest place.

    Examples
    --------
    >>> smooth([[0.0, 4.0]], (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    import numpy as np

    values = np.asarray(shares, dtype=np.float64)
    for axis, number in enumerate(size):
        middles = (np.arange(number) + 0.5) / number
        n_places = values.shape[axis]
        at = (middles - start) / (end - start) * n_places - 0.5
        at = at.clip(0, n_places - 1)
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, n_places - 1)
        weight = np.expand_dims(at - before, 1 - axis)
        values = values.take(before, axis) * (1 - weight) + values.take(after, axis) * weight
    return values


def full_strength(maps: Sequence[Sequence[Sequence[float]]]) -> float:
    """Return the share that evidence maps beside one another show most opaque.

    That is the largest one, whatever its sign, but at least what each place would add to a score
    of 1 if all added the same: where nothing adds more, the maps stay pale.

    Parameters
    ----------
    maps : sequence of (sequence of sequence of float)
        What each place adds to the score of a class, row by row; at least one.

    Examples
    --------
    >>> full_strength([[[0.0, 4.0]], [[-5.0, 1.0]]])
    5.0
    >>> full_strength([[[0.01, 0.02]]])
    0.5
    """
    largest = max(abs(share) for map_ in maps for row in map_ for share in row)
    return max(largest, 1 / sum(map(len, maps[0])))


def colours(shares: ArrayLike, scale: float) -> NDArray[np.uint8]:
    """Return an evidence map as a transparent image.

    Parameters
    ----------
    shares : array-like of float, shape (height, width)
        What each place adds to the score of a class.
    scale : float
        The share that is shown most opaque, whatever its sign; above 0.

    Returns
    -------
    ndarray of uint8, shape (height, width, 4)
        RGBA: vermilion where the place counts for the class, blue where it counts against it.

    Examples
    --------
    >>> colours([[2.0, -1.0]], 2.0).tolist()
    [[[213, 94, 0, 217], [0, 114, 178, 108]]]
    """
    import numpy as np

    given = np.asarray(shares, dtype=np.float64)
    pixels: NDArray[np.uint8] = np.empty((*given.shape, 4), np.uint8)
    pixels[..., :3] = np.where(given[..., np.newaxis] > 0, FOR, AGAINST)
    pixels[..., 3] = np.minimum(np.abs(given) / scale, 1) * OPAQUE
    return pixels


def overlay_png(shares: ArrayLike, scale: float, start: float = 0.0, end: float = 1.0) -> str:
    """Return an evidence map as a PNG in Base64, to be enlarged to the size of an image.

    See `smooth` and `colours` for the parameters.
    """
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    pixels = colours(smooth(shares, (_SIDE, _SIDE), start, end), scale)
    imsave(buffer, pixels, format="png", metadata={"Software": ""})
    return base64.b64encode(buffer.getvalue()).decode("ascii")
