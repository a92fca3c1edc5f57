"""From an image of any size to the square that a network gets."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from extract.images.pixels import PixelSettings

if TYPE_CHECKING:
    import numpy as np

_WHITE = 255


def resize(image: np.ndarray, pixels: PixelSettings | int) -> np.ndarray:
    """Resize an image to a square.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (height, width, 3)
        RGB or BGR.
    pixels : PixelSettings or int
        How; a size alone stands for the other defaults.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)

    Notes
    -----
    ``"bicubic"`` can be repeated elsewhere: it is ONNX's operator ``Resize`` with ``antialias=1``,
    ``cubic_coeff_a=-0.5`` and ``exclude_outside=1``, and Keras's layer ``Resizing`` with
    ``interpolation="bicubic", antialias=True``, each followed by rounding. Rows are
    resized first, then columns, and both are rounded.

    Examples
    --------
    >>> import numpy as np
    >>> resize(np.zeros((30, 40, 3), np.uint8), 8).shape
    (8, 8, 3)
    """
    pixels = PixelSettings.of(pixels)
    size, (height, width) = pixels.size, image.shape[:2]
    if pixels.aspect == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    elif pixels.aspect == "pad":
        return _padded(image, pixels)
    return scale(image, size, size, pixels.interpolation)


def scale(image: np.ndarray, width: int, height: int, interpolation: str = "bicubic") -> np.ndarray:
    """Resize an image to given sides.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (height, width, 3)
    width, height : int
        Of the result.
    interpolation : {"bicubic", "lanczos4"}, default="bicubic"
        See `extract.images.pixels.PixelSettings`.

    Returns
    -------
    numpy.ndarray of uint8, shape (height, width, 3)
    """
    import numpy as np

    if interpolation == "lanczos4":
        cv2 = opencv()
        resized: np.ndarray = cv2.resize(
            np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LANCZOS4
        )
        return resized
    from PIL import Image

    # In two steps, because versions of Pillow differ in which comes first.
    opened = Image.fromarray(np.ascontiguousarray(image))
    rows = opened.resize((width, opened.height), Image.Resampling.BICUBIC)
    return np.asarray(rows.resize((width, height), Image.Resampling.BICUBIC))


def _padded(image: np.ndarray, pixels: PixelSettings) -> np.ndarray:
    import numpy as np

    size, (height, width) = pixels.size, image.shape[:2]
    longest = max(height, width)
    height, width = (max(1, round(side * size / longest)) for side in (height, width))
    square = np.full((size, size, 3), _WHITE, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = scale(
        image, width, height, pixels.interpolation
    )
    return square


@functools.cache
def opencv() -> Any:
    """Return the module `cv2`, with one thread: each process decodes one image at a time."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
