"""What users pass as images becomes paths and pixels, or one error that names the row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from extract.datasets.dataset import Dataset, Subset
from extract.datasets.sources.shapes import draw_image, encode_jpeg
from extract.errors import DataError, ImageError
from extract.images.decoding import decode
from extract.images.inputs import image_digest, read_inputs
from extract.images.pixels import PixelSettings
from extract.images.resizing import resize

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["a.jpg", "b/c.png"]
PATHS = [Path("a.jpg"), Path("b/c.png")]
PIXELS = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        lambda names: [Path(name) for name in names],
        np.array,
        lambda names: np.array(names, dtype=object),
        lambda names: np.array(names).reshape(-1, 1),
        lambda names: pd.Series(names, index=[7, 3]),
        lambda names: pd.Series(names, dtype="string"),
        lambda names: pd.DataFrame({"path": names}),
        lambda names: Subset(
            [Path(name) for name in names], ["cats"] * len(names), [None] * len(names)
        ),
    ],
    ids=[
        "list",
        "tuple",
        "Path",
        "str array",
        "object array",
        "column",
        "Series",
        "string",
        "frame",
        "split",
    ],
)
def test_paths_come_in_many_containers(container: Callable[[list[str]], Any]) -> None:
    assert read_inputs(container(NAMES)) == PATHS


def test_a_tilde_stands_for_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert read_inputs(["~/a.jpg"]) == [Path("/home/someone/a.jpg")]


@pytest.mark.parametrize(
    "images",
    [PIXELS, list(PIXELS), [Image.fromarray(image) for image in PIXELS]],
    ids=["array", "list of arrays", "PIL images"],
)
def test_images_in_memory_become_pixels(images: Any) -> None:
    for pixels, expected in zip(read_inputs(images), PIXELS, strict=True):
        np.testing.assert_array_equal(pixels, expected)


def test_paths_and_images_may_be_mixed() -> None:
    path, pixels = read_inputs(["a.jpg", PIXELS[0]])
    assert path == Path("a.jpg")
    assert pixels is not None


def test_a_pil_image_is_turned_upright_and_laid_on_white() -> None:
    """As a file of the same image."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    file = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(file, "PNG", exif=exif)
    (pixels,) = read_inputs([Image.open(file)])
    np.testing.assert_array_equal(pixels, np.rot90(PIXELS[0], -1))
    clear = Image.new("RGBA", (2, 2), (1, 2, 3, 0))
    (pixels,) = read_inputs([clear])
    assert pixels[0, 0].tolist() == [255, 255, 255]  # type: ignore[index]
    (pixels,) = read_inputs([clear], pixels=PixelSettings(1, "lanczos4"))
    assert pixels[0, 0].tolist() == [1, 2, 3]  # type: ignore[index]


def test_a_pil_image_of_any_other_mode_gets_three_channels() -> None:
    """Grey and a palette become RGB."""
    for mode in ("L", "RGBA", "P", "CMYK"):
        (pixels,) = read_inputs([Image.new(mode, (3, 2))])
        assert pixels.shape == (2, 3, 3)  # type: ignore[union-attr]


