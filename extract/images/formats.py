"""What an image file is by its first bytes and its header; nothing is decoded here."""

from __future__ import annotations

import contextlib
import io
import re
import threading
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

from extract.errors import ImageError
from extract.images import boxes, dicom

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"}
    | {".pgm", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".dcm"}
)
"""Lower-case suffixes of the files that count as images in the folders of a data set."""

MAX_PIXELS = 50_000_000
"""A larger image is refused; decoding it would take more memory than the network itself."""

REDUCED_TIMES = 4
"""A JPEG that is decoded at a smaller scale may have so many times as many pixels."""

_REDUCTIONS = (8, 4, 2)
_SHARPNESS = 2
"""A JPEG is decoded at the smallest scale that is still so many times as large as the result."""

# Formats by their first bytes, whatever a file is called. The libraries read a few more, which are
# rarely used for training: each would be another parser that malicious files can attack.
_FORMATS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "BMP": re.compile(rb"BM"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PPM": re.compile(rb"P[1-6][\s#]"),
    "JPEG2000": re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
}
_DICOM = re.compile(rb".{128}DICM", re.DOTALL)  # what is before it may look like a TIFF
FORMATS = (*_FORMATS, "DICOM", "HEIF", "AVIF")
"""The formats that can be decoded, by Pillow's names."""

_OTHER_FILES = {
    re.compile(rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"): "a JPEG XL image; convert it to PNG or JPEG",
    re.compile(rb"8BPS"): "a Photoshop file; export it as PNG or JPEG",
    re.compile(rb"version https://git-lfs"): "a Git LFS pointer, not the image: run git lfs pull",
    re.compile(rb"\s*(<\?xml[^>]*>\s*)?<svg", re.IGNORECASE): "an SVG drawing; export it as PNG",
    re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE): "a web page, not an image",
}

_pillows_limit = threading.Lock()

_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 262, 284, 339  # tags of TIFF
_UNSIGNED = 1
_GREY_OR_RGB = (0, 1, 2, None)
_JPEG2000_DEPTH = re.compile(rb"\xff\x4f\xff\x51.{38}(.)", re.DOTALL)
_PPM_DEPTH = re.compile(
    rb"P[2356](?:\s+|#[^\n\r]*[\n\r])+\d+(?:\s+|#[^\n\r]*[\n\r])+\d+"
    rb"(?:\s+|#[^\n\r]*[\n\r])+(\d+)"
)

# Within the coded data of a scan, 0xff is followed by a zero or by the number of a restart marker.
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_JPEG_LAST_BYTES = b"\xff\xd9"
_JPEG2000_END = b"\xff\xd9"  # coded data contain no such bytes
_GIF_EXTENSION, _GIF_IMAGE, _GIF_END = 0x21, 0x2C, 0x3B
_JPEG_SCAN, _JPEG_END, _JPEG_WITHOUT_LENGTH = 0xDA, 0xD9, {0x01, 0xD8}


@dataclass(frozen=True)
class Header:
    """What the header of an image file says.

    Parameters
    ----------
    format : str
        One of `FORMATS`.
    width, height : int or None
        As stored, before the EXIF orientation is applied. None if the header cannot be read.
    bits : int, default=8
        Of one channel.
    numbers : {"integer", "float"}, default="integer"
        What the values are.
    has_alpha : bool, default=False
        Whether there is a channel or colour of transparency; all of it may be opaque.
    n_pages : int, default=1
        Pages or frames, if they were counted.
    orientation : int, default=1
        EXIF orientation, 1 to 8.
    inverted : bool, default=False
        Whether zero is white.
    in_planes : bool, default=False
        Whether each channel is stored on its own.
    """

    format: str
    width: int | None = None
    height: int | None = None
    bits: int = 8
    numbers: str = "integer"
    has_alpha: bool = False
    n_pages: int = 1
    orientation: int = 1
    inverted: bool = False
    in_planes: bool = False

    @property
    def is_deep(self) -> bool:
        """Whether the range of the values must be known before they become 8 bits."""
        return self.bits > 8 and self.format in ("PNG", "TIFF", "PPM", "JPEG2000")

    def reduction(self, size: int) -> int:
        """Return how many times smaller a JPEG may be decoded for a side of so many pixels."""
        if self.format != "JPEG" or self.width is None or self.height is None:
            return 1
        smallest = min(self.width, self.height)
        return next((by for by in _REDUCTIONS if smallest >= _SHARPNESS * size * by), 1)


def format_of(data: bytes) -> str | None:
    """Return the format of an image file by its first bytes; None if it is none of `FORMATS`."""
    if _DICOM.match(data):
        return "DICOM"
    named = next((name for name, start in _FORMATS.items() if start.match(data)), None)
    return named or boxes.format_of(data)


def read_header(data: bytes, *, count_pages: bool = False) -> Header | None:
    """Read the header of an image file.

    Parameters
    ----------
    data : bytes
        Content of a file.
    count_pages : bool, default=False
        Whether pages or frames are counted, which reads the whole file in some formats.

    Returns
    -------
    Header or None
        None if the file is in none of `FORMATS`.
    """
    name = format_of(data)
    if name is None:
        return None
    if name in ("HEIF", "AVIF"):
        width, height = boxes.sides(data)
        return Header(name, width, height, boxes.bits(data), has_alpha=boxes.has_alpha(data))
    if name == "DICOM":
        width, height = dicom.sides(data)
        return Header(name, width, height, bits=16)
    header = Header(name)
    with warnings.catch_warnings(action="ignore"):
        # Malicious headers make Pillow's parsers raise anything.
        with contextlib.suppress(Exception), open_image(data, name) as image:
            header = _header_of(image, name, data, count_pages=count_pages)
        if header.width is None and name == "TIFF":
            with contextlib.suppress(Exception):
                header = _header_of_tags(data)
    return header


def is_deep(data: bytes) -> bool:
    """Return whether an image has more than 8 bits, whose range must be known.

    Faster than `read_header` for the usual formats.
    """
    name = format_of(data)
    if name == "PNG":
        return data[12:16] == b"IHDR" and data[24:25] > b"\x08"
    if name in ("TIFF", "PPM", "JPEG2000"):
        header = read_header(data)
        return header is not None and header.is_deep
    return False


def check(data: bytes, max_pixels: int = MAX_PIXELS, *, reduced_to: int | None = None) -> Header:
    """Check the header and the structure of an image file before any decoder sees it.

    Nothing is decoded. Truncated JPEG, PNG, GIF and JPEG 2000 files are refused here because some
    decoders silently fill the missing part with grey or with the previous image. The decoders of
    the other formats refuse such files themselves.

    Parameters
    ----------
    data : bytes
        Content of an image file.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.
    reduced_to : int, default=None
        Side in pixels of what is made of the image, if a large JPEG is decoded at a smaller scale:
        then four times as many pixels are accepted. None if it is decoded in full.

    Returns
    -------
    Header

    Raises
    ------
    ImageError
        If the format is not supported, the image has too many pixels, or it is a JPEG, PNG, GIF or
        JPEG 2000 that is truncated, or a PNG with a wrong checksum.
    """
    header = read_header(data)
    if header is None:
        raise ImageError(_what_else(data))
    if reduced_to is not None and header.reduction(reduced_to) > 1:
        max_pixels *= REDUCED_TIMES
    _check_sides(header, max_pixels)
    if header.format == "JPEG":
        _check_jpeg(data)
    elif header.format == "PNG":
        _check_png(data)
    elif header.format == "GIF":
        _check_gif(data)
    elif header.format == "JPEG2000" and _JPEG2000_END not in data:
        raise ImageError("truncated JPEG 2000: the end-of-image marker is missing")
    return header


def sides(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | None:
    """Return the width and height in an image's header, or None if it cannot be read.

    Raises
    ------
    ImageError
        If width times height is more than `max_pixels`.
    """
    header = read_header(data)
    if header is None or header.width is None or header.height is None:
        return None
    _check_sides(header, max_pixels)
    return header.width, header.height


def too_large(max_pixels: int, *sides: int) -> ImageError:
    """Return the error for an image of too many pixels."""
    found = "{:,} x {:,} is ".format(*sides) if sides else ""
    return ImageError(
        f"{found}more than {max_pixels:,} pixels; raise the maximum of pixels to use the image",
        setting="max_pixels",
    )


def _check_sides(header: Header, max_pixels: int) -> None:
    width, height = header.width or 0, header.height or 0
    if width * height > max_pixels:
        raise too_large(max_pixels, width, height)


def _what_else(data: bytes) -> str:
    """Say what a file is that is in none of the formats."""
    for start, words in _OTHER_FILES.items():
        if start.match(data[:200]):
            return f"not an image that can be read: {words}"
    return f"not an image, or not in one of the formats {', '.join(FORMATS)}"


def open_image(data: bytes, name: str) -> Any:
    """Open an image with Pillow, without its own limit of pixels: ours is checked instead.

    Parameters
    ----------
    data : bytes
        Content of the file.
    name : str
        Its format.
    """
    from PIL import Image

    with _pillows_limit:
        previous, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), "r", [name])
        finally:
            Image.MAX_IMAGE_PIXELS = previous


