"""Bytes -> RGB `uint8` array of one size, or the reason why not.

What is decoded here was made by anybody. It belongs into a process that may die: see
`extract.images.decoder_pool`.
"""

from __future__ import annotations

import functools
import io
import os
import re
import stat
import warnings
import zlib
from typing import TYPE_CHECKING, Any

from extract.errors import ImageError
from toolkit.addresses import is_remote, read_remote
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"}
)
"""Suffixes, in lower case, of the files that a data set's folders are searched for."""

MAX_BYTES = 256 * 2**20
"""A larger file is no photograph; it is refused before it is read."""

MAX_PIXELS = 50_000_000
"""A larger image is refused; decoding it would take more memory than the network itself."""

# By their first bytes, whatever a file is called. OpenCV reads a few more, which nobody trains on:
# each would be one more parser for hostile files to try.
_FORMATS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "BMP": re.compile(rb"BM"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PPM": re.compile(rb"P[1-6][\s#]"),
}

# In the coded data of a scan, 0xff is followed by a zero or by a restart marker's number.
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_JPEG_SCAN, _JPEG_END, _JPEG_WITHOUT_LENGTH = 0xDA, 0xD9, {0x01, 0xD8}


def read_bytes(path: Path) -> bytes:
    """Read an image file whole.

    Raises
    ------
    ImageError
        If it is not a regular file (a FIFO would wait for ever), is empty, is larger than
        `MAX_BYTES`, changes meanwhile, or cannot be read.
    AddressError
        If it is an address that does not answer.
    """
    if is_remote(path):
        return _read_remote(path)
    try:
        # Before it is opened: opening alone makes some devices do something.
        _check_status(path.stat())
        # O_NONBLOCK: opening a FIFO that has just taken the file's place must not hang.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            size = _check_status(os.fstat(file.fileno()))
            data = file.read(size + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    if len(data) != size:
        raise ImageError("its size changed while it was being read; run again")
    return data


def _read_remote(path: Path) -> bytes:
    try:
        data = read_remote(path, MAX_BYTES)
    except OSError as error:
        if isinstance(error, AddressError):
            raise
        gone = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if gone else error.strerror or error
        raise ImageError(f"cannot be read: {reason}") from error
    check_size(len(data))
    return data


def check(data: bytes, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse what no decoder should see, by its header and by where its parts end.

    Nothing is decoded. An image that is cut short is refused here because some decoders fill the
    missing part with grey, or with the picture before, and say nothing. Only for JPEG and PNG must
    this be looked for: OpenCV's other decoders refuse such files themselves.

    Parameters
    ----------
    data : bytes
        An image file.
    max_pixels : int
        Width times height up to which an image is accepted.

    Raises
    ------
    ImageError
        If the data are in no format that is read, hold too many pixels, or are a JPEG or PNG that
        is cut short or (PNG) whose checksums are wrong.
    """
    name = _format(data)
    if name is None:
        formats = ", ".join(_FORMATS)
        raise ImageError(f"not an image, or in another format than {formats}")
    _sides(data, name, max_pixels)
    if name == "JPEG":
        _check_jpeg(data)
    elif name == "PNG":
        _check_png(data)


def decode(data: bytes, size: int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image and resize it to a square.

    The image is turned by its EXIF orientation and resized with `INTER_LANCZOS4` straight to
    `(size, size)`, as the lesson does: the sides are stretched, nothing is cropped.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG, BMP, WebP, GIF, TIFF or PPM file. Grey becomes RGB, alpha is dropped, 16 bits
        become 8; of an animation the first frame is taken.
    size : int
        Side of the result in pixels.
    max_pixels : int
        Width times height up to which an image is accepted.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If `check` refuses the data, or they are damaged or take too much memory.
    """
    return _decode(data, _opencv().IMREAD_COLOR, max_pixels, functools.partial(resize, size=size))


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
    cv2 = _opencv()

    def shrink(bgr: np.ndarray) -> np.ndarray:
        height, width = bgr.shape[:2]
        scale = min(1.0, size / max(height, width))
        if scale == 1:
            return bgr
        sides = (max(1, round(width * scale)), max(1, round(height * scale)))
        small: np.ndarray = cv2.resize(bgr, sides, interpolation=cv2.INTER_AREA)
        return small

    # An image of a MiB has some 600 pixels a side even uncompressed, so that the reduced one still
    # fills a thumbnail; for JPEG the reduction saves time and memory too.
    flag = cv2.IMREAD_COLOR
    if len(data) >= 2**23:
        flag = cv2.IMREAD_REDUCED_COLOR_8
    elif len(data) >= 2**20:
        flag = cv2.IMREAD_REDUCED_COLOR_4
    return _decode(data, flag, max_pixels, shrink)


def _decode(
    data: bytes, flag: int, max_pixels: int, to_size: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Check, decode and resize an image, and turn OpenCV's errors into ours."""
    check(data, max_pixels)
    import numpy as np

    cv2 = _opencv()
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flag)
        if bgr is None:
            raise ImageError("damaged, cut short, or of a kind that OpenCV does not read")
        if bgr.shape[0] * bgr.shape[1] > max_pixels:
            raise _too_large(max_pixels, bgr.shape[1], bgr.shape[0])
        rgb: np.ndarray = cv2.cvtColor(to_size(bgr), cv2.COLOR_BGR2RGB)
        return rgb
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise _too_large(max_pixels) from error
        raise ImageError(f"cannot be decoded: {error.err or error}") from error
    except MemoryError as error:
        raise ImageError("cannot be decoded: not enough memory") from error


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square; the sides are stretched, nothing is cropped.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (height, width, 3)
        RGB or BGR.
    size : int
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)
    """
    import numpy as np

    cv2 = _opencv()
    square: np.ndarray = cv2.resize(
        np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_LANCZOS4
    )
    return square


def _check_status(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not a regular file")
    check_size(status.st_size)
    return status.st_size


def check_size(size: int) -> None:
    """Refuse a file of no bytes, or of more than `MAX_BYTES`.

    Raises
    ------
    ImageError
    """
    if size > MAX_BYTES:
        raise ImageError(f"larger than {MAX_BYTES // 2**20} MiB")
    if not size:
        raise ImageError("empty file")


def sides(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | None:
    """Return the width and height in an image's header, or None if it cannot be read.

    Raises
    ------
    ImageError
        If there are more than `max_pixels`.
    """
    name = _format(data)
    return _sides(data, name, max_pixels) if name else None


def _format(data: bytes) -> str | None:
    return next((name for name, start in _FORMATS.items() if start.match(data)), None)


def _sides(data: bytes, name: str, max_pixels: int) -> tuple[int, int] | None:
    """Read the header with Pillow; what it cannot read is left to OpenCV."""
    from PIL import Image

    theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), "r", [name]) as header,
        ):
            width, height = header.size
    except Image.DecompressionBombError:
        raise _too_large(max_pixels) from None
    except Exception:  # noqa: BLE001 - Pillow's parsers stumble over hostile headers in every way
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = theirs
    if width * height > max_pixels:
        raise _too_large(max_pixels, width, height)
    return width, height


def _too_large(max_pixels: int, *sides: int) -> ImageError:
    found = "{:,} x {:,} is ".format(*sides) if sides else ""
    return ImageError(f"{found}more than {max_pixels:,} pixels; --max-pixels sets the limit")


def _check_jpeg(data: bytes) -> None:
    """Walk over the markers to the end: that of an embedded thumbnail is inside a segment."""
    position, in_scan = 2, False
    while marker := _JPEG_MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code == _JPEG_END and in_scan:
            return
        in_scan = in_scan or code == _JPEG_SCAN
        if code not in _JPEG_WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
    raise ImageError("truncated JPEG: the end-of-image marker is missing")


def _check_png(data: bytes) -> None:
    """Walk over the chunks to the last, and hold each against its checksum."""
    view, position = memoryview(data), 8
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            break
        expected = int.from_bytes(data[end - 4 : end], "big")
        if zlib.crc32(view[position + 4 : end - 4]) != expected:
            raise ImageError("damaged PNG: a checksum is wrong")
        if data[position + 4 : position + 8] == b"IEND":
            return
        position = end
    raise ImageError("truncated PNG: the last chunk is missing")


@functools.cache
def _opencv() -> Any:
    """Return the module `cv2`, set up for several processes that decode one image each."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
