"""From the bytes of an image file to an RGB `uint8` array, or the reason why not.

The files may come from anybody. Decode them in a process that may die: see
`extract.images.decoders.pool`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.images import depth
from extract.images.formats import MAX_PIXELS, check
from extract.images.pixels import PixelSettings, Remark
from extract.images.rendering import Seen, as_seen, read_opencv, read_values
from extract.images.resizing import resize, scale

if TYPE_CHECKING:
    import numpy as np

    from extract.images.formats import Header

_FIRST_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
"""The formats that the first version of this toolkit could read."""


def decode(data: bytes, pixels: PixelSettings | int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image as a person sees it, and resize it to a square.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG, BMP, WebP, GIF, TIFF, PPM, JPEG 2000 or AVIF file; with the extra ``heif`` also
        HEIC, with the extra ``dicom`` also DICOM. The EXIF orientation is applied, grey and CMYK
        become RGB, transparency is laid on white, more than 8 bits are scaled, and the first page
        or frame is used.
    pixels : PixelSettings or int
        Size and arithmetic; a size alone stands for the other defaults.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted; four times that for a JPEG that is
        decoded at a smaller scale.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If `check` refuses the file, it is damaged or needs too much memory, or an extra is missing.
    """
    return render(data, PixelSettings.of(pixels), max_pixels).image


def render(data: bytes, pixels: PixelSettings, max_pixels: int = MAX_PIXELS) -> Seen:
    """Decode an image as `decode` does, and say what a reader should know about it.

    Raises
    ------
    ImageError
        As from `decode`.
    """
    is_first_version = pixels.interpolation == "lanczos4"
    header = check(data, max_pixels, reduced_to=None if is_first_version else pixels.size)
    if is_first_version and header.format in _FIRST_FORMATS:
        image, remarks = read_opencv(data, max_pixels), _dropped(data, header, max_pixels)
    else:
        seen = as_seen(data, header, pixels, max_pixels)
        image, remarks = seen.image, seen.remarks
    square = resize(image, pixels)
    if (square[0] == square[0, 0]).all() and (square == square[0, 0]).all():
        remarks |= Remark.UNIFORM
    return Seen(square, remarks)


def decode_thumbnail(data: bytes, size: int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image and shrink it in its own proportions.

    Parameters
    ----------
    data, max_pixels
        As for `decode`.
    size : int
        Longest side of the result in pixels. A smaller image is not enlarged.

    Returns
    -------
    numpy.ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    ImageError
        As from `decode`.
    """
    header = check(data, max_pixels, reduced_to=size)
    image = as_seen(data, header, PixelSettings(size), max_pixels).image
    height, width = image.shape[:2]
    if max(height, width) <= size:
        return image
    share = size / max(height, width)
    return scale(image, max(1, round(width * share)), max(1, round(height * share)))


def measure(data: bytes, max_pixels: int = MAX_PIXELS) -> depth.Values | None:
    """Measure the values of an image of more than eight bits; of another, return None.

    Raises
    ------
    ImageError
        As from `decode`.
    """
    header = check(data, max_pixels)
    if not header.is_deep:
        return None
    values, _ = read_values(data, header, max_pixels)
    if values.ndim == 3 and values.shape[2] == 4:
        values = values[:, :, :3]
    return depth.measure(values)


def _dropped(data: bytes, header: Header, max_pixels: int) -> Remark:
    """Return what the arithmetic of the first version drops of an image that a person sees."""
    if header.is_deep:
        return Remark.DEPTH_CUT
    if header.has_alpha:
        seen = as_seen(data, header, PixelSettings(1), max_pixels).image
        if (seen != read_opencv(data, max_pixels)).any():
            return Remark.ALPHA_DROPPED
    return Remark.NOTHING
