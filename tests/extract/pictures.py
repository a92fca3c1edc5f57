"""Small pictures in every format, and pieces of files that are built wrong on purpose."""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def photograph(height: int = 60, width: int = 80) -> np.ndarray:
    """Return a smooth RGB picture: red grows to the right, blue downwards."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = x * 255 // width
    image[:, :, 2] = y * 255 // height
    return image


def picture(mode: str = "RGB") -> Image.Image:
    """Return the photograph in one of Pillow's modes; with alpha, the left is the clearer."""
    image = Image.fromarray(photograph())
    if mode == "RGBA":
        image.putalpha(image.convert("L"))
    return image.convert(mode)


def saved(kind: str, image: Image.Image | str = "RGB", **options: Any) -> bytes:
    """Return the file that Pillow writes of a picture, or of the photograph in a mode."""
    file = io.BytesIO()
    (picture(image) if isinstance(image, str) else image).save(file, kind, **options)
    return file.getvalue()


def moving(kind: str) -> bytes:
    """Return an animation whose first frame is the photograph."""
    frames = [picture().rotate(angle) for angle in (0, 90, 180)]
    return saved(kind, frames[0], save_all=True, append_images=frames[1:])


def oriented(kind: str, orientation: int) -> bytes:
    """Return the photograph with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(kind, exif=exif)


def with_segment(jpeg: bytes, payload: bytes) -> bytes:
    """Return a JPEG with an APP1 segment, where EXIF stands, behind its start."""
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    return jpeg[:2] + segment + jpeg[2:]


def chunk(name: bytes, payload: bytes) -> bytes:
    """Return a PNG chunk with its checksum."""
    body = name + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, pixels: bytes, *, depth: int = 1, kind: int = 0) -> bytes:
    """Return a PNG of the given header and of the given bytes, deflated."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    idat = chunk(b"IDAT", zlib.compress(pixels, 9))
    return PNG_START + chunk(b"IHDR", header) + idat + chunk(b"IEND", b"")


def with_comment_bomb(unpacked: int) -> bytes:
    """Return the photograph as a PNG with a text that unpacks to so many bytes."""
    data = saved("PNG")
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * unpacked))
    return data[:33] + bomb + data[33:]


def with_tags(tiff: bytes, value: int, *tags: int) -> bytes:
    """Return a little-endian TIFF whose given tags have another value."""
    changed = bytearray(tiff)
    for tag in tags:
        entry = re.escape(struct.pack("<H", tag)) + rb"[\x03\x04]\x00\x01\x00\x00\x00"
        place = re.search(entry, tiff)
        assert place is not None
        changed[place.end() : place.end() + 4] = struct.pack("<I", value)
    return bytes(changed)


def huge() -> dict[str, bytes]:
    """Return a small file of each format that promises 65,535 x 65,535 pixels (WebP: 16,383)."""
    jpeg, gif, bmp, webp = map(bytearray, map(saved, ("JPEG", "GIF", "BMP", "WEBP")))
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = b"\xff" * 4
    gif[6:10] = b"\xff" * 4
    bmp[18:26] = struct.pack("<ii", 65535, 65535)
    webp[26:30] = b"\xff\x3f" * 2
    return {
        "JPEG": bytes(jpeg),
        "PNG": png(65535, 65535, b"\0" * 1000, depth=8, kind=2),
        "GIF": bytes(gif),
        "BMP": bytes(bmp),
        "WebP": bytes(webp),
        "TIFF": with_tags(saved("TIFF"), 65535, 256, 257),
        "PPM": b"P6 65535 65535 255\n" + b"\0" * 100,
    }


def scan_bomb() -> bytes:
    """Return a JPEG of a few KB whose 2,000 passes over 49 million pixels take a minute."""
    data = saved("JPEG", Image.new("L", (7000, 7000), 128), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 2000 + b"\xff\xd9"
