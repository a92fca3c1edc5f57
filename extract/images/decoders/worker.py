"""The process that reads and decodes the files that a pool requests."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from extract.errors import ImageError
from extract.images.decoders.protocol import (
    DEEP,
    PATH,
    PROPERTIES,
    REQUEST,
    SECONDS_TO_DECODE,
    SHALLOW,
    SIDES,
    THUMBNAIL,
    VALUES,
)
from extract.images.decoding import decode_thumbnail, measure, render
from extract.images.files import read_bytes
from extract.images.formats import is_deep
from extract.images.pixels import PixelSettings, Remark
from extract.images.properties.measuring import measure_properties
from toolkit.processes import connect, end_after, held_back_errors, limit_memory

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_BASE_BYTES, _BYTES_PER_PIXEL = 2 * 2**30, 40
"""Memory that a decoder may take beyond what it starts with; about 4 GB by default."""


def work(line: str, pixels: str, max_pixels: str) -> None:
    """Decode every file that is requested, until the other end of the connection is closed.

    Parameters
    ----------
    line : str
        File descriptor of the connection, or its handle on Windows.
    pixels, max_pixels : str
        See `DecoderPool`; the settings as JSON.
    """
    settings, limit = PixelSettings.from_json(pixels), int(max_pixels)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with connect(int(line)) as connection, contextlib.suppress(EOFError, OSError):
        try:
            warnings = _prepare(limit)
        except ImportError as error:
            connection.send_bytes(str(error).encode() or b"?")
            return
        connection.send_bytes(b"")
        while True:
            _answer(connection, warnings, settings, limit)


def _prepare(max_pixels: int) -> int:
    """Import the libraries, limit this process, and return a pipe that reads its standard error."""
    import cv2  # noqa: F401 - here, so that its import does not count as time of the first image
    from PIL import Image, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    Image.preinit()
    limit_memory(_BASE_BYTES + _BYTES_PER_PIXEL * max_pixels)
    return held_back_errors()


def _answer(
    connection: Connection, warnings: int, settings: PixelSettings, max_pixels: int
) -> None:
    message = connection.recv_bytes()
    kind, request, size = REQUEST.unpack_from(message)
    # If no process is left to end a decoder that hangs, the system does.
    end_after(2 * SECONDS_TO_DECODE)
    try:
        data = message[REQUEST.size :]
        if kind == PATH:
            data = read_bytes(Path(os.fsdecode(data)))
        digest = hashlib.sha256(data).hexdigest().encode("ascii")
        connection.send_bytes(b"+" + digest + (DEEP if is_deep(data) else SHALLOW))
        _read(warnings)
        answer = b"+" + _made(data, request, size, settings, max_pixels)
        # A JPEG may have its end marker and yet lack data: libjpeg fills in grey and only warns.
        if b"premature end" in _read(warnings):
            raise ImageError("damaged JPEG: a part of the image is missing")
    except ImageError as error:
        answer = b"-" + str(error).encode("utf-8", "replace")
    except MemoryError:
        answer = b"-not enough memory to decode it"
    end_after(0)
    connection.send_bytes(answer)


def _made(
    data: bytes, request: bytes, size: int, settings: PixelSettings, max_pixels: int
) -> bytes:
    """Return what is requested of an image."""
    if request == VALUES:
        values = measure(data, max_pixels)
        return values.to_json().encode("ascii") if values else b""
    if request == PROPERTIES:
        return measure_properties(data, max_pixels).to_json().encode("ascii")
    if request == THUMBNAIL:
        image, remarks = decode_thumbnail(data, size, max_pixels), Remark.NOTHING
    else:
        seen = render(data, settings, max_pixels)
        image, remarks = seen.image, seen.remarks
    return SIDES.pack(b"+", *image.shape[:2], remarks)[1:] + image.tobytes()


def _read(warnings: int) -> bytes:
    """Return what was written to standard error since the last call."""
    with contextlib.suppress(BlockingIOError):
        return os.read(warnings, 2**16)
    return b""
