"""From the bytes of an image file to an RGB `uint8` array, or the reason why not.

The files may come from anybody. Decode them in a process that may die: see
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
"""Lower-case suffixes of the files that count as images in the folders of a data set."""

MAX_BYTES = 256 * 2**20
"""A larger file is refused before it is read; no photograph has this size."""

MAX_PIXELS = 50_000_000
"""A larger image is refused; decoding it would take more memory than the network itself."""

# Formats by their first bytes, whatever a file is called. OpenCV reads a few more, which are rarely
# used for training: each would be another parser that malicious files can attack.
_FORMATS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "BMP": re.compile(rb"BM"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PPM": re.compile(rb"P[1-6][\s#]"),
}

# Within the coded data of a scan, 0xff is followed by a zero or by the number of a restart marker.
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_JPEG_SCAN, _JPEG_END, _JPEG_WITHOUT_LENGTH = 0xDA, 0xD9, {0x01, 0xD8}


def read_bytes(path: Path) -> bytes:
    """Read a whole image file.

    Parameters
    ----------
    path : pathlib.Path
        A file, or the address of one.

    Raises
    ------
    ImageError
        If it is not a regular file (reading a FIFO would block), is empty, is larger than
        `MAX_BYTES`, changes while it is read, or cannot be read.
    AddressError
        If it is an address and the server does not respond.
    """
    if is_remote(path):
        return _read_remote(path)
    try:
        # Before it is opened, because opening some devices has side effects.
        _check_status(path.stat())
        # O_NONBLOCK: opening a FIFO that has just replaced the file must not block.
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
    """Check the header and the structure of an image file before any decoder sees it.

    Nothing is decoded. Truncated images are refused here because some decoders silently fill the
    missing part with grey or with the previous image. This must only be checked for JPEG and PNG:
    OpenCV's other decoders refuse such files themselves.

    Parameters
    ----------
    data : bytes
        Content of an image file.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.

    Raises
    ------
    ImageError
        If the format is not supported, the image has too many pixels, or it is a JPEG or PNG that
        is truncated, or a PNG with a wrong checksum.
    """
    name = format_of(data)
    if name is None:
        formats = ", ".join(_FORMATS)
        raise ImageError(f"not an image, or not in one of the formats {formats}")
    _sides(data, name, max_pixels)
    if name == "JPEG":
        _check_jpeg(data)
    elif name == "PNG":
        _check_png(data)


def decode(data: bytes, size: int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image and resize it to a square.

    The EXIF orientation is applied, and the image is resized with `INTER_LANCZOS4` directly to
    `(size, size)`, as in the lesson: it is stretched, and nothing is cropped.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG, BMP, WebP, GIF, TIFF or PPM file. Grey images become RGB, alpha is dropped,
        16 bits become 8, and the first frame of an animation is used.
    size : int
        Side of the result in pixels.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.

    Returns
    -------
    numpy.ndarray of uint8, shape (size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If `check` refuses the file, or it is damaged or needs too much memory.
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
            raise ImageError("damaged, truncated, or of a kind that OpenCV does not read")
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
    if stat.S_ISDIR(status.st_mode):
        raise ImageError("it is a folder; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not a regular file")
    check_size(status.st_size)
    return status.st_size


def check_size(size: int) -> None:
    """Check the number of bytes of a file.

    Raises
    ------
    ImageError
        If it is empty or larger than `MAX_BYTES`.
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
        If width times height is more than `max_pixels`.
    """
    name = format_of(data)
    return _sides(data, name, max_pixels) if name else None


def format_of(data: bytes) -> str | None:
    """Return the name of the supported format that a file begins as, or None.

    Parameters
    ----------
    data : bytes
        Its first 256 bytes, or more.
    """
    return next((name for name, start in _FORMATS.items() if start.match(data)), None)


def _sides(data: bytes, name: str, max_pixels: int) -> tuple[int, int] | None:
    """Read the header with Pillow; a header that it cannot read is left to OpenCV."""
    from PIL import Image

    previous, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), "r", [name]) as header,
        ):
            width, height = header.size
    except Image.DecompressionBombError:
        raise _too_large(max_pixels) from None
    except Exception:  # noqa: BLE001 - malicious headers make Pillow's parsers raise anything
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = previous
    if width * height > max_pixels:
        raise _too_large(max_pixels, width, height)
    return width, height


def _too_large(max_pixels: int, *sides: int) -> ImageError:
    found = "{:,} x {:,} is ".format(*sides) if sides else ""
    return ImageError(
        f"{found}more than {max_pixels:,} pixels; raise that limit to use the image",
        setting="max_pixels",
    )


def _check_jpeg(data: bytes) -> None:
    """Follow the markers to the end of the image; that of an embedded thumbnail is in a segment."""
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
    """Follow the chunks to the last one, and compare each with its checksum."""
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
    """Return the module `cv2`, with one thread: each process decodes one image at a time."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
