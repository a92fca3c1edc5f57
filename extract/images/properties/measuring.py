"""Measure the properties of an image. Call it in a process that may die, as the decoders are."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING

import numpy as np

from extract.images.formats import MAX_PIXELS, check
from extract.images.pixels import PixelSettings
from extract.images.properties.exif import PhotoTags, read_tags
from extract.images.properties.header import header_properties
from extract.images.properties.record import LONGEST_TEXT, ImageProperties
from extract.images.rendering import as_seen
from extract.images.resizing import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 256
"""Longest side in pixels at which an image is measured."""
_BORDER = 0.02
"""Width of the border, as a share of the shorter side."""
_TINY = 48
"""Side in pixels at which an image is looked at to see whether it shows anything."""
_ENDS = (0.01, 0.99)
"""Shares of the pixels that are darker than the darkest and than the brightest tone."""

_HOUR = re.compile(r"\d{4}\D\d\d\D\d\d\D([01]\d|2[0-3])\D")


def measure_properties(data: bytes, max_pixels: int = MAX_PIXELS) -> ImageProperties:
    """Measure the properties of an image.

    Parameters
    ----------
    data : bytes
        Content of an image file.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.

    Raises
    ------
    ImageError
        As from `extract.images.decoding.decode`.
    """
    header = check(data, max_pixels, reduced_to=SIDE)
    image = as_seen(data, header, PixelSettings(SIDE), max_pixels).image
    camera, hour = _camera_and_hour(read_tags(data, header.format))
    known = header_properties(data, len(data), header)
    return _with_pixels(dataclasses.replace(known, camera=camera, hour=hour), _small(image))


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image whose longest side is at most `SIDE` pixels."""
    height, width = image.shape[:2]
    share = min(1.0, SIDE / max(height, width))
    sides = max(1, round(width * share)), max(1, round(height * share))
    cv2 = opencv()
    small: NDArray[np.uint8] = cv2.resize(
        np.ascontiguousarray(image), sides, interpolation=cv2.INTER_AREA
    )
    return small


def _with_pixels(known: ImageProperties, image: NDArray[np.uint8]) -> ImageProperties:
    cv2 = opencv()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shades = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    darkest, brightest = np.searchsorted(shades, np.array(_ENDS) * grey.size)
    contrast = float(grey.std())
    _, second = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    means = np.array(cv2.mean(image)[:3])
    red, green, blue = means - means.mean()
    channels = cv2.split(image)
    largest, smallest = (functools.reduce(each, channels) for each in (cv2.max, cv2.min))
    width = max(1, round(_BORDER * min(grey.shape)))
    inner = np.zeros(grey.shape, dtype=bool)
    inner[width:-width, width:-width] = True
    border = grey[~inner]
    tiny = cv2.resize(image, (_TINY, _TINY), interpolation=cv2.INTER_AREA)
    return dataclasses.replace(
        known,
        brightness=_rounded(grey.mean()),
        contrast=_rounded(contrast),
        darkest=_rounded(darkest),
        brightest=_rounded(brightest),
        sharpness=_rounded(second[0, 0] / contrast) if contrast else 0.0,
        red=_rounded(red),
        green=_rounded(green),
        blue=_rounded(blue),
        saturation=_rounded(cv2.mean(largest - smallest)[0]),
        border=_rounded(border.mean()),
        border_contrast=_rounded(border.std()),
        variation=_rounded(tiny.std(axis=(0, 1)).max()),
    )


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _camera_and_hour(tags: PhotoTags) -> tuple[str | None, int | None]:
    """Return the camera, without a make that its model repeats, and the hour of a photograph."""
    repeats = tags.model.casefold().startswith(tags.make.casefold())
    camera = tags.model if repeats else f"{tags.make} {tags.model}".strip()
    hour = _HOUR.match(tags.taken or tags.changed)
    return camera[:LONGEST_TEXT] or None, int(hour[1]) if hour else None