def _header_of(image: Any, name: str, data: bytes, *, count_pages: bool) -> Header:
    bits, numbers, inverted, in_planes = 8, "integer", False, False
    if name == "PNG":
        bits = data[24] if data[12:16] == b"IHDR" else 8
    elif name == "TIFF":
        bits, numbers = _depth_of_tags(image.tag_v2)
        photometric = image.tag_v2.get(_PHOTOMETRIC)
        inverted = photometric == 0
        if photometric not in _GREY_OR_RGB:
            bits = 8  # CMYK and LAB have a known range, of which Pillow takes the upper 8 bits
        in_planes = image.tag_v2.get(_PLANES) == 2 and len(image.getbands()) > 1
    elif name == "PPM" and (depth := _PPM_DEPTH.match(data)):
        bits = max(8, int(depth[1]).bit_length())
    elif name == "JPEG2000" and (depth := _JPEG2000_DEPTH.search(data)):
        bits = (depth[1][0] & 0x7F) + 1
    n_pages = 1
    if count_pages and name != "JPEG":  # telephones append previews and maps of depth to a JPEG
        n_pages = int(getattr(image, "n_frames", 1))
    return Header(
        name,
        image.width,
        image.height,
        bits,
        numbers,
        has_alpha=bool(image.has_transparency_data),
        n_pages=n_pages,
        orientation=_orientation(image),
        inverted=inverted,
        in_planes=in_planes,
    )


