"""What a header says, and how formats of more than eight bits or with extras become pixels."""

from __future__ import annotations

import io
import struct
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from extract.errors import ImageError
from extract.images import boxes, dicom
from extract.images.decoding import decode, measure, render
from extract.images.formats import Header, check, read_header
from extract.images.pixels import PixelSettings, Remark
from tests.extract.pictures import (
    HAS_DICOM,
    HAS_HEIF,
    medical,
    moving,
    photograph,
    picture,
    saved,
    with_tags,
)

needs_heif = pytest.mark.skipif(not HAS_HEIF, reason="needs the extra heif")
needs_dicom = pytest.mark.skipif(not HAS_DICOM, reason="needs the extra dicom")

GREY = np.add.outer(np.arange(60) * 2, np.arange(80) * 137 // 80).astype(np.uint8)
"""A ramp over all 256 values, nearly."""


HEIC = saved("HEIF", Image.fromarray(photograph(64, 80))) if HAS_HEIF else b""


def tiff(values: np.ndarray, **options: object) -> bytes:
    return saved("TIFF", Image.fromarray(values), **options)


def opencv(suffix: str, values: np.ndarray) -> bytes:
    return cv2.imencode(suffix, values)[1].tobytes()


def seen(data: bytes, **settings: float) -> np.ndarray:
    """Return an image as decoded, without channels."""
    return decode(data, PixelSettings(32, **settings))[:, :, 0].astype(int)  # type: ignore[arg-type]


def expected(grey: np.ndarray = GREY) -> np.ndarray:
    return seen(saved("PNG", Image.fromarray(grey)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved("JPEG"), ("JPEG", 80, 60, 8, False)),
        (saved("PNG", "RGBA"), ("PNG", 80, 60, 8, True)),
        (saved("PNG", "P", transparency=0), ("PNG", 80, 60, 8, True)),
        (opencv(".png", GREY.astype(np.uint16)), ("PNG", 80, 60, 16, False)),
        (tiff(GREY.astype(np.float32)), ("TIFF", 80, 60, 32, False)),
        (opencv(".tiff", GREY.astype(np.float64)), ("TIFF", 80, 60, 64, False)),
        (opencv(".pgm", GREY.astype(np.uint16)), ("PPM", 80, 60, 16, False)),
        (saved("JPEG2000"), ("JPEG2000", 80, 60, 8, False)),
        (saved("AVIF", "RGBA"), ("AVIF", 80, 60, 8, True)),
        pytest.param(*([HEIC, ("HEIF", 80, 64, 8, False)] if HAS_HEIF else [b"", ()]),
                     marks=needs_heif),
        pytest.param(*([medical(), ("DICOM", 80, 60, 16, False)] if HAS_DICOM else [b"", ()]),
                     marks=needs_dicom),
    ],
)  # fmt: skip
def test_a_header_says_format_sides_bits_and_transparency(data: bytes, words: tuple) -> None:
    header = read_header(data)
    assert header is not None
    found = header.format, header.width, header.height, header.bits, header.has_alpha
    assert found == words


def test_the_size_of_a_heic_image_is_not_that_of_its_tiles_or_thumbnail() -> None:
    def extent(width: int, height: int) -> bytes:
        return b"ispe\0\0\0\0" + struct.pack(">II", width, height)

    data = b"".join(extent(*sides) for sides in ((512, 512), (4032, 3024), (320, 240)))
    assert boxes.sides(data) == (4032, 3024)


def test_a_header_counts_pages_on_request() -> None:
    pages = saved("TIFF", picture(), save_all=True, append_images=[picture(), picture()])
    assert [read_header(pages, count_pages=count).n_pages for count in (False, True)] == [1, 3]


# --- transparency ---


def cut_out(mode: str) -> Image.Image:
    """Return black on transparent black: the shape is in the transparency alone."""
    alpha = Image.new("L", (80, 60), 0)
    alpha.paste(255, (20, 15, 60, 45))
    black = Image.new(mode[:-1], (80, 60), 0)
    black.putalpha(alpha)
    return black


