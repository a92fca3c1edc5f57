"""When and by which camera a photograph was taken, by its EXIF data."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from extract.images.formats import format_of, open_image

_MAKE, _MODEL, _EXIF = 0x010F, 0x0110, 0x8769
_TAKEN, _SERIAL = 0x9003, 0xA431
_FORMAT = "%Y:%m:%d %H:%M:%S"
_LONGEST = 64


@dataclass(frozen=True, order=True)
class Capture:
    """When and by which camera a photograph was taken.

    Parameters
    ----------
    camera : str
        Make, model and serial number, as far as they are known.
    time : datetime
        To the second. The zone is that of the camera, which is not known: it says UTC.
    """

    camera: str
    time: datetime


def read_capture(data: bytes) -> Capture | None:
    """Return when and by which camera a JPEG was taken; nothing is decoded.

    Parameters
    ----------
    data : bytes
        Content of a file, which may be anything.

    Returns
    -------
    Capture or None
        None if it does not say both.
    """
    if format_of(data) != "JPEG":
        return None
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(Exception):
        # Malicious EXIF data make Pillow's parser raise anything.
        with open_image(data, "JPEG") as image:
            exif = image.getexif()
            details = exif.get_ifd(_EXIF)
            parts = [exif.get(_MAKE), exif.get(_MODEL), details.get(_SERIAL)]
            time = datetime.strptime(str(details[_TAKEN])[:19], _FORMAT).replace(tzinfo=UTC)
        camera = " ".join(filter(None, map(_text, parts)))
        return Capture(camera, time) if camera else None
    return None


def _text(value: Any) -> str:
    return " ".join(str(value or "").replace("\0", " ").split())[:_LONGEST]
