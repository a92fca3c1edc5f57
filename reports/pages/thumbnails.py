"""A picture file as a thumbnail that fits into a page."""

from __future__ import annotations

import base64
import io
import stat
import warnings
from typing import TYPE_CHECKING

from toolkit.addresses import is_address, is_remote, place, read_remote
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 96
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
JPEG_QUALITY = 80
MIB = 2**20


def thumbnail(path: Path, size: int = SIZE) -> bytes | None:
    """Return a small JPEG of the picture at `path`, upright, in its own proportions.

    Parameters
    ----------
    path : pathlib.Path
        A picture file of a format that OpenCV reads, or its address.
    size : int
        Longest side in pixels; a smaller picture stays as it is.

    Returns
    -------
    bytes or None
        None if the file is gone, is no regular file, is empty or larger than 64 MiB, holds more
        than 50 million pixels, or cannot be decoded.
    """
    import cv2
    import numpy as np

    try:
        data = _read(path)
        if not 0 < len(data) <= MAX_BYTES or not _has_sensible_size(data):
            return None
        encoded = np.frombuffer(data, dtype=np.uint8)
        image = cv2.imdecode(encoded, _flag(len(data)))
        if image is None:
            return None
        height, width = image.shape[:2]
        scale = min(1.0, size / max(height, width))
        if scale < 1:
            shape = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
        done, small = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    except (OSError, ValueError, MemoryError, cv2.error):
        return None
    return small.tobytes() if done else None


def _read(path: Path) -> bytes:
    """Return what is in a file; nothing, if it is too large or no regular file."""
    if is_remote(path):
        return read_remote(path, MAX_BYTES, attempts=1)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        return b""
    return path.read_bytes()


def embedded(root: str, path: str, size: int, *, fetch: bool) -> str | None:
    """Return a picture's thumbnail in Base64, as a page holds it.

    Parameters
    ----------
    root, path : str
        See `reports.record.Data.root`.
    size : int
        See `thumbnail`.
    fetch : bool
        Whether a picture at an address is fetched. A record that comes from somebody else must not
        make whoever looks at it ask servers of that person's choice.

    Returns
    -------
    str or None
        As from `thumbnail`.
    """
    if not fetch and (is_address(root) or is_address(path)):
        return None
    try:
        picture = place(root, path)
    except AddressError:
        return None
    image = thumbnail(picture, size)
    return base64.b64encode(image).decode("ascii") if image else None


def _has_sensible_size(data: bytes) -> bool:
    """Return whether the header promises no more than `MAX_PIXELS`; nothing is decoded."""
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=FORMATS) as header,
        ):
            return header.width * header.height <= MAX_PIXELS
    except Exception:  # noqa: BLE001 - Pillow's parsers stumble over hostile headers in every way
        return False


def _flag(n_bytes: int) -> int:
    """Return how to decode a file of `n_bytes`: the larger it is, the more it is reduced.

    A picture of a MiB has some 600 pixels a side even uncompressed, so that the reduced one still
    fills a thumbnail; for JPEG the reduction bounds the memory and the time too.
    """
    import cv2

    if n_bytes >= 8 * MIB:
        return int(cv2.IMREAD_REDUCED_COLOR_8)
    if n_bytes >= MIB:
        return int(cv2.IMREAD_REDUCED_COLOR_4)
    return int(cv2.IMREAD_COLOR)