def _orientation(image: Any) -> int:
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing
        value = image.getexif().get(_ORIENTATION, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    return 1


def _header_of_tags(data: bytes) -> Header:
    """Read the header of a TIFF of a kind that Pillow does not open."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2(data[: 16 if data[2] == 43 or data[3] == 43 else 8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    bits, numbers = _depth_of_tags(tags)
    return Header("TIFF", int(tags[256]), int(tags[257]), bits, numbers)


def _depth_of_tags(tags: Any) -> tuple[int, str]:
    """Return the bits of a TIFF's channels, and what its values are."""
    bits, kinds = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    bits = max(bits) if isinstance(bits, tuple) else int(bits)
    kind = max(kinds) if isinstance(kinds, tuple) else int(kinds)
    return int(bits), "float" if kind == 3 else "integer"


def _check_jpeg(data: bytes) -> None:
    """Follow the markers to the end of the image; that of an embedded thumbnail is in a segment."""
    position, in_scan = 2, False
    while marker := _JPEG_MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code == _JPEG_END and in_scan:
            return
        if code == _JPEG_SCAN and not in_scan:
            in_scan = True
            if data.endswith(_JPEG_LAST_BYTES):
                return  # as usual: megabytes of coded data need not be searched
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


def _check_gif(data: bytes) -> None:
    """Follow the blocks to the last one."""
    position = 13 + _gif_colours(data[10:11])
    while position < len(data):
        kind = data[position]
        if kind == _GIF_END:
            return
        if kind == _GIF_IMAGE:
            position += 11 + _gif_colours(data[position + 9 : position + 10])
        elif kind == _GIF_EXTENSION:
            position += 2
        else:
            raise ImageError("damaged GIF: a block of no known kind")
        while data[position : position + 1] > b"\0":
            position += 1 + data[position]
        position += 1
    raise ImageError("truncated GIF: the last block is missing")


def _gif_colours(flags: bytes) -> int:
    """Return the bytes of the table of colours that follows a block with these flags."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