def test_pil_images_of_sixteen_bits_are_scaled_by_the_bits_that_are_in_use_in_all_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Or by those of the settings; the first version kept the upper byte."""
    deep = [Image.fromarray(np.full((2, 3), value, np.uint16)) for value in (2048, 4095)]
    with caplog.at_level("INFO"):
        first, second = read_inputs(deep)
    assert (first[0, 0, 0], second[0, 0, 0]) == (128, 255)  # type: ignore[index]
    assert "12 are in use in all of them together, so 4,095 is white" in caplog.text
    (pixels,) = read_inputs(deep[:1], pixels=PixelSettings(1, bits=16))
    assert (pixels == 8).all()
    (pixels,) = read_inputs(deep[:1], pixels=PixelSettings(1, "lanczos4"))
    assert (pixels == 2048 >> 8).all()


def test_a_damaged_pil_image_is_an_error_that_names_its_row() -> None:
    """Pillow decodes a file when its pixels are first used."""
    opened = Image.open(io.BytesIO(encode_jpeg(draw_image("test", 0))[:700]))
    with pytest.raises(ImageError, match="row 0: the PIL image cannot be decoded"):
        read_inputs([opened])


def test_an_image_in_memory_has_the_pixels_of_its_file() -> None:
    """As an array, and as a PIL image."""
    image = draw_image("test", 0)
    data = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    for pixels in read_inputs([image, Image.open(io.BytesIO(data))]):
        assert isinstance(pixels, np.ndarray)
        np.testing.assert_array_equal(resize(pixels, 48), decode(data, 48))


def test_addresses_are_paths_on_request() -> None:
    pytest.importorskip("upath")
    (address,) = read_inputs(["memory://pictures/a.jpg"], addresses=True)
    assert read_inputs([address], addresses=True) == [address]
    with pytest.raises(ImageError, match=r"found the address 'memory:"):
        read_inputs([address])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ("a.jpg", r"found one 'a.jpg'; pass a list: \['a.jpg'\]"),
        (Path("a.jpg"), r"found one PosixPath\('a.jpg'\); pass a list"),
        (b"a.jpg", r"found one b'a.jpg'; pass a list"),
        (Image.new("RGB", (2, 2)), r"found one image; pass a list: \[image\]"),
        ([], "at least one image, found none"),
        (np.array([]), "at least one image, found none"),
        (pd.DataFrame({"path": []}), "at least one image, found none"),
        (iter(NAMES), r"found list_iterator; pass list\(X\)"),
        ({"a.jpg": 1}, r"found dict; pass list\(X\)"),
        (None, "found NoneType"),
        (Dataset("pets", Path(), ()), "found Dataset; of a data set, pass one of its splits"),
        (pd.DataFrame({"path": NAMES, "size": [1, 2]}), r"found 2 columns \(path, size\); select"),
        (np.array([NAMES, NAMES]), r"found shape \(2, 2\)"),
        (np.zeros(5), r"found shape \(5,\) in float64"),
        (PIXELS[0], r"found shape \(4, 5, 3\) in uint8; pass \[X\] for a single image"),
    ],
)
def test_another_container_is_an_error_that_says_what_was_expected(X: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_inputs(X)


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (None, r"found a missing value \(None\)"),
        (float("nan"), r"found a missing value \(nan\)"),
        (pd.NA, r"found a missing value \(<NA>\)"),
        ("", r"found a missing value \(''\)"),
        (3, r"found int \(3\)"),
        (b"\xff\xd8\xff", r"found bytes; open an encoded image with PIL\.Image\.open"),
        ("https://example.org/a.jpg", "found the address 'https://example.org/a.jpg'; download it"),
        ("s3://bucket/a.jpg", "or read the data set with extract.load_dataset"),
        (PIXELS[0] / 255, r"found \(4, 5, 3\) in float64; for values from 0 to 1"),
        (PIXELS[0][..., 0], r"found \(4, 5\) in uint8; PIL"),
        (np.zeros((0, 5, 3), np.uint8), "found 5 x 0"),
        (np.zeros((9, 9, 3), np.uint8), "expected an image of 1 to 80 pixels, found 9 x 9"),
        (Image.new("RGB", (9, 9)), "expected an image of 1 to 80 pixels, found 9 x 9"),
        (Image.new("F", (2, 2)), "found the mode 'F', whose range is not known"),
    ],
)
def test_an_element_that_is_no_image_is_an_error_that_names_its_row(
    element: Any, words: str
) -> None:
    with pytest.raises(ImageError, match=f"^row 1: .*{words}"):
        read_inputs(["a.jpg", element], max_pixels=80)


def test_the_digest_of_an_image_depends_on_its_pixels_and_its_shape() -> None:
    image = PIXELS[0]
    assert image_digest(image) == image_digest(image.copy(order="F"))
    others = [PIXELS[1], image.reshape(5, 4, 3)]
    assert image_digest(image) not in {image_digest(other) for other in others}
