"""What the first bytes of an image file say about how it was stored; nothing is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.images.formats import read_header
from extract.images.properties.record import ImageProperties

if TYPE_CHECKING:
    from extract.images.formats import Header

_TURNED = 5
"""From this EXIF orientation on, width and height change places."""
_QUANTISATION, _SCAN, _FILL = 0xDB, 0xDA, 0xFF
_MOST_SEGMENTS = 1000
_COEFFICIENTS = 64

_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Table K.1 of the JPEG standard, which stands for quality 50."""


def read_header_properties(data: bytes, n_bytes: int) -> ImageProperties:
    """Return what the header of an image file says.

    Parameters
    ----------
    data : bytes
        The file, or its beginning.
    n_bytes : int
        Size of the whole file.

    Returns
    -------
    ImageProperties
        Format, size of the file, width, height and quality.
    """
    header = read_header(data)
    if header is None:
        return ImageProperties(n_bytes=n_bytes)
    return header_properties(data, n_bytes, header)


def header_properties(data: bytes, n_bytes: int, header: Header) -> ImageProperties:
    """Return what a header that has been read says.

    Parameters
    ----------
    data, n_bytes
        As for `read_header_properties`.
    header : Header
    """
    width, height = header.width, header.height
    if header.orientation >= _TURNED:
        width, height = height, width
    quality = jpeg_quality(data) if header.format == "JPEG" else None
    return ImageProperties(header.format, n_bytes, width, height, quality)


def jpeg_quality(data: bytes) -> int | None:
    """Return the quality of a JPEG from 1 to 100, by its quantisation table.

    Parameters
    ----------
    data : bytes
        The file, or its beginning.

    Returns
    -------
    int or None
        The quality of the Independent JPEG Group's encoder whose table has the nearest sum; other
        encoders have other tables. None if no table is found.

    References
    ----------
    The scaling of the table is that of ``jpeg_quality_scaling`` in libjpeg.
    """
    position = 2
    for _ in range(_MOST_SEGMENTS):
        while data[position + 1 : position + 2] == bytes([_FILL]):
            position += 1
        if position + 4 > len(data) or data[position] != _FILL or data[position + 1] == _SCAN:
            return None
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] == _QUANTISATION:
            total = _sum_of_first_table(data[position + 4 : position + 2 + length])
            if total is not None:
                return min(range(1, 101), key=lambda quality: abs(_SUMS[quality] - total))
        position += 2 + max(length, 2)
    return None


def _sum_of_first_table(tables: bytes) -> int | None:
    """Return the sum of the table number 0, which is that of the brightness."""
    position = 0
    while position < len(tables):
        n_bytes = 2 if tables[position] >> 4 else 1
        table = tables[position + 1 : position + 1 + n_bytes * _COEFFICIENTS]
        if len(table) < n_bytes * _COEFFICIENTS:
            return None
        if tables[position] & 0x0F == 0:
            return sum(
                int.from_bytes(table[i : i + n_bytes], "big") for i in range(0, len(table), n_bytes)
            )
        position += 1 + len(table)
    return None


def _sum_at(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((entry * scale + 50) // 100, 1), 255) for entry in _LUMINANCE)


_SUMS = [0, *map(_sum_at, range(1, 101))]
