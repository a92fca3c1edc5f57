"""Bytes become RGB images of one size, or a reason."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.errors import ImageError
from extract.images import decode, read_bytes

if TYPE_CHECKING:
    from pathlib import Path


def photograph(height: int = 60, width: int = 80) -> np.ndarray:
    """Return a smooth BGR picture: red grows to the right, blue downwards."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 2] = x * 255 // width
    image[:, :, 0] = y * 255 // height
    return image


def encoded(suffix: str, image: np.ndarray | None = None) -> bytes:
    ok, data = cv2.imencode(suffix, photograph() if image is None else image)
    assert ok
    return data.tobytes()


def test_decoding_gives_rgb_of_the_asked_size() -> None:
    """Red is channel 0, and the picture is stretched to a square by Lanczos, as in the lesson."""
    square = decode(encoded(".png"), 50)
    expected = cv2.resize(photograph(), (50, 50), interpolation=cv2.INTER_LANCZOS4)[:, :, ::-1]
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous
    np.testing.assert_array_equal(square, expected)
    assert square[25, 45, 0] > 200 > square[25, 5, 0]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".gif"])
def test_every_listed_format_is_decoded(suffix: str) -> None:
    """What a folder is searched for can be read."""
    assert decode(encoded(suffix), 32).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "image",
    [photograph()[:, :, 0], np.dstack([photograph(), photograph()[:, :, 0]]),
     photograph().astype(np.uint16) * 257],
    ids=["grey", "alpha", "16 bits"],
)  # fmt: skip
def test_other_pixel_formats_become_rgb(image: np.ndarray) -> None:
    """Grey, alpha and sixteen bits all end as three channels of eight."""
    square = decode(encoded(".png", image), 32)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, orientation, 0) + b"\0" * 4
    payload = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def test_exif_orientation_is_applied() -> None:
    """A picture stored upside down is turned the right way up."""
    plain = decode(encoded(".jpg"), 32).astype(int)
    turned = decode(with_orientation(encoded(".jpg"), 3), 32).astype(int)
    assert np.abs(turned - plain[::-1, ::-1]).mean() < 3
    assert np.abs(turned - plain).mean() > 30


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"just text, named .jpg", "not an image"),
        (encoded(".jpg")[:-300], "truncated JPEG"),
        (encoded(".png")[: len(encoded(".png")) // 2], "damaged"),
        (encoded(".jpg")[:20], "truncated JPEG"),
        (b"\0" * 5000, "not an image"),
    ],
    ids=["text", "cut jpeg", "cut png", "jpeg header only", "zeros"],
)
def test_what_is_no_image_has_a_reason(data: bytes, reason: str) -> None:
    """No traceback, no grey filling: a sentence."""
    with pytest.raises(ImageError, match=reason):
        decode(data, 32)


def test_a_cut_file_after_a_good_one_is_caught() -> None:
    """The missing part is never filled with the picture before."""
    good = encoded(".jpg")
    decode(good, 32)
    with pytest.raises(ImageError):
        decode(good[: len(good) // 2], 32)


def test_a_huge_header_is_refused_without_decoding() -> None:
    """A few bytes that promise 65,535 x 65,535 pixels do not take 12 GB of memory."""
    ihdr = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + ihdr
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    png += struct.pack(">I", zlib.crc32(chunk)) + encoded(".png")[33:]
    with pytest.raises(ImageError):
        decode(png, 32)


def test_reading_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    """A FIFO would block for ever; a folder, an empty and an absent file have their reasons."""
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for path, reason in [
        (tmp_path / "fifo.jpg", "not a regular file"),
        (tmp_path, "cannot be read|not a regular file"),
        (tmp_path / "empty.jpg", "empty file"),
        (tmp_path / "absent.jpg", "No such file"),
    ]:
        with pytest.raises(ImageError, match=reason):
            read_bytes(path)
