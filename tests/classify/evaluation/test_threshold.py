"""Thresholds for a target precision."""

import numpy as np
import pytest

from benchmarks.figures.thresholds import share_of_draws_that_reach
from classify.errors import ClassifierError
from classify.evaluation.threshold import apply_threshold, choose_threshold, fewest_samples


def predictions(top, correct):
    """Return probabilities of two classes and true codes, given what is predicted correctly."""
    top = np.asarray(top, dtype=float)
    codes = np.where(correct, 0, 1)
    return np.stack([top, 1 - top], axis=1), codes


def test_a_threshold_that_reaches_the_target_only_here_is_not_chosen():
    """95 of 100 are no evidence that 95% of all predictions are correct; 100 of 100 are."""
    top = np.repeat([0.9, 0.6], [100, 50])
    some_wrong = predictions(top, np.arange(150) >= 5)
    assert choose_threshold(*some_wrong, 0.95) is None
    all_correct = predictions(top, np.arange(150) < 100)
    assert 0.6 < choose_threshold(*all_correct, 0.95) <= 0.9


def test_the_lowest_of_the_thresholds_that_reach_the_target_is_chosen():
    """It decides the most samples; those that are wrong are below it."""
    top = np.linspace(0.999, 0.5, 1000)
    chosen = choose_threshold(*predictions(top, top > 0.7), 0.9)
    decided = top >= chosen
    assert 0.6 < chosen < 0.7
    assert (top[decided] > 0.7).mean() > 0.9


def test_no_threshold_is_needed_where_all_predictions_reach_the_target():
    probabilities = np.full((200, 2), 0.5)
    codes = np.zeros(200, dtype=int)
    assert choose_threshold(probabilities, codes, 0.9) == 0.0


@pytest.mark.parametrize("precision", [0.8, 0.95, 0.99])
def test_few_samples_show_nothing(precision):
    """With one sample less than needed, no threshold is chosen, although all are correct."""
    needed = fewest_samples(precision)
    enough = predictions(np.full(needed, 0.999), np.full(needed, True))
    assert choose_threshold(*enough, precision) is not None
    assert choose_threshold(*(array[1:] for array in enough), precision) is None


def test_the_effect_on_the_test_images_is_measured():
    """Precision of the decided samples with its interval, recall, and the share undecided."""
    probabilities, codes = predictions([0.99, 0.9, 0.8, 0.6], [True, False, True, True])
    result = apply_threshold(probabilities, codes, 0.8, 0.99)
    assert (result.precision, result.recall, result.undecided) == (2 / 3, 0.5, 0.25)
    assert result.precision_low < 0.3 < 0.9 < result.precision_high
    nothing = apply_threshold(probabilities, codes, 0.999, 0.99)
    assert (nothing.precision, nothing.recall, nothing.undecided) == (None, 0.0, 1.0)
    assert nothing.precision_low is None


@pytest.mark.parametrize("precision", [0, -1, 1, 1.5, float("nan")])
def test_a_precision_out_of_range_is_an_error(precision):
    """It is a share above 0 and below 1: no number of images shows that all are correct."""
    with pytest.raises(ClassifierError, match="above 0 and below 1"):
        choose_threshold(*predictions([0.9], [True]), precision)


@pytest.mark.parametrize(("n_samples", "target"), [(200, 0.9), (1000, 0.9), (1000, 0.95)])
def test_the_target_is_missed_in_few_draws(n_samples, target):
    """The lowest threshold that reaches it on the samples themselves misses it in about half."""
    draws = share_of_draws_that_reach(n_samples, target, n_draws=300)
    assert draws.reached >= 0.93
    assert draws.chosen > 0.5
    assert draws.before < 0.7
