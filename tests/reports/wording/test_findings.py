"""What is said of a classifier besides its accuracy."""

import dataclasses

import pytest

from reports.pages import page
from reports.record import LearningCurve, Reliability, Search, Sweep, Threshold
from reports.tables import remarks
from reports.wording import findings
from tests.reports.samples import sample


def test_findings_stand_on_the_page_and_on_the_terminal():
    """Seeds, threshold and learning curve, in the same words."""
    run, predictions = sample(["cat", "dog"])
    first = dataclasses.replace(
        run.results[0],
        repeats=[0.9, 0.92],
        threshold=Threshold(0.99, 0.8, 0.995, 0.9, 0.095),
    )
    curves = [LearningCurve("dense", [5, 10, 20], [[0.6, 0.7], [0.8, 0.8], [0.9, 0.9]], 0.05)]
    run = dataclasses.replace(run, results=[first, *run.results[1:]], learning_curves=curves)
    told = "\n".join(remarks(run))
    html = page.render(run, predictions, None)
    for words in (
        "accuracy 0.910 over 2 seeds on the same split",
        "99.5% of them right",
        "twice as many would bring about 5.0 points more",
    ):
        assert words in told
        assert words in html
    assert "Accuracy with fewer training images" in html


def test_seeds_that_change_nothing_are_told_as_such():
    """A standard deviation of nothing would look like certainty."""
    run, _ = sample(["cat", "dog"])
    said = findings.repeated(dataclasses.replace(run.results[0], repeats=[0.9, 0.9, 0.9]))
    assert said.startswith("accuracy 0.900 with each of 3 seeds")
    assert "deviation" not in said


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (1e-4, "on a part of the training images"),
        (1e-3, "the largest of them, and a larger one may"),
        (1e-5, "the smallest of them, and a smaller one may"),
    ],
)
def test_the_learning_rate_that_was_chosen_is_told(chosen, words):
    """And whether it lies at the edge of those that were tried."""
    run, _ = sample(["cat", "dog"])
    result = dataclasses.replace(
        run.results[0],
        search=Search(1, "accuracy", [], {"learning_rate": chosen}, method="hold-out"),
        sweep=[Sweep(rate, {}) for rate in (1e-4, 1e-3, 1e-5)],
    )
    said = findings.swept(result)
    assert said.startswith(f"learning rate {chosen:g}, the best of 3")
    assert words in said
    assert ("may be better still" in said) is (chosen != 1e-4)


def test_a_calibration_that_made_it_worse_is_told():
    """It is chosen on the training images, and need not help on the others."""
    good, bad = (Reliability([], [], [], error) for error in (0.01, 0.03))
    assert findings.calibration(good, bad).endswith("on these it did not help")
    assert "did not help" not in findings.calibration(bad, good)


@pytest.mark.parametrize(
    ("precision", "n_test", "missed", "few"),
    [(0.995, 1000, False, False), (0.97, 1000, True, False), (1.0, 14, False, True)],
)
def test_a_precision_that_was_missed_or_cannot_be_shown_is_told(precision, n_test, missed, few):
    """Three hundred right answers are needed to show 99%."""
    said = findings.thresholded(Threshold(0.99, 0.8, precision, 0.9, 0.05), n_test)
    assert ("fewer right answers than were wished for" in said) is missed
    assert ("so few answers cannot show 99.0%" in said) is few


@pytest.mark.parametrize(
    ("gain_range", "words"),
    [
        ([0.002, 0.02], "about 1.0 points more, if it goes on like this (0.2 to 2.0 points"),
        ([-0.01, 0.02], "they do not tell (-1.0 to 2.0 points"),
        ([-0.01, 0.0005], "would hardly help"),
        (None, "about 1.0 points more, if it goes on like this"),
    ],
)
def test_a_learning_curve_says_how_sure_its_prognosis_is(gain_range, words):
    """Where single draws disagree, nothing is promised."""
    curve = LearningCurve("svm", [10, 20, 40], [[0.7], [0.8], [0.9]], 0.01, gain_range)
    said = findings.prognosis(curve)
    assert words in said
    assert ("from draw to draw" in said) is (gain_range is not None and gain_range[1] > 0.001)
