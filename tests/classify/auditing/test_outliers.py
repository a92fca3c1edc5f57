"""Outliers: images far from all others, nearly uniform, or tiny."""

import cv2
import numpy as np

from classify.auditing.outliers import far, of_little_use
from classify.estimators.solvers.neighbours import unit_rows
from extract.images.properties.measuring import measure_properties
from extract.images.properties.record import ImageProperties


def test_images_unlike_all_others_are_far():
    """Three among a crowd come first; the crowd is not far."""
    rng = np.random.default_rng(0)
    crowd = rng.normal(size=(200, 50)) + 3 * rng.normal(size=(4, 50))[np.arange(200) % 4]
    strangers = 20 * np.eye(50)[[0, 1, 2]] * [[1], [1], [1]]
    found = far(unit_rows(np.concatenate([crowd, strangers]).astype(np.float32)))
    assert sorted(i for i, _ in found[:3]) == [200, 201, 202]
    assert len(found) <= 5


def test_equal_images_are_not_far():
    """Without any spread nothing stands out."""
    assert far(np.ones((10, 4), np.float32) / 2) == []
    assert far(np.ones((1, 4), np.float32)) == []


def test_a_single_colour_is_uniform_and_noise_is_not():
    """Also with a trace of noise, and in any colour."""
    rng = np.random.default_rng(0)
    red = np.full((64, 64, 3), (200, 10, 10)) + rng.integers(0, 5, (64, 64, 3))
    noise = rng.integers(0, 256, (64, 64, 3))
    assert of_little_use(measured(noise)) == []
    (reason,) = of_little_use(measured(red))
    assert reason.startswith("nearly uniform: its pixels vary by ")


def test_images_with_a_short_side_are_tiny():
    """In the size of the file, not as they are resized."""
    rng = np.random.default_rng(0)
    assert of_little_use(measured(rng.integers(0, 256, (60, 80, 3)))) == []
    narrow = measured(rng.integers(0, 256, (300, 20, 3)))
    assert of_little_use(narrow) == ["tiny: 20 x 300 pixels"]


def test_of_an_image_that_is_not_known_nothing_is_said():
    """As of one that has changed."""
    assert of_little_use(ImageProperties()) == []


def measured(pixels):
    """Return the properties of an image."""
    _, data = cv2.imencode(".png", pixels.astype(np.uint8))
    return measure_properties(data.tobytes())
