"""A threshold for a wished precision."""

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.evaluation.threshold import apply_threshold, choose_threshold


def answers(sureness, right):
    """Return probabilities of two classes and the truth, so that answers are right as told."""
    sureness = np.asarray(sureness, dtype=float)
    codes = np.where(right, 0, 1)
    return np.stack([sureness, 1 - sureness], axis=1), codes


def test_the_least_threshold_that_is_good_enough_is_taken():
    """More answers are better, as long as enough of them are right."""
    probabilities, codes = answers([0.99, 0.9, 0.8, 0.7, 0.6], [True, True, False, True, False])
    assert choose_threshold(probabilities, codes, 0.75) == 0.7
    assert choose_threshold(probabilities, codes, 0.9) == 0.9
    assert choose_threshold(probabilities, codes, 0.6) == 0.6


def test_equally_sure_answers_are_not_told_apart():
    """A wrong answer as sure as the right ones spoils them all."""
    probabilities, codes = answers([0.9, 0.9, 0.9], [True, True, False])
    assert choose_threshold(probabilities, codes, 0.9) is None
    assert choose_threshold(probabilities, codes, 0.6) == 0.9


def test_what_it_does_on_the_test_images_is_counted():
    """Precision of the answers, right answers of all, and what is left undecided."""
    probabilities, codes = answers([0.99, 0.9, 0.8, 0.6], [True, False, True, True])
    found = apply_threshold(probabilities, codes, 0.8, 0.99)
    assert (found.precision, found.recall, found.undecided) == (2 / 3, 0.5, 0.25)
    nothing = apply_threshold(probabilities, codes, 0.999, 0.99)
    assert (nothing.precision, nothing.recall, nothing.undecided) == (None, 0.0, 1.0)


@pytest.mark.parametrize("precision", [0, -1, 1.5, float("nan")])
def test_a_senseless_precision_is_refused(precision):
    """It is a share of the answers."""
    with pytest.raises(ClassifierError, match="above 0 and at most 1"):
        choose_threshold(*answers([0.9], [True]), precision)


def test_on_new_images_the_wish_is_about_met():
    """Chosen on one half of many images, the precision on the other half is what was wished."""
    rng = np.random.default_rng(0)
    sureness = rng.uniform(0.5, 1, 20_000)
    probabilities, codes = answers(sureness, rng.random(20_000) < sureness)
    threshold = choose_threshold(probabilities[::2], codes[::2], 0.95)
    found = apply_threshold(probabilities[1::2], codes[1::2], threshold, 0.95)
    assert found.precision == pytest.approx(0.95, abs=0.01)
