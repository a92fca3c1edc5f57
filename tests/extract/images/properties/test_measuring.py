"""What is measured of one image."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extract.images.properties import exif as properties_exif
from extract.images.properties.header import jpeg_quality, read_header_properties
from extract.images.properties.measuring import measure_properties
from extract.images.properties.record import ImageProperties

ORIENTATION, MAKE, MODEL, CHANGED = 274, 271, 272, 306
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(60, 200, (90, 120, 3)).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def exif(tags: dict[int, Any]) -> Image.Exif:
    block = Image.Exif()
    for tag, value in tags.items():
        block[tag] = value
    return block


@pytest.mark.parametrize("quality", [10, 35, 60, 75, 90, 97, 100])
def test_the_quality_of_a_jpeg_is_that_it_was_saved_with(quality: int) -> None:
    """By its quantisation table, also from the beginning of the file alone."""
    data = encoded(PICTURE, "JPEG", quality=quality)
    assert jpeg_quality(data) == quality
    assert jpeg_quality(data[:700]) == quality
    assert measure_properties(data).quality == quality


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff" * 5000,
        b"\xff\xd8\xff\xdb\0\x04\0\x01",
        b"\xff\xd8\xff\xdb\0\0" * 3000,
        encoded(PICTURE),
    ],
)
def test_what_has_no_table_has_no_quality(data: bytes) -> None:
    """And is read in no time."""
    assert jpeg_quality(data) is None


def test_camera_and_hour_are_read() -> None:
    """From the EXIF block; the make is not repeated."""
    tags = {MAKE: "Canon", MODEL: "Canon EOS 80D", CHANGED: "2024:05:01 17:03:59"}
    found = measure_properties(encoded(PICTURE, "JPEG", exif=exif(tags)))
    assert (found.camera, found.hour) == ("Canon EOS 80D", 17)


@pytest.mark.parametrize(
    "tags",
    [
        {MODEL: "\0\0", CHANGED: "2024:05:01 47:03:59"},
        {CHANGED: "yesterday"},
        {MODEL: "x" * 60_000},
    ],
)
def test_an_odd_exif_block_does_no_harm(tags: dict[int, Any]) -> None:
    """What it says is left out, or cut short."""
    found = measure_properties(encoded(PICTURE, "JPEG", exif=exif(tags)))
    assert found.hour is None
    assert found.camera is None or len(found.camera) <= 64
    assert found == ImageProperties.from_json(found.to_json())


def test_a_damaged_exif_block_does_no_harm() -> None:
    """The pixels are measured all the same."""
    data = encoded(PICTURE, "JPEG", exif=exif({MODEL: "EOS", CHANGED: "2024:05:01 17:03:59"}))
    at = data.index(b"Exif\0\0") + 6
    found = measure_properties(data[:at] + b"MM\xff\xff" + data[at + 4 :])
    assert (found.camera, found.hour) == (None, None)
    assert found.brightness is not None


def test_whatever_the_parser_raises_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's has raised errors of all kinds."""

    def raises(*_: object) -> None:
        raise SyntaxError("unforeseen")

    monkeypatch.setattr(properties_exif, "open_image", raises)
    found = measure_properties(encoded(PICTURE, "JPEG"))
    assert (found.camera, found.hour, found.width) == (None, None, 120)


def test_width_and_height_are_those_of_the_upright_image() -> None:
    """A telephone stores them the other way round."""
    lying = encoded(PICTURE, "JPEG", exif=exif({ORIENTATION: 6}))
    found = read_header_properties(lying, len(lying))
    assert (found.width, found.height, found.format) == (90, 120, "JPEG")
    assert found.n_bytes == len(lying)


def test_darkening_lowers_brightness_and_the_brightest_tone() -> None:
    """By the share that the image is darkened."""
    before, after = (
        measure_properties(encoded((share * PICTURE).astype(np.uint8))) for share in (1, 0.9)
    )
    for name in ("brightness", "brightest", "contrast", "darkest"):
        assert getattr(after, name) == pytest.approx(0.9 * getattr(before, name), rel=0.02)


def test_a_blurred_image_is_less_sharp() -> None:
    """Whatever its contrast."""
    from cv2 import GaussianBlur

    blurred = GaussianBlur(PICTURE, (0, 0), 2)
    assert sharpness(blurred) < 0.5 * sharpness(PICTURE)
    assert sharpness(PICTURE // 2) == pytest.approx(sharpness(PICTURE), rel=0.05)


def sharpness(pixels: np.ndarray) -> float:
    found = measure_properties(encoded(pixels)).sharpness
    assert found is not None
    return found


def test_colours_and_border_are_measured() -> None:
    """A red image with a white border."""
    pixels = np.full((100, 100, 3), (200, 50, 50), dtype=np.uint8)
    pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:] = 255, 255, 255, 255
    found = measure_properties(encoded(pixels))
    assert found.red is not None
    assert found.red > 80
    assert (found.border, found.border_contrast) == (255, 0)
    assert found.saturation == pytest.approx(150, rel=0.15)
    grey = measure_properties(encoded(PICTURE[:, :, 0]))
    assert (grey.red, grey.saturation) == (0, 0)


def test_an_image_of_one_colour_has_no_sharpness() -> None:
    """Nothing is divided by zero."""
    assert measure_properties(encoded(np.zeros((1, 1, 3), np.uint8))).sharpness == 0


@pytest.mark.parametrize(
    "change",
    [
        {"width": "12"},
        {"width": True},
        {"brightness": float("nan")},
        {"brightness": 1e300},
        {"width": 10**400},
        {"camera": 5},
        {"camera": "x" * 65},
        {"hour": [1]},
        {"unknown": 1},
    ],
)
def test_what_a_decoder_sends_is_checked(change: dict[str, Any]) -> None:
    """A malicious image may have taken it over."""
    fields = json.loads(ImageProperties("PNG", 1, 2, 3).to_json())
    with pytest.raises(ValueError, match="not the propert"):
        ImageProperties.from_json(json.dumps(fields | change))


@pytest.mark.parametrize("text", ["", "[]", "7", "[" * 60_000, "{}"])
def test_other_texts_are_refused(text: str) -> None:
    """Also those that are nested as deep as a message can be."""
    with pytest.raises(ValueError, match=r".+"):
        ImageProperties.from_json(text)
