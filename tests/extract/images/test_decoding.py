"""From bytes to RGB images of one size, or to the reason why not."""

from __future__ import annotations

import io
import os
import time
import warnings
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from extract.errors import ImageError
from extract.images.decoding import decode, render
from extract.images.files import MAX_BYTES, read_bytes
from extract.images.formats import check
from extract.images.pixels import PixelSettings, Remark
from tests.extract.pictures import (
    huge,
    moving,
    oriented,
    photograph,
    picture,
    saved,
    with_comment_bomb,
    with_segment,
)

if TYPE_CHECKING:
    from pathlib import Path


def encoded(suffix: str, image: np.ndarray | None = None) -> bytes:
    """Return an RGB image as a file written by OpenCV."""
    image = photograph() if image is None else image
    ok, data = cv2.imencode(suffix, image[:, :, ::-1] if image.shape[2] == 3 else image)
    assert ok
    return data.tobytes()


def small(image: np.ndarray, size: int = 32) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def test_decoding_gives_rgb_of_the_asked_size() -> None:
    """Red is channel 0, and the image is stretched to a square by a bicubic filter."""
    square = decode(encoded(".png"), 50)
    expected = small(photograph(), 50)
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous
    np.testing.assert_array_equal(square, expected)
    assert square[25, 45, 0] > 200 > square[25, 5, 0]