def palette() -> Image.Image:
    image = Image.new("P", (80, 60), 0)
    image.putpalette([0, 0, 0] * 256)
    image.paste(1, (20, 15, 60, 45))
    return image


@pytest.mark.parametrize(
    "data",
    [
        saved("PNG", cut_out("RGBA")),
        saved("PNG", cut_out("LA")),
        saved("WEBP", cut_out("RGBA"), lossless=True),
        saved("TIFF", cut_out("RGBA")),
        saved("AVIF", cut_out("RGBA")),
        saved("JPEG2000", cut_out("RGBA")),
        saved("PNG", palette(), transparency=0),
        saved("GIF", palette(), transparency=0),
        opencv(".png", np.asarray(cut_out("RGBA")).astype(np.uint16) * 257),
        pytest.param(saved("HEIF", cut_out("RGBA")) if HAS_HEIF else b"", marks=needs_heif),
    ],
    ids=[
        *("PNG", "grey PNG", "WebP", "TIFF", "AVIF", "JPEG 2000", "palette PNG", "GIF"),
        *("16-bit PNG", "HEIC"),
    ],
)
def test_transparency_is_laid_on_white_in_every_format(data: bytes) -> None:
    image = decode(data, 40)
    assert (image[:6] > 240).all()
    assert (image[15:25, 15:25] < 15).all()


# --- colours ---


def test_a_lab_tiff_becomes_rgb() -> None:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(picture(), srgb, lab, outputMode="LAB")
    difference = decode(saved("TIFF", image), 32).astype(int) - decode(saved("PNG"), 32)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_other_colour_spaces_become_rgb(kind: str) -> None:
    ycbcr = saved(kind, picture().convert("YCbCr")) if kind == "TIFF" else saved(kind)
    assert np.abs(decode(ycbcr, 32).astype(int) - decode(saved("PNG"), 32)).mean() < 3


# --- more than eight bits ---


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_values_are_scaled_by_the_bits_that_are_in_use(suffix: str, bits: int) -> None:
    """Whatever a microscope or a camera of depth leaves empty in 16 bits."""
    deep = (GREY.astype(float) / 255 * (2**bits - 1)).round().astype(np.uint16)
    assert np.abs(seen(opencv(suffix, deep)) - expected()).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_colours_of_more_than_eight_bits_are_scaled_too(suffix: str) -> None:
    deep = photograph()[:, :, ::-1].astype(np.uint16) * 16
    difference = decode(opencv(suffix, deep), 32).astype(int) - decode(saved("PNG"), 32)
    assert np.abs(difference).max() <= 2


def test_a_jpeg_2000_of_twelve_bits_is_scaled() -> None:
    """Also in colour, of which Pillow would keep the upper byte."""
    deep = np.dstack([GREY] * 3).astype(np.uint16) * 16
    assert np.abs(seen(opencv(".jp2", deep)) - expected()).mean() < 2


