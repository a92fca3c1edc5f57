"""Small pictures in every format, and pieces of files that are built wrong on purpose."""

from __future__ import annotations

import importlib.util
import io
import re
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
HAS_DICOM = importlib.util.find_spec("pydicom") is not None

KINDS = ["JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF"]
KINDS += ["HEIF"] if HAS_HEIF else []
"""The formats that can be read here and that Pillow can write, by Pillow's names."""

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
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
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
    j2k = bytearray(saved("JPEG2000"))
    place = j2k.index(b"\xff\x51") + 6
    j2k[place : place + 8] = struct.pack(">II", 65535, 65535)
    place = j2k.index(b"ihdr") + 4
    j2k[place : place + 8] = struct.pack(">II", 65535, 65535)
    boxed = {kind: bytearray(saved(kind)) for kind in ["AVIF", *["HEIF"] * HAS_HEIF]}
    for data in boxed.values():
        place = data.index(b"ispe") + 8
        data[place : place + 8] = struct.pack(">II", 65535, 65535)
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
        "JPEG 2000": bytes(j2k),
        **{kind: bytes(data) for kind, data in boxed.items()},
        **({"DICOM": medical(Rows=65535, Columns=65535)} if HAS_DICOM else {}),
    }


def medical(values: np.ndarray | None = None, **elements: Any) -> bytes:
    """Return a DICOM file of 12 bits: the photograph in grey, or given values.

    Parameters
    ----------
    values : ndarray of uint16 or int16, shape (height, width), optional
    **elements
        Further elements of the data set by keyword, which replace the usual ones.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    if values is None:
        values = np.asarray(picture("L")).astype(np.uint16) * 16
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PatientID = "patient 7"
    dataset.PixelData = values.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def scan_bomb() -> bytes:
    """Return a JPEG of a few KB whose 2,000 passes over 49 million pixels take a minute."""
    data = saved("JPEG", Image.new("L", (7000, 7000), 128), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 2000 + b"\xff\xd9"