@pytest.mark.parametrize(
    "data",
    [encoded(suffix) for suffix in (".jpg", ".png", ".tiff", ".ppm")]
    + [cv2.imencode(".png", photograph().astype(np.uint16) * 257)[1].tobytes()]
    + [saved("PNG", "RGBA"), saved("JPEG", "CMYK"), oriented("JPEG", 6), saved("GIF", "P")],
)
def test_with_lanczos_all_arithmetic_is_that_of_the_first_version(data: bytes) -> None:
    """Bit for bit what OpenCV reads and resizes: old embeddings stay valid."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    expected = cv2.resize(bgr, (50, 50), interpolation=cv2.INTER_LANCZOS4)[:, :, ::-1]
    np.testing.assert_array_equal(decode(data, PixelSettings(50, "lanczos4")), expected)


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (saved("PNG", "RGBA"), Remark.ALPHA_DROPPED),
        (saved("PNG", picture().convert("RGBA")), Remark.NOTHING),
        (cv2.imencode(".png", photograph().astype(np.uint16) * 16)[1].tobytes(), Remark.DEPTH_CUT),
        (saved("PNG"), Remark.NOTHING),
    ],
    ids=["alpha", "opaque alpha", "16 bits", "plain"],
)
def test_with_lanczos_what_nobody_sees_is_remarked(data: bytes, remark: Remark) -> None:
    assert render(data, PixelSettings(32, "lanczos4")).remarks == remark
    assert render(data, PixelSettings(32)).remarks == Remark.NOTHING


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".gif"])
def test_every_listed_format_is_decoded(suffix: str) -> None:
    """Every suffix that counts as an image belongs to a format that can be read."""
    assert decode(encoded(suffix), 32).shape == (32, 32, 3)


def as_pillow_sees(data: bytes) -> np.ndarray:
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(kind, mode, **options), id=f"{mode}-{kind}{'-'.join(options)}")
        for mode, kind, options in [
            ("L", "JPEG", {}), ("L", "PNG", {}), ("L", "GIF", {}), ("L", "TIFF", {}),
            ("L", "PPM", {}), ("1", "PNG", {}), ("1", "TIFF", {}), ("P", "PNG", {}),
            ("P", "GIF", {}), ("P", "BMP", {}), ("P", "TIFF", {}), ("LA", "PNG", {}),
            ("CMYK", "JPEG", {}), ("CMYK", "TIFF", {}), ("RGB", "JPEG", {"progressive": True}),
            ("RGB", "WEBP", {"lossless": True}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
            ("RGB", "TIFF", {"compression": "jpeg"}),
        ]
    ]
    + [
        pytest.param(saved("PNG", "RGBA"), id="RGBA-PNG"),
        pytest.param(saved("WEBP", "RGBA", lossless=True, exact=True), id="RGBA-WEBP"),
        *(pytest.param(moving(kind), id=f"moving {kind}") for kind in ("GIF", "WEBP", "PNG")),
    ],
)  # fmt: skip
def test_other_pixel_formats_become_what_pillow_sees(data: bytes) -> None:
    """Grey, palette, alpha (on white), CMYK, progressive; of an animation, the first frame."""
    expected = small(as_pillow_sees(data))
    assert np.abs(decode(data, 32).astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(".png", 1), (".png", 3), (".tiff", 1), (".tiff", 3), (".pgm", 1), (".ppm", 3)],
)
def test_sixteen_bits_become_eight(suffix: str, channels: int) -> None:
    """The upper byte is kept."""
    deep = photograph()[:, :, :channels].astype(np.uint16) * 257
    shallow = photograph()[:, :, :channels]
    expected = decode(encoded(".png", shallow), 32).astype(int)
    assert np.abs(decode(encoded(suffix, deep), 32).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(kind: str, orientation: int) -> None:
    """An image that is stored rotated or mirrored becomes upright, as with Pillow."""
    data = oriented(kind, orientation)
    expected = small(as_pillow_sees(data))
    assert np.abs(decode(data, 32).astype(int) - expected).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_any_shape_becomes_a_square(shape: tuple[int, int]) -> None:
    """One pixel is enough."""
    assert decode(encoded(".png", photograph(*shape)), 32).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"just text, named .jpg", "not an image"),
        (encoded(".jpg")[:-300], "truncated JPEG"),
        (encoded(".png")[: len(encoded(".png")) // 2], "truncated PNG"),
        (encoded(".jpg")[:20], "truncated JPEG"),
        (b"\0" * 5000, "not an image"),
        (encoded(".bmp")[:-1], "damaged or truncated"),
        (b"\xff\x0a" + b"\0" * 100, "a JPEG XL image; convert it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the image"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    ],
    ids=[
        *("text", "cut jpeg", "cut png", "jpeg header only", "zeros", "cut bmp", "JPEG XL"),
        *("LFS", "web page", "SVG"),
    ],
)
def test_what_is_no_image_has_a_reason(data: bytes, reason: str) -> None:
    """A sentence; neither a traceback nor an image filled with grey."""
    with pytest.raises(ImageError, match=reason):
        decode(data, 32)


def test_a_cut_file_after_a_good_one_is_caught() -> None:
    """The missing part is never filled with the previous image."""
    good = encoded(".jpg")
    decode(good, 32)
    with pytest.raises(ImageError):
        decode(good[: len(good) // 2], 32)


CUT = {
    "JPEG": encoded(".jpg"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "JPEG with restarts": saved("JPEG", restart_marker_blocks=3),
    "JPEG with a thumbnail": with_segment(saved("JPEG"), b"Exif\0\0" + saved("JPEG")),
    "PNG": encoded(".png"),
    "moving PNG": moving("PNG"),
    "BMP": saved("BMP"),
    "BMP with palette": saved("BMP", "P"),
    "WebP": saved("WEBP"),
    "lossless WebP": saved("WEBP", lossless=True),
    "moving WebP": moving("WEBP"),
    "GIF": saved("GIF"),
    "moving GIF": moving("GIF"),
    "TIFF": saved("TIFF"),
    "TIFF with LZW": saved("TIFF", compression="tiff_lzw"),
    "TIFF with JPEG": saved("TIFF", compression="jpeg"),
    "PPM": saved("PPM"),
    "JPEG 2000": saved("JPEG2000"),
    "AVIF": saved("AVIF"),
}


@pytest.mark.parametrize("data", CUT.values(), ids=CUT)
def test_a_file_cut_anywhere_is_refused(data: bytes) -> None:
    """At 200 positions and at each of the last 30 bytes: never an image with an invented part."""
    decode(data, 8)
    for end in {*range(1, len(data), -(-len(data) // 200)), *range(len(data) - 30, len(data))}:
        with pytest.raises(ImageError):
            decode(data[:end], 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WebP"])
def test_what_follows_the_end_does_no_harm(kind: str) -> None:
    """Cameras and tools append data after the image."""
    np.testing.assert_array_equal(decode(CUT[kind] + b"\0more", 8), decode(CUT[kind], 8))


@pytest.mark.parametrize("position", [8, 20, 30, 200, -10, -3])
def test_a_png_with_a_wrong_checksum_is_refused(position: int) -> None:
    """Wherever a bit was flipped, in the data or in the checksum."""
    data = bytearray(encoded(".png"))
    data[position] ^= 1
    with pytest.raises(ImageError, match="PNG"):
        decode(bytes(data), 32)


@pytest.mark.parametrize("data", huge().values(), ids=huge())
def test_a_huge_header_is_refused_without_decoding(data: bytes) -> None:
    """A few bytes that claim 65,535 x 65,535 pixels do not take 12 GB of memory."""
    with pytest.raises(ImageError, match=r"more than 50,000,000 pixels; raise") as refused:
        check(data)
    assert refused.value.setting == "max_pixels"


def test_the_limit_of_pixels_is_exact() -> None:
    """Width times height may equal the limit; the message has both sides."""
    data = encoded(".png", photograph(30, 20))
    check(data, 600)
    with pytest.raises(ImageError, match="20 x 30 is more than 599 pixels"):
        check(data, 599)


def test_pillows_own_limit_is_left_alone() -> None:
    """Pillow's warning and setting are unchanged for the rest of the program."""
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings(action="error"):
        check(saved("PNG", Image.new("1", (10_000, 10_000))), 100_000_000)
        with pytest.raises(ImageError):
            check(huge()["PNG"])
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_header_that_pillow_cannot_read_is_left_to_opencv() -> None:
    """Text that decompresses to 100 MB stops Pillow, but the image itself can be read."""
    data = with_comment_bomb(100_000_000)
    np.testing.assert_array_equal(decode(data, 32), decode(saved("PNG"), 32))


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x00", b"\x00", b"\xff\xd0"])
def test_the_walk_over_a_jpeg_is_linear(filler: bytes) -> None:
    """Megabytes of bytes that look like markers take no time."""
    started = time.monotonic()
    with pytest.raises(ImageError):
        check(encoded(".jpg")[:-2] + filler * 5_000_000)
    assert time.monotonic() - started < 5


def test_reading_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    """A FIFO would block and a device never end; each has a reason."""
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for path, reason in [
        (tmp_path / "fifo.jpg", "not a regular file"),
        (tmp_path / "device.jpg", "not a regular file"),
        (tmp_path / "loop.jpg", "cannot be read: Too many levels"),
        (tmp_path / "large.jpg", "larger than 256 MiB"),
        (tmp_path, "it is a folder; name the files in it"),
        (tmp_path / "empty.jpg", "empty file"),
        (tmp_path / "absent.jpg", "No such file"),
    ]:
        with pytest.raises(ImageError, match=reason):
            read_bytes(path)


def test_a_link_to_a_file_elsewhere_is_followed(tmp_path: Path) -> None:
    """Data sets often consist of links; the file they point to is read."""
    (tmp_path / "elsewhere").write_bytes(b"picture")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "elsewhere")
    assert read_bytes(tmp_path / "link.jpg") == b"picture"
