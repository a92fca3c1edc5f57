"""Bytes -> RGB `uint8` array of one size, or the reason why not."""

from __future__ import annotations

import functools
import os
import stat
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"}
)
"""Suffixes, in lower case, of the files that a data set's folders are searched for."""

MAX_BYTES = 256 * 2**20
"""A larger file is no photograph; it is refused before it is read."""

MAX_PIXELS = 50_000_000
"""A larger image is refused; decoding it would take more memory than the network itself."""

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def read_bytes(path: Path) -> bytes:
    """Read an image file whole.

    Raises
    ------
    ImageError
        If it is not a regular file (a FIFO would wait for ever), is empty, is larger than
        `MAX_BYTES`, or cannot be read.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to must not hang; regular files ignore it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError("not a regular file")
            if status.st_size > MAX_BYTES:
                raise ImageError(f"larger than {MAX_BYTES // 2**20} MiB")
            data = file.read()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    if not data:
        raise ImageError("empty file")
    return data


def decode(data: bytes, size: int) -> np.ndarray:
    """Decode an image and resize it to a square.

    The image is turned by its EXIF orientation and resized with `INTER_LANCZOS4` straight to
    `(size, size)`, as the lesson does: the sides are stretched, nothing is cropped.

    Parameters
    ----------
    data : bytes
        An image file in any format that OpenCV reads. Grey becomes RGB, alpha is dropped, 16 bits
        become 8.
    size : int
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If the data are no image, are cut short, or hold more than `MAX_PIXELS`.
    """
    cv2 = _opencv()
    if data.startswith(_JPEG_START) and _JPEG_END not in data[-4096:]:
        # OpenCV would fill the missing part with grey and say nothing.
        raise ImageError("truncated JPEG: the end-of-image marker is missing")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"cannot be decoded: {error.err or error}") from error
    if bgr is None:
        raise ImageError("not an image, or damaged, or in a format that OpenCV does not read")
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise ImageError(f"{bgr.shape[1]} x {bgr.shape[0]} is more than {MAX_PIXELS:,} pixels")
    square = cv2.resize(bgr, (size, size), interpolation=cv2.INTER_LANCZOS4)
    return np.ascontiguousarray(square[:, :, ::-1])


@functools.cache
def _opencv() -> Any:
    """Return the module `cv2`, set up for threads that decode one image each."""
    import cv2

    cv2.setNumThreads(1)
    # A broken image is reported by us, not on standard error.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
