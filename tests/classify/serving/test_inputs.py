"""Images as callers hold them: paths, arrays and PIL images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from classify.serving.inputs import check_rows, resize
from extract.datasets.shapes import draw_image, encode_jpeg
from extract.errors import ImageError
from extract.images.decoding import decode


def test_paths_stay_paths() -> None:
    """Also in a pandas series or an array of strings."""
    expected = [Path("a.png"), Path("b/c.png")]
    names = ["a.png", "b/c.png"]
    for rows in (names, tuple(expected), np.array(names), pd.Series(names)):
        assert check_rows(rows) == expected


def test_an_image_in_memory_has_the_pixels_of_its_file() -> None:
    """As an array, and as a PIL image."""
    image = draw_image("test", 0)
    data = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    expected = decode(data, 48)
    np.testing.assert_array_equal(resize(check_rows([image]), 48)[0], expected)
    np.testing.assert_array_equal(resize(check_rows(image[None]), 48)[0], expected)
    opened = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(resize(check_rows([opened]), 48)[0], expected)


def test_a_pil_image_is_turned_and_gets_three_channels() -> None:
    """By its EXIF orientation; grey, 16 bits and a palette become RGB."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    buffer = io.BytesIO()
    Image.fromarray(draw_image("test", 0)[:20, :30]).save(buffer, "JPEG", exif=exif)
    (turned,) = check_rows([Image.open(buffer)])
    assert turned.shape == (30, 20, 3)
    deep = Image.fromarray(np.full((2, 3), 0x8040, np.uint16))
    assert (check_rows([deep])[0] == 0x80).all()
    for mode in ("L", "RGBA", "P", "CMYK"):
        assert check_rows([Image.new(mode, (3, 2))])[0].shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (None, "found None"),
        (float("nan"), "found nan"),
        ("", "found an empty string"),
        (np.zeros((4, 4), np.uint8), r"found an array of uint8 with shape \(4, 4\)"),
        (np.zeros((4, 4, 3)), "found an array of float64"),
        (np.zeros((0, 4, 3), np.uint8), r"with shape \(0, 4, 3\)"),
        (Image.new("F", (2, 2)), "mode 'F', whose range is unknown"),
    ],
)
def test_a_row_that_is_no_image_is_named(row: Any, found: str) -> None:
    """With its number, and what it is."""
    good = "a.png" if not isinstance(row, np.ndarray) else np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ImageError, match=f"row 1: expected paths.*{found}"):
        check_rows([good, row])


def test_a_damaged_pil_image_is_named() -> None:
    """Pillow decodes a file when its pixels are first used."""
    opened = Image.open(io.BytesIO(encode_jpeg(draw_image("test", 0))[:700]))
    with pytest.raises(ImageError, match="row 0: the PIL image cannot be decoded"):
        check_rows([opened])


def test_only_lists_of_one_kind_are_taken() -> None:
    """Neither a string, which is a sequence too, nor nothing, nor a mixture."""
    with pytest.raises(ImageError, match="expected a list of images, found a single str"):
        check_rows("a.png")
    with pytest.raises(ImageError, match="found an empty list"):
        check_rows([])
    with pytest.raises(ImageError, match="row 2: expected either paths or images in memory"):
        check_rows(["a.png", "b.png", draw_image("test", 0)])
