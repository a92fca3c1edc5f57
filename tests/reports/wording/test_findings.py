"""Findings about classifiers besides their accuracy, in words."""

import dataclasses

import pytest

from reports.pages import page
from reports.records import LearningCurve, Rejection, Reliability, Search, Sweep, Threshold
from reports.tables import remarks
from reports.wording import findings
from tests.reports.samples import sample


def test_findings_are_on_the_page_and_in_the_terminal():
    """Seeds, threshold and learning curve, in the same words."""
    run, predictions = sample(["cat", "dog"], classifiers=("dense", "svm"))
    first = dataclasses.replace(
        run.results[0],
        repeats=[0.9, 0.92],
        threshold=Threshold(0.99, 0.8, 0.995, 0.9, 0.095),
    )
    accuracies = [[0.6, 0.7], [0.8, 0.8], [0.9]]
    curves = [LearningCurve("dense", [10, 20, 40], accuracies, 0.05, per_class=False)]
    run = dataclasses.replace(run, results=[first, *run.results[1:]], learning_curves=curves)
    lines = "\n".join(remarks(run))
    html = page.render(run, predictions, None)
    for words in (
        "accuracy 0.910 over 2 seeds on the same split",
        "99.5% of them correctly",
        "twice as many would add about 5.0 points",
    ):
        assert words in lines
        assert words in html
    assert "Accuracy with fewer training images" in html


def test_seeds_without_effect_have_no_standard_deviation():
    """A standard deviation of zero would look like certainty."""
    run, _ = sample(["cat", "dog"])
    said = findings.repeats_sentence(dataclasses.replace(run.results[0], repeats=[0.9, 0.9, 0.9]))
    assert said.startswith("accuracy 0.900 with each of 3 seeds")
    assert "deviation" not in said


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (1e-4, "on a validation split"),
        (1e-3, "the largest of them, and a larger one may"),
        (1e-5, "the smallest of them, and a smaller one may"),
    ],
)
def test_the_chosen_learning_rate_is_named(chosen, words):
    """And whether it is the smallest or the largest that was tried."""
    run, _ = sample(["cat", "dog"])
    result = dataclasses.replace(
        run.results[0],
        search=Search(1, "accuracy", [], {"learning_rate": chosen}, method="hold-out"),
        sweep=[Sweep(rate, {}) for rate in (1e-4, 1e-3, 1e-5)],
    )
    said = findings.sweep_sentence(result)
    assert said.startswith(f"learning rate {chosen:g}, the best of 3")
    assert words in said
    assert ("may be better still" in said) is (chosen != 1e-4)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ([0.02, 0.01, 0.03], "0.020 lower (95% interval 0.010 to 0.030): the probabilities are b"),
        ([-0.02, -0.03, -0.01], "0.020 higher (95% interval 0.010 to 0.030): the probabilities ar"),
        ([0.01, -0.01, 0.03], "falls by 0.010 (95% interval -0.010 to 0.030), which may be chance"),
        (
            [-0.01, -0.03, 0.01],
            "rises by 0.010 (95% interval -0.010 to 0.030), which may be chance",
        ),
    ],
)
def test_a_calibration_is_judged_by_the_log_loss(gain, words):
    """Whether the expected calibration error falls or rises: on few images that is chance."""
    good, bad = (Reliability([], [], [], error, 0.02) for error in (0.01, 0.03))
    for before, after in ((good, bad), (bad, good)):
        said = findings.calibration_sentence(before, after, gain)
        assert words in said
        assert "perfect calibration would show about 0.020" in said


def test_the_calibration_of_an_earlier_run_is_not_judged():
    """Its log loss before the calibration is unknown."""
    good, bad = (Reliability([], [], [], error) for error in (0.01, 0.03))
    said = findings.calibration_sentence(good, bad)
    assert said == "expected calibration error 0.030 on the test images, 0.010 before calibration"


@pytest.mark.parametrize(("precision", "missed"), [(0.995, False), (0.97, True)])
def test_a_precision_that_was_missed_is_named(precision, missed):
    """The threshold holds in 95 of 100 choices only."""
    said = findings.threshold_sentence(Threshold(0.99, 0.8, precision, 0.9, 0.05), 1000)
    assert ("the precision is below the target" in said) is missed


