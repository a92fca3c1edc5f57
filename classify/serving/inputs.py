"""Images as callers hold them: paths, arrays or PIL images; checked row by row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.errors import ImageError
from toolkit.addresses import as_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EXPECTED = "expected paths, uint8 arrays of shape (height, width, 3) or PIL images"


def check_rows(rows: Sequence[Any]) -> list[Path] | list[NDArray[np.uint8]]:
    """Check images that a caller has passed, and return all of them in one form.

    Parameters
    ----------
    rows : sequence
        Either paths or addresses (str or path), or images in memory: uint8 arrays of shape
        (height, width, 3) in RGB, or PIL images. An array of shape (n, height, width, 3) is a
        sequence of n images.

    Returns
    -------
    list of Path or list of ndarray
        Paths if the rows are paths, else RGB arrays of uint8.

    Raises
    ------
    ImageError
        If there are no rows, or one of them is none of these, or only some are paths; the message
        names the first such row.

    Examples
    --------
    >>> check_rows(["a.jpg", "b.jpg"])
    [PosixPath('a.jpg'), PosixPath('b.jpg')]
    >>> check_rows(np.zeros((2, 30, 40, 3), np.uint8))[1].shape
    (30, 40, 3)
    >>> check_rows(["a.jpg", None])
    Traceback (most recent call last):
        ...
    extract.errors.ImageError: row 1: expected paths, uint8 arrays of shape (height, width, 3) or \
PIL images, found None
    """
    if isinstance(rows, str | os.PathLike | bytes):
        raise ImageError(f"expected a list of images, found a single {type(rows).__name__}")
    converted = [_convert(number, row) for number, row in enumerate(rows)]
    if not converted:
        raise ImageError(f"{EXPECTED}, found an empty list")
    images = [row for row in converted if isinstance(row, np.ndarray)]
    paths = [row for row in converted if not isinstance(row, np.ndarray)]
    if paths and images:
        in_memory = [isinstance(row, np.ndarray) for row in converted]
        raise ImageError(
            f"row {in_memory.index(not in_memory[0])}: expected either paths or images in memory "
            "in all rows, found both"
        )
    return paths or images


def resize(images: Sequence[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Resize images in memory to a square, as the decoder does with files.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (height, width, 3)
        RGB.
    size : int
        Side of the square in pixels.

    Returns
    -------
    ndarray of uint8, shape (n, size, size, 3)
        RGB.
    """
    import cv2

    squares = np.empty((len(images), size, size, 3), np.uint8)
    for square, image in zip(squares, images, strict=True):
        square[:] = cv2.resize(
            np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_LANCZOS4
        )
    return squares


def _convert(number: int, row: Any) -> Path | NDArray[np.uint8]:
    if isinstance(row, np.ndarray):
        if row.dtype != np.uint8 or row.ndim != 3 or row.shape[2] != 3 or not row.size:
            raise _unexpected(number, f"an array of {row.dtype} with shape {row.shape}")
        return row
    if isinstance(row, Path) or hasattr(row, "fs"):  # as UPath has, which stands for an address
        path: Path = row
        return path
    if isinstance(row, str | os.PathLike):
        if not os.fspath(row):
            raise _unexpected(number, "an empty string")
        return as_path(os.fspath(row))
    if hasattr(row, "getexif") and hasattr(row, "convert"):
        return _from_pil(number, row)
    raise _unexpected(number, "None" if row is None else repr(row)[:50])


def _unexpected(number: int, found: str) -> ImageError:
    return ImageError(f"row {number}: {EXPECTED}, found {found}")


def _from_pil(number: int, image: Any) -> NDArray[np.uint8]:
    """Return the pixels as a person sees them: turned by the EXIF orientation, in RGB."""
    from PIL import ImageOps

    if image.mode in ("I", "F"):
        raise _unexpected(number, f"a PIL image of mode {image.mode!r}, whose range is unknown")
    try:
        turned = ImageOps.exif_transpose(image)
        if turned.mode.startswith("I;16"):  # Pillow would clip all values above 255
            grey = (np.asarray(turned) >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        pixels: NDArray[np.uint8] = np.asarray(turned.convert("RGB"))
    except OSError as error:  # PIL decodes a file when its pixels are first used
        raise ImageError(f"row {number}: the PIL image cannot be decoded: {error}") from error
    return pixels
