"""The boxes of HEIF and AVIF files (ISO base media files), as far as a header is concerned.

Written in Python alone, so that no decoder sees a file before its size is known.
"""

from __future__ import annotations

import re

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Properties of the image and of its tiles and thumbnails; the largest are those of the image.
_EXTENT = re.compile(rb"ispe\0\0\0\0(.{4})(.{4})", re.DOTALL)
_CHANNEL_BITS = re.compile(rb"pixi\0\0\0\0[\x01-\x04](.)", re.DOTALL)
_ALPHA = re.compile(rb"auxC\0\0\0\0urn:mpeg:(mpegB:cicp:systems:auxiliary:alpha|hevc:2015:auxid:1)")
_MOST_BYTES = 2**20
"""The boxes of properties are within so many bytes from the start."""


def format_of(data: bytes) -> str | None:
    """Return ``"HEIF"``, ``"AVIF"`` or None by the brands of a file."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[i : i + 4] for i in range(8, end, 4)}
    if brands & _AVIF:
        return "AVIF"
    return "HEIF" if brands & _HEIF else None


def sides(data: bytes) -> tuple[int, int] | tuple[None, None]:
    """Return width and height of the largest image of a file; None if it states none."""
    extents = [
        (int.from_bytes(match[1], "big"), int.from_bytes(match[2], "big"))
        for match in _EXTENT.finditer(data, 0, _MOST_BYTES)
    ]
    if not extents:
        return None, None
    return max(extents, key=lambda extent: extent[0] * extent[1])


def bits(data: bytes) -> int:
    """Return the bits of a channel."""
    found = [match[1][0] for match in _CHANNEL_BITS.finditer(data, 0, _MOST_BYTES)]
    return max(found, default=8)


def has_alpha(data: bytes) -> bool:
    """Return whether a file has an image of transparency."""
    return _ALPHA.search(data, 0, _MOST_BYTES) is not None