def test_a_threshold_promises_what_it_was_chosen_for():
    """In runs of earlier versions it was chosen on the training images alone."""
    earlier = Threshold(0.95, 0.8, 0.97, 0.9, 0.05)
    assert "for a precision of 95.0% on the training" in findings.threshold_sentence(earlier, 100)
    now = dataclasses.replace(earlier, precision_low=0.92, precision_high=0.99)
    said = findings.threshold_sentence(now, 100)
    assert "at least 95.0% of the predictions are correct on new images, too" in said
    assert "(95% interval 92.0% to 99.0%)" in said


@pytest.mark.parametrize(
    ("gain_range", "words"),
    [
        ([0.002, 0.02], "would add about 1.0 points (90% range 0.2 to 2.0)"),
        (
            [-0.01, 0.02],
            "it is unclear whether twice as many would help (90% range -1.0 to 2.0 points)",
        ),
        ([-0.01, 0.0005], "would hardly help"),
        (None, "would add about 1.0 points"),
    ],
)
def test_a_learning_curve_says_how_certain_its_extrapolation_is(gain_range, words):
    """If the range includes none, no gain is promised."""
    accuracies = [[0.7], [0.8], [0.9]]
    curve = LearningCurve("svm", [10, 20, 40], accuracies, 0.01, gain_range, per_class=False)
    said = findings.learning_curve_sentence(curve)
    assert said.startswith("80.0% with 20 training images, 90.0% with all 40; ")
    assert words in said
    assert ("90% range" in said) is (gain_range is not None and gain_range[1] > 0.001)


def test_an_earlier_learning_curve_counts_images_per_class_and_promises_nothing():
    """Its sizes left out what larger classes had, and its gain was about twice the true one."""
    curve = LearningCurve("svm", [10, 20], [[0.8], [0.9]], 0.05, [0.04, 0.06])
    said = findings.learning_curve_sentence(curve)
    assert said.startswith("80.0% with 10 training images per class, 90.0% with 20 training im")
    assert "all" not in said.split(";")[0].replace("training images", "")
    assert "overestimated" in said
    assert "5.0" not in said


def test_no_threshold_is_called_that():
    """A low one that is below the probability of every answer would be read as one."""
    said = findings.threshold_sentence(Threshold(0.9, 0.0, 0.97, 0.97, 0.0), 100)
    assert said.startswith("predicts at any probability, chosen for")
    assert "of 100 test images it predicts 100, 97.0% of them correctly" in said


def test_a_threshold_above_every_probability_predicts_none():
    """There is no share of correct predictions then."""
    sentence = findings.threshold_sentence(Threshold(0.95, 0.99, None, 0.0, 1.0), 200)
    assert sentence.endswith("of 200 test images it predicts none")


@pytest.mark.parametrize(
    ("n_refused", "words"),
    [
        (0, "refuses none of 24 test images (0.0%,"),
        (0, "; of all, 95.8% are correct (95% interval"),
        (4, "; of the 20 that are left, 95.8% are correct"),
        (23, "; the one that is left is correct (95% interval"),
    ],
)
def test_what_is_left_after_a_rejection_is_counted_in_words(n_refused, words):
    """Whether none, some or nearly all are refused."""
    rejection = Rejection(0.05, 24, n_refused, 0.0, 0.1, 23 / 24, 0.8, 0.99)
    assert words in findings.rejection_sentence(rejection)


def test_a_learning_curve_promises_no_more_than_is_possible():
    """Of an earlier version, which did not know that nothing is left to gain."""
    accuracies = [[0.98], [0.99], [1.0]]
    curve = LearningCurve("svm", [10, 20, 40], accuracies, 0.01, [0.005, 0.02], per_class=False)
    assert "more images like these would hardly help" in findings.learning_curve_sentence(curve)
    curve = dataclasses.replace(curve, accuracies=[[0.97], [0.98], [0.994]])
    said = findings.learning_curve_sentence(curve)
    assert said.endswith("would add about 0.6 points (90% range 0.5 to 0.6)")
