"""Outliers: images far from all others, nearly uniform, or tiny."""

import cv2
import numpy as np

from classify.auditing.outliers import far, tiny, uniform
from classify.estimators.solvers.neighbours import unit_rows


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
    red = np.full((32, 32, 3), (200, 10, 10)) + rng.integers(0, 5, (32, 32, 3))
    noise = rng.integers(0, 256, (32, 32, 3))
    found = uniform(np.stack([noise, red]).astype(np.uint8))
    assert [i for i, _ in found] == [1]


def test_images_with_a_short_side_are_tiny(tmp_path):
    """In the size of the file, not as they are resized; a file that is gone is left out."""
    for name, shape in (("large", (60, 80, 3)), ("narrow", (300, 20, 3))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros(shape, np.uint8))
    paths = [tmp_path / f"{name}.png" for name in ("large", "gone", "narrow")]
    assert tiny(paths) == [(2, (20, 300))]