def test_a_tiff_of_sixteen_bits_in_planes_is_refused() -> None:
    """OpenCV and Pillow both read other values."""
    deep = np.dstack([GREY] * 3).astype(np.uint16) * 257
    interleaved = cv2.imencode(".tiff", deep, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()
    with pytest.raises(ImageError, match="16 bits whose channels are stored one after the other"):
        decode(with_tags(interleaved, 2, 284), 32)


def test_the_bits_of_the_settings_hold_for_a_dark_image() -> None:
    """One image of a data set may not use all bits of its detector."""
    dark = opencv(".png", (GREY // 4).astype(np.uint16))
    assert np.abs(seen(dark, bits=10) - expected(GREY // 16)).max() <= 2


def test_an_image_brighter_than_the_settings_is_remarked() -> None:
    bright = opencv(".png", GREY.astype(np.uint16) * 16)
    assert render(bright, PixelSettings(32, bits=10)).remarks == Remark.CLIPPED


@pytest.mark.parametrize("largest", [1, 255, 4095])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_point_numbers_are_scaled_by_percentiles(largest: int, dtype: type) -> None:
    """Or by the black and white of the settings."""
    data = opencv(".tiff", (GREY / 255 * largest).astype(dtype))
    assert np.abs(seen(data) - expected()).mean() < 5
    assert np.abs(seen(data, black=0.0, white=float(largest)) - expected()).max() <= 2


def test_what_is_no_number_is_black() -> None:
    values = GREY.astype(np.float32) / 255
    values[:, :40] = np.nan
    assert (seen(tiff(values))[:, :14] < 30).all()


def test_signed_integers_are_scaled_by_percentiles() -> None:
    values = GREY.astype(np.int32) * 8 - 1024
    assert np.abs(seen(tiff(values)) - expected()).mean() < 5
    measured = measure(tiff(values))
    assert measured is not None
    assert not measured.fits_bits


def test_where_zero_is_white_values_are_inverted() -> None:
    data = tiff(GREY.astype(np.uint16) * 257, tiffinfo={262: 0})
    assert np.abs(seen(data) - (255 - expected())).max() <= 2


def test_of_several_pages_the_first_is_used_and_remarked() -> None:
    pages = saved("TIFF", picture(), save_all=True, append_images=[picture().rotate(180)])
    rendered = render(pages, PixelSettings(32))
    np.testing.assert_array_equal(rendered.image, decode(saved("TIFF"), 32))
    assert rendered.remarks == Remark.FIRST_PAGE
    assert render(moving("GIF"), PixelSettings(32)).remarks == Remark.FIRST_PAGE


def test_one_colour_is_remarked() -> None:
    plain = saved("JPEG", Image.new("RGB", (50, 40), (200, 10, 30)))
    assert render(plain, PixelSettings(32)).remarks == Remark.UNIFORM
    assert render(saved("JPEG"), PixelSettings(32)).remarks == Remark.NOTHING


def test_a_jpeg_2000_cut_at_any_byte_is_refused() -> None:
    """Its decoder accepts some of them."""
    data = saved("JPEG2000")
    for end in range(1, len(data)):
        with pytest.raises(ImageError):
            decode(data[:end], 8)


# --- HEIC ---


@needs_heif
def test_a_heic_image_is_decoded() -> None:
    """The library turns it by the file's own property; EXIF's orientation is a copy of that."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved("HEIF", exif=exif, quality=95)
    assert np.abs(decode(data, 32).astype(int) - decode(saved("PNG"), 32)).mean() < 6


@needs_heif
def test_a_heic_file_cut_anywhere_is_refused() -> None:
    data = saved("HEIF")
    decode(data, 8)
    for end in {*range(1, len(data), -(-len(data) // 100)), len(data) - 1}:
        with pytest.raises(ImageError):
            decode(data[:end], 8)


def test_without_the_extra_a_heic_image_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"a HEIC image, which needs the extra heif: pip install"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500, 8)


# --- DICOM ---


@needs_dicom
def test_a_dicom_image_is_shown_through_its_window() -> None:
    """A window from 1,024 to 3,071, by centre and width."""
    values = GREY.astype(np.uint16) * 16
    windowed = (values.astype(float) - 1024).clip(0, 2047) / 2047 * 255
    data = medical(values, WindowCenter=2048, WindowWidth=2048)
    assert np.abs(seen(data) - expected(windowed.astype(np.uint8))).max() <= 3


@needs_dicom
def test_without_a_window_the_extremes_of_a_dicom_image_are_black_and_white() -> None:
    image = seen(medical(GREY.astype(np.uint16) + 500))
    stretched = (GREY - GREY.min()) / (GREY.max() - GREY.min()) * 255
    assert np.abs(image - expected(stretched.astype(np.uint8))).max() <= 3


@needs_dicom
def test_a_dicom_image_may_begin_like_a_tiff() -> None:
    """What is in its first 128 bytes is up to whoever writes it."""
    data = medical()
    np.testing.assert_array_equal(decode(b"II*\0" + data[4:], 32), decode(data, 32))


@needs_dicom
def test_in_monochrome1_zero_is_white() -> None:
    plain, inverted = medical(), medical(PhotometricInterpretation="MONOCHROME1")
    assert np.abs(seen(plain) + seen(inverted) - 255).max() <= 2


@needs_dicom
def test_the_slope_and_intercept_of_a_dicom_image_come_before_its_window() -> None:
    """Hounsfield units, as every CT has them."""
    values = GREY.astype(np.uint16) * 8
    hounsfield = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    direct = medical(values, WindowCenter=1500, WindowWidth=800)
    rescaled = medical(values, WindowCenter=1500 - 1024, WindowWidth=800, **hounsfield)
    assert np.abs(seen(direct) - seen(rescaled)).max() <= 1


@needs_dicom
def test_the_patient_of_a_dicom_image_is_named() -> None:
    assert dicom.patient_id(medical()) == "patient 7"
    assert dicom.patient_id(saved("JPEG")) is None


@needs_dicom
@pytest.mark.parametrize("end", [140, 400, -100])
def test_a_damaged_dicom_file_is_refused(end: int) -> None:
    with pytest.raises(ImageError, match="DICOM"):
        decode(medical()[:end], 8)


def test_without_the_extra_a_dicom_image_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    data = b"\0" * 128 + b"DICM"
    check(data)
    with pytest.raises(ImageError, match=r"a DICOM image, which needs the extra dicom: pip"):
        decode(data, 8)


# --- JPEG at a smaller scale ---


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (1279, 1301), (640, 480)])
def test_a_large_jpeg_is_decoded_at_a_smaller_scale_without_aliasing(
    width: int, height: int
) -> None:
    """Its pixels are those of full decoding and filtering, but for rounding."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    large = coarse.resize((width, height), Image.Resampling.BICUBIC)
    data = saved("JPEG", large, quality=95)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    filtered = np.asarray(whole.resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(decode(data, 64) - filtered).max() <= 8
    assert np.abs(decode(data, 64) - filtered).mean() < 2


def test_a_jpeg_is_decoded_at_no_less_than_twice_the_side() -> None:
    """Of 1,600 x 1,200 pixels, a quarter suffices for 150 but not for 151."""
    header = Header("JPEG", 1600, 1200)
    assert [header.reduction(size) for size in (75, 76, 150, 151, 301)] == [8, 4, 4, 2, 1]
    assert Header("PNG", 1600, 1200).reduction(75) == 1


def test_stripes_finer_than_the_result_become_grey() -> None:
    """Without a filter they would become wide stripes that are not in the image."""
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    assert decode(saved("PNG", Image.fromarray(stripes)), 64).std() < 3
    assert decode(saved("PNG", Image.fromarray(stripes)), PixelSettings(64, "lanczos4")).std() > 30


@pytest.mark.parametrize(("aspect", "top", "left"), [("crop", 0, 0), ("pad", 255, 0)])
def test_cropping_and_padding_keep_proportions(aspect: str, top: int, left: int) -> None:
    """Of an image twice as wide as high."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[25:75, 75:125] = 200
    square = decode(saved("PNG", Image.fromarray(image)), PixelSettings(64, aspect=aspect))
    assert square[0, 32, 0] == top
    assert square[32, 0, 0] == left
    inside = square[:, :, 0] > 100
    inside[:16] = inside[48:] = False
    heights, widths = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    assert abs(int(heights) - int(widths)) <= 1


def test_a_jpeg_that_is_decoded_at_a_smaller_scale_may_have_four_times_as_many_pixels() -> None:
    """Telephones write 108 and 200 megapixels, of which a network needs few."""
    data = saved("JPEG", Image.new("RGB", (400, 300)))
    assert decode(data, 32, max_pixels=30_000).shape == (32, 32, 3)
    for pixels, limit in ((32, 29_999), (200, 30_000), (PixelSettings(32, "lanczos4"), 30_000)):
        with pytest.raises(ImageError, match="400 x 300 is more than"):
            decode(data, pixels, max_pixels=limit)
