"""What the EXIF data of a photograph say about its camera and its time; nothing is decoded."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from extract.images.formats import format_of, open_image
from extract.images.properties.record import LONGEST_TEXT

_MAKE, _MODEL, _CHANGED, _EXIF = 0x010F, 0x0110, 0x0132, 0x8769
_TAKEN, _SERIAL = 0x9003, 0xA431
_FORMAT = "%Y:%m:%d %H:%M:%S"
_WITH_EXIF = ("JPEG", "PNG", "TIFF", "WEBP")


@dataclass(frozen=True)
class PhotoTags:
    """What EXIF data say about camera and time, as it is written there; empty if it is missing."""

    make: str = ""
    model: str = ""
    serial: str = ""
    taken: str = ""
    changed: str = ""


def read_tags(data: bytes, name: str | None) -> PhotoTags:
    """Return what the EXIF data of an image say about camera and time.

    Parameters
    ----------
    data : bytes
        Content of a file, which may be anything.
    name : str or None
        Its format, as from `extract.images.formats.format_of`.
    """
    if name not in _WITH_EXIF:
        return PhotoTags()
    # A damaged or malicious block makes Pillow's parser raise anything.
    with (
        contextlib.suppress(Exception),
        warnings.catch_warnings(action="ignore"),
        open_image(data, name) as image,
    ):
        exif = image.getexif()
        details = exif.get_ifd(_EXIF)
        return PhotoTags(
            make=_text(exif.get(_MAKE)),
            model=_text(exif.get(_MODEL)),
            serial=_text(details.get(_SERIAL)),
            taken=_text(details.get(_TAKEN)),
            changed=_text(exif.get(_CHANGED)),
        )
    return PhotoTags()


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
    """Return when and by which camera a JPEG was taken.

    Parameters
    ----------
    data : bytes
        Content of a file, which may be anything.

    Returns
    -------
    Capture or None
        None if it does not say both.
    """
    name = format_of(data)
    tags = read_tags(data, name) if name == "JPEG" else PhotoTags()
    camera = " ".join(filter(None, (tags.make, tags.model, tags.serial)))
    with contextlib.suppress(ValueError):
        time = datetime.strptime(tags.taken[:19], _FORMAT).replace(tzinfo=UTC)
        return Capture(camera, time) if camera else None
    return None


def _text(value: Any) -> str:
    return " ".join(str(value or "").replace("\0", " ").split())[:LONGEST_TEXT]
