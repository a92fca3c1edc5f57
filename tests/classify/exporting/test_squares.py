"""Images are resized within a network as they are before it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classify.exporting.squares import square
from extract.images.pixels import ASPECTS, INTERPOLATIONS, PixelSettings
from extract.images.resizing import resize
from toolkit.libraries import import_keras

pytestmark = pytest.mark.slow

SIZES = [(1, 1), (1, 40), (2, 3), (33, 32), (48, 48), (180, 97), (70, 611), (900, 400)]


def draw(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height + width)
    coarse = rng.integers(0, 256, (height // 7 + 2, width // 7 + 2, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    noise = rng.integers(-20, 20, smooth.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_pixels_are_those_of_the_extraction(interpolation: str, aspect: str) -> None:
    """Nearly all are the same; a few are rounded the other way."""
    pixels = PixelSettings(48, interpolation, aspect)
    to_numpy = import_keras().ops.convert_to_numpy
    for height, width in SIZES:
        image = draw(height, width)
        (found,) = to_numpy(square(image[None], pixels))
        difference = np.abs(found - resize(image, pixels))
        assert difference.max() <= 2
        # Pillow 13 resizes the columns of some upright images first, and rounds in between.
        bound = 0.3 if interpolation == "bicubic" and height > width else 0.03
        assert difference.mean() < bound, (height, width)


def test_all_images_of_a_batch_are_resized() -> None:
    """Not only the first one, from whose sides the matrices are made."""
    images = np.stack([draw(50, 80), draw(50, 80)[::-1]])
    pixels = PixelSettings(32)
    found = import_keras().ops.convert_to_numpy(square(images, pixels))
    for image, resized in zip(images, found, strict=True):
        assert np.abs(resized - resize(image, pixels)).max() <= 1
