"""The default filter is one that an exported model can repeat."""

from __future__ import annotations

import numpy as np
import pytest

from extract.images.resizing import resize, scale


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(480, 640), (200, 150), (60, 80)])
def test_keras_repeats_the_bicubic_filter(shape: tuple[int, int]) -> None:
    """For larger and for smaller images, to rounding; Pillow also clips between its two passes."""
    from toolkit.libraries import import_keras

    image = np.random.default_rng(0).integers(60, 196, (*shape, 3), dtype=np.uint8)
    layer = import_keras().layers.Resizing(150, 150, interpolation="bicubic", antialias=True)
    repeated = np.asarray(layer(image.astype(np.float32)))
    difference = np.abs(repeated - resize(image, 150))
    assert difference.mean() < 0.5
    assert difference.max() < 3


@pytest.mark.parametrize("shape", [(900, 120), (120, 900), (300, 280)])
def test_rows_are_resized_before_columns(shape: tuple[int, int]) -> None:
    """Whatever the shape, as in an exported model; some versions of Pillow swap them."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    rows = scale(image, 64, shape[0])
    np.testing.assert_array_equal(scale(image, 64, 64), scale(rows, 64, 64))
