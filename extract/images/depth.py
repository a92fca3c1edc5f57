"""From values of more than eight bits to eight: which value is black, and which is white.

Microscopes, X-ray detectors and depth cameras write 10, 12 or 14 bits into files of 16, or
floating-point numbers. How many bits are in use is not in the file; it is decided over the training
images of a data set and becomes part of the recipe (`extract.value_range`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from extract.images.pixels import PixelSettings

BITS = (8, 10, 12, 14, 16)
BLACK, WHITE = 0.005, 0.995
"""Shares of the values below black, and up to white, where bits do not describe them."""

_RANGES = (1.0, *(float(2**bits - 1) for bits in BITS))
"""Whites of floating-point numbers that were integers once, or shares; black is zero then."""
_NEAR_BLACK, _NEAR_WHITE = 0.1, 0.5
"""Such a range is filled if the percentiles reach these shares of it."""

_POINTS = 201
_CLIPPED = 0.01
"""From this share of the values above white, an image is said to be clipped."""


@dataclass(frozen=True)
class Values:
    """The values of an image of more than eight bits.

    Parameters
    ----------
    integers : bool
        Whether they are stored as integers.
    smallest, largest : float
        The extremes of what is finite.
    quantiles : tuple of float, length 201
        The values below which 0, 0.5, ..., 100% of them are.
    """

    integers: bool
    smallest: float
    largest: float
    quantiles: tuple[float, ...]

    @property
    def fits_bits(self) -> bool:
        """Whether a number of bits describes the range."""
        return self.integers and self.smallest >= 0 and self.largest < 2 ** BITS[-1]

    def to_json(self) -> str:
        """Return the values as a text for another process or the cache."""
        return json.dumps([self.integers, self.smallest, self.largest, *self.quantiles])

    @classmethod
    def from_json(cls, text: str) -> Values:
        """Return what `to_json` has made a text of.

        Raises
        ------
        ValueError
            If the text is anything else.
        """
        fields = json.loads(text)
        if (
            not isinstance(fields, list)
            or len(fields) != 3 + _POINTS
            or type(fields[0]) is not bool
        ):
            raise ValueError("not the values of an image")
        numbers = [float(field) for field in fields[1:]]
        if not all(map(math.isfinite, numbers)):
            raise ValueError("not the values of an image")
        return cls(fields[0], numbers[0], numbers[1], tuple(numbers[2:]))


def measure(values: NDArray[Any]) -> Values:
    """Measure the values of an image.

    Examples
    --------
    >>> import numpy as np
    >>> measured = measure(np.array([[0, 100], [1000, 4095]], np.uint16))
    >>> measured.fits_bits, bits_in_use([measured])
    (True, 12)
    """
    import numpy as np

    integers = values.dtype.kind in "ui"
    finite = values if integers else values[np.isfinite(values)]
    if not finite.size:
        finite = np.zeros(1)
    shares = np.linspace(0, 1, _POINTS)
    # Of a million values, sorting takes a tenth of a second.
    chosen = finite.ravel()[:: max(1, finite.size // 2**20)].astype(np.float64)
    quantiles = np.quantile(chosen, shares)
    return Values(integers, float(finite.min()), float(finite.max()), tuple(map(float, quantiles)))


def bits_in_use(measured: Iterable[Values]) -> int:
    """Return the bits in use in images whose values fit bits: 8, 10, 12, 14 or 16."""
    largest = max(values.largest for values in measured)
    return next(bits for bits in BITS if largest < 2**bits)


def black_and_white(measured: Iterable[Values]) -> tuple[float, float]:
    """Return what is black and white in images whose values bits do not describe.

    These are percentiles 0.5 and 99.5 of the values of all images, of which each counts the same.
    If they fill one of the usual ranges (0 to 1, 0 to 255, 0 to 1,023, ...), they are its ends.

    Examples
    --------
    >>> import numpy as np
    >>> black_and_white([measure(np.linspace(0.02, 0.8, 1000))])
    (0.0, 1.0)
    """
    import numpy as np

    measured = list(measured)
    pooled = np.concatenate([values.quantiles for values in measured])
    black, white = map(float, np.quantile(pooled, (BLACK, WHITE)))
    largest = max(values.largest for values in measured)
    if min(values.smallest for values in measured) >= 0:
        top = next((top for top in _RANGES if largest <= top), math.inf)
        if black <= _NEAR_BLACK * top and _NEAR_WHITE * top <= white:
            return 0.0, top
    return black, white


def to_eight_bits(values: NDArray[Any], pixels: PixelSettings) -> tuple[NDArray[np.uint8], bool]:
    """Scale the values of an image to 0 to 255.

    Parameters
    ----------
    values : ndarray
        Integers of more than 8 bits, or floating-point numbers.
    pixels : PixelSettings
        `bits`, `black` and `white`; what is None there is decided by the image itself.

    Returns
    -------
    scaled : ndarray of uint8
        Of the same shape.
    is_clipped : bool
        Whether more than 1% of the values are above white.
    """
    import numpy as np

    black, white = _black_and_white(values, pixels)
    share = (np.nan_to_num(values.astype(np.float32), nan=black) - black) / max(
        white - black, float(np.finfo(np.float32).tiny)
    )
    is_clipped = bool(np.mean(share > 1) > _CLIPPED)
    return np.rint(255 * share.clip(0, 1)).astype(np.uint8), is_clipped


def _black_and_white(values: NDArray[Any], pixels: PixelSettings) -> tuple[float, float]:
    if values.dtype.kind in "ui" and pixels.bits is not None:
        return 0.0, float(2**pixels.bits - 1)
    if pixels.black is not None and pixels.white is not None:
        return pixels.black, pixels.white
    measured = measure(values)
    if measured.fits_bits:
        return 0.0, float(2 ** bits_in_use([measured]) - 1)
    return black_and_white([measured])
