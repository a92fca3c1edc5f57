"""What twice as many training samples would bring."""

import numpy as np
import pytest

from benchmarks.figures.curves import prognoses
from classify.estimators.centroid import Centroid
from classify.evaluation.extrapolation import expected_gain

SIZES = [100, 200, 400, 800]


def correct(*errors, n_test=2000, n_draws=3):
    """Return predictions with these errors; the last size has one draw.

    An error that is lower than another is a part of it, as if the samples differed in difficulty.
    """
    rows = [np.arange(n_test) >= round(error * n_test) for error in errors]
    return [*(np.tile(row, (n_draws, 1)) for row in rows[:-1]), rows[-1][None]]


def differing(errors):
    """Return predictions of three draws of each size that differ by 3 points, and of one of all."""
    rows = [correct(*(error + by for error in errors)) for by in (0.03, 0.0, -0.03)]
    return [*(np.vstack([row[i][:1] for row in rows]) for i in range(len(errors) - 1)), rows[1][-1]]


def test_the_range_covers_the_true_gain():
    """The rule of earlier versions promised twice as much, and missed it in every draw."""
    found = prognoses(lambda _: Centroid(), n_classes=6, n_per_class=60, n_draws=25)
    assert found.covered_before < 0.3
    assert found.expected_before > 1.7 * found.true
    assert found.said == 1.0
    assert found.covered >= 0.85
    assert 0.7 * found.true < found.expected < 1.5 * found.true
    assert found.width < 1.6 * found.true


def test_the_fit_has_an_asymptote():
    """Errors that tend to 8% will not get below it, however far they are from zero."""
    errors = [0.08 + 0.12 * 2.0**-k for k in range(4)]
    gain = expected_gain(SIZES, correct(*errors, n_test=20_000), 2)
    assert gain.low < 0.0075 < gain.high
    assert gain.expected == pytest.approx(0.0075, rel=0.1)
    assert gain.high < 0.01


def test_no_curve_tends_below_zero():
    """Errors that halve with four times as many samples may go on like that, but not faster."""
    errors = [0.2 * 2 ** (-k / 2) for k in range(4)]
    gain = expected_gain(SIZES, correct(*errors, n_test=300), 2)
    assert gain.low < errors[-1] * (1 - 2**-0.5) < gain.high
    assert gain.high < errors[-1] / 3


def test_few_test_samples_make_the_range_wide():
    """The errors are the same shares."""
    errors = (0.2, 0.15, 0.12, 0.1)
    few, many = (expected_gain(SIZES, correct(*errors, n_test=n), 2) for n in (100, 10_000))
    assert few.high - few.low > 1.3 * (many.high - many.low)


def test_draws_that_differ_make_the_range_wide():
    """So few draws do not show the mean of all parts of the training samples."""
    errors = (0.2, 0.15, 0.12, 0.1)
    alike, apart = (expected_gain(SIZES, rows, 2) for rows in (correct(*errors), differing(errors)))
    assert apart.high - apart.low > 1.3 * (alike.high - alike.low)


def test_a_training_set_that_may_be_better_does_not_make_the_range_wide():
    """Its parts are better, too. With enough draws, it does not matter how much they differ."""
    errors = (0.2, 0.15, 0.12, 0.1)
    rows = [np.tile(draws, (100, 1)) for draws in differing(errors)[:-1]]
    rows.append(correct(*errors)[-1])
    alike, apart = (expected_gain(SIZES, rows, 2) for rows in (correct(*errors), rows))
    assert apart.high - apart.low < 1.2 * (alike.high - alike.low)


def test_more_images_hardly_help_where_nothing_is_wrong():
    """With many test images; a few that are all right do not show it."""
    gain = expected_gain(SIZES, correct(0, 0, 0, 0, n_test=5000), 2)
    assert gain.high < 0.001
    assert expected_gain(SIZES, correct(0, 0, 0, 0, n_test=50), 2) is None


def test_no_more_is_promised_than_is_wrong_now():
    """Six in a thousand test images are wrong, so that 0.6 points can be gained."""
    gain = expected_gain(SIZES, correct(0.1, 0.06, 0.03, 0.006, n_test=1000), 2)
    assert 0 < gain.expected <= 0.006
    assert gain.high == 0.006


@pytest.mark.parametrize(
    "errors",
    [(0.2, 0.1), (0.1, 0.15, 0.2, 0.25), (0.45, 0.42, 0.38, 0.31)],
    ids=["two sizes", "error rises", "near chance"],
)
def test_nothing_is_said_where_nothing_can_be_said(errors):
    """With two classes, chance is wrong in half of the images."""
    assert expected_gain(SIZES[-len(errors) :], correct(*errors), 2) is None


def test_the_start_of_a_curve_is_left_out():
    """With 31% of six classes the classifier has learned much; of two classes it has not."""
    errors = (0.45, 0.42, 0.38, 0.31)
    assert expected_gain(SIZES, correct(*errors), 6) is not None


def test_a_range_from_a_loss_to_a_quarter_of_the_errors_says_nothing():
    """Where each model is wrong about other images, forty are too few; four thousand are not."""

    def shuffled(n_test):
        rows = correct(0.2, 0.1, 0.1, 0.05, n_test=n_test)
        return [np.roll(row, i * n_test // 5, axis=1) for i, row in enumerate(rows)]

    assert expected_gain(SIZES, shuffled(40), 2) is None
    assert expected_gain(SIZES, shuffled(4000), 2) is not None


def test_single_draws_show_no_variance():
    """So that no range could be given."""
    assert expected_gain(SIZES, correct(0.2, 0.15, 0.12, 0.1, n_draws=1), 2) is None
