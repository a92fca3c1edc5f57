"""Thresholds for a target precision."""

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.evaluation.threshold import apply_threshold, choose_threshold


def predictions(top, correct):
    """Return probabilities of two classes and true codes, given what is predicted correctly."""
    top = np.asarray(top, dtype=float)
    codes = np.where(correct, 0, 1)
    return np.stack([top, 1 - top], axis=1), codes


def test_the_lowest_threshold_that_reaches_the_target_is_chosen():
    """It decides the most samples."""
    probabilities, codes = predictions([0.99, 0.9, 0.8, 0.7, 0.6], [True, True, False, True, False])
    assert choose_threshold(probabilities, codes, 0.75) == 0.7
    assert choose_threshold(probabilities, codes, 0.9) == 0.9
    assert choose_threshold(probabilities, codes, 0.6) == 0.6


def test_samples_of_equal_probability_are_all_decided_or_none():
    """A wrong prediction counts against those of the same probability."""
    probabilities, codes = predictions([0.9, 0.9, 0.9], [True, True, False])
    assert choose_threshold(probabilities, codes, 0.9) is None
    assert choose_threshold(probabilities, codes, 0.6) == 0.9


def test_the_effect_on_the_test_images_is_measured():
    """Precision of the decided samples, recall, and the share of the undecided."""
    probabilities, codes = predictions([0.99, 0.9, 0.8, 0.6], [True, False, True, True])
    result = apply_threshold(probabilities, codes, 0.8, 0.99)
    assert (result.precision, result.recall, result.undecided) == (2 / 3, 0.5, 0.25)
    nothing = apply_threshold(probabilities, codes, 0.999, 0.99)
    assert (nothing.precision, nothing.recall, nothing.undecided) == (None, 0.0, 1.0)


@pytest.mark.parametrize("precision", [0, -1, 1.5, float("nan")])
def test_a_precision_out_of_range_is_an_error(precision):
    """It is a share, above 0."""
    with pytest.raises(ClassifierError, match="above 0 and at most 1"):
        choose_threshold(*predictions([0.9], [True]), precision)


def test_the_target_is_about_reached_on_other_images():
    """Chosen on one half of many images, the threshold gives the target precision on the other."""
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, 20_000)
    probabilities, codes = predictions(top, rng.random(20_000) < top)
    threshold = choose_threshold(probabilities[::2], codes[::2], 0.95)
    result = apply_threshold(probabilities[1::2], codes[1::2], threshold, 0.95)
    assert result.precision == pytest.approx(0.95, abs=0.01)
