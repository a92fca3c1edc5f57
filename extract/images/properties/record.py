"""What is known of one image besides its content."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

LONGEST_TEXT = 64
_LARGEST = 1e15


@dataclass(frozen=True)
class ImageProperties:
    """Properties of an image other than what it shows; None is what is not known.

    Parameters
    ----------
    format : str, default=None
        One of `extract.images.formats.FORMATS`.
    n_bytes : int, default=None
        Size of the file.
    width, height : int, default=None
        In pixels, upright.
    quality : int, default=None
        Of the compression of a JPEG, 1 to 100, by its quantisation table.
    camera : str, default=None
        Make and model in the EXIF block.
    hour : int, default=None
        Hour of the day in the EXIF block, 0 to 23.
    brightness, contrast : float, default=None
        Mean and standard deviation of the grey values, 0 to 255.
    darkest, brightest : float, default=None
        Their 1st and 99th percentile.
    sharpness : float, default=None
        Standard deviation of their second derivative, as a share of the contrast.
    red, green, blue : float, default=None
        By how much the mean of the channel is above that of all three.
    saturation : float, default=None
        Mean difference of the largest and the smallest channel.
    border, border_contrast : float, default=None
        Mean and standard deviation of the grey values along the edges.
    variation : float, default=None
        Standard deviation of the channel in which it is largest, over 48 x 48 pixels.

    Notes
    -----
    Other pixels are those of the image at most 256 pixels wide and high.

    Examples
    --------
    >>> ImageProperties.from_json(ImageProperties("PNG", 1200, 40, 30).to_json()).width
    40
    """

    format: str | None = None
    n_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    quality: int | None = None
    camera: str | None = None
    hour: int | None = None
    brightness: float | None = None
    contrast: float | None = None
    darkest: float | None = None
    brightest: float | None = None
    sharpness: float | None = None
    red: float | None = None
    green: float | None = None
    blue: float | None = None
    saturation: float | None = None
    border: float | None = None
    border_contrast: float | None = None
    variation: float | None = None

    def to_json(self) -> str:
        """Return the properties as a text for another process or the cache."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ImageProperties:
        """Return what `to_json` has made a text of.

        Raises
        ------
        ValueError
            If the text is anything else.
        """
        try:
            fields = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deep") from None
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(fields, dict) or sorted(fields) != sorted(names):
            raise ValueError("not the properties of an image")
        for name, value in fields.items():
            if value is not None and not _is_sound(name, value):
                raise ValueError(f"not the property {name} of an image")
        return cls(**fields)


def _is_sound(name: str, value: object) -> bool:
    """Return whether a value is of the kind and in the range that its property has."""
    if name in ("format", "camera"):
        return isinstance(value, str) and len(value) <= LONGEST_TEXT
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST < value < _LARGEST
