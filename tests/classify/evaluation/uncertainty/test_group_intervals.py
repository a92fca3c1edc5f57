"""Intervals where images come in groups."""

import time

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from classify.evaluation.confidence import assess_confidence
from classify.evaluation.decision import DecisionRule
from classify.evaluation.metrics import evaluate
from classify.evaluation.threshold import apply_threshold
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from toolkit.statistics import wilson

MEASURES = ("accuracy", "balanced_accuracy", "roc_auc", "log_loss")


def predictions(n_samples=300, n_classes=2, seed=0):
    """Return true classes and probabilities that are right for most of them."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % n_classes
    scores = rng.normal(size=(n_samples, n_classes))
    scores[np.arange(n_samples), codes] += 1.5
    return codes, softmax(2 * scores, axis=1)


def limits(evaluation):
    """Return the intervals of all measures, those of the classes last."""
    of_classes = [
        (getattr(score, f"{name}_low"), getattr(score, f"{name}_high"))
        for score in evaluation.classes
        for name in ("precision", "recall", "f1")
    ]
    overall = [
        (getattr(evaluation, f"{name}_low"), getattr(evaluation, f"{name}_high"))
        for name in MEASURES
    ]
    return np.array(overall + of_classes)


@pytest.mark.parametrize("number", [0, 1, 30, 57, 60])
def test_one_image_per_group_gives_wilsons_interval(number):
    """Except for the randomness of the draws."""
    found = GroupIntervals(range(60), np.zeros(60)).share(np.arange(60) < number)
    assert found == pytest.approx(wilson(number, 60), abs=0.01)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_one_image_per_group_gives_the_intervals_of_single_images(n_classes):
    """Of every measure; those of the log loss have ten times as many draws."""
    codes, y_proba = predictions(n_classes=n_classes)
    single = evaluate(codes, y_proba, range(n_classes))
    groups = evaluate(codes, y_proba, range(n_classes), groups=np.arange(len(codes)) + 7)
    assert limits(groups) == pytest.approx(limits(single), abs=0.02)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_copies_in_a_group_tell_nothing_new(n_classes):
    """Eight copies of each image, as a group, are worth as much as the image."""
    codes, y_proba = predictions(n_classes=n_classes)
    groups = np.arange(len(codes)).repeat(8)
    single = evaluate(codes, y_proba, range(n_classes))
    copied = codes.repeat(8), y_proba.repeat(8, axis=0), range(n_classes)
    by_groups, ignored = evaluate(*copied, groups=groups), evaluate(*copied)
    assert limits(by_groups) == pytest.approx(limits(single), abs=0.03)
    width, too_narrow = (np.diff(limits(found)).mean() for found in (by_groups, ignored))
    assert too_narrow < width / 2


def test_all_images_right_is_no_certainty():
    """A bootstrap alone would give a single point; ten images of three groups are worth three."""
    codes = np.repeat([0, 1], 15)
    groups = np.arange(30) // 5
    y_proba = np.where(codes[:, None] == [0, 1], 0.9, 0.1)
    found = evaluate(codes, y_proba, [0, 1], groups=groups)
    assert found.accuracy_high == found.roc_auc_high == found.balanced_accuracy_high == 1.0
    assert found.accuracy_low < wilson(6, 6)[0]
    assert found.roc_auc_low < 0.75
    assert found.classes[0].recall_low < wilson(3, 3)[0]


def test_a_single_group_tells_nothing():
    """Shares can be anything from 0 to 1, and so can what a class with one group is of."""
    found = evaluate([0, 1], np.array([[0.9, 0.1], [0.2, 0.8]]), [0, 1], groups=np.array([4, 4]))
    assert (found.accuracy_low, found.accuracy_high) == (0.0, 1.0)
    assert (found.roc_auc_low, found.roc_auc_high) == (0.0, 1.0)
    assert (found.balanced_accuracy_low, found.balanced_accuracy_high) == (0.0, 1.0)
    assert found.log_loss_low is None
    assert found.log_loss_high is None


def test_what_groups_are_called_makes_no_difference():
    """Numbers can be any, in any order; the draws are the same each time."""
    codes, y_proba = predictions()
    groups = np.arange(len(codes)) // 6
    found = evaluate(codes, y_proba, [0, 1], groups=groups)
    assert found == evaluate(codes, y_proba, [0, 1], groups=3 * groups - 50)


def test_probabilities_are_judged_by_groups():
    """The calibration gain and the precision above a threshold have wider intervals."""
    codes, y_proba = predictions(60)
    copied, groups = (codes.repeat(10), y_proba.repeat(10, axis=0)), np.arange(60).repeat(10)
    rule, held_out = DecisionRule.of([30, 30]), (y_proba**3 / (y_proba**3).sum(1)[:, None], codes)
    alone, ignored, by_groups = (
        assess_confidence(*(raw, true, rule, held_out), calibration=True, groups=by).gain
        for true, raw, by in ((codes, y_proba, None), (*copied, None), (*copied, groups))
    )
    assert by_groups == pytest.approx(alone, abs=0.15 * (alone[2] - alone[1]))
    assert ignored[2] - ignored[1] < (alone[2] - alone[1]) / 2
    alone, by_groups = (
        apply_threshold(raw, true, 0.8, 0.9, groups=by)
        for true, raw, by in ((codes, y_proba, None), (*copied, groups))
    )
    assert by_groups.precision_low == pytest.approx(alone.precision_low, abs=0.03)
    assert by_groups.precision_high == pytest.approx(alone.precision_high, abs=0.03)


def test_the_area_knows_of_both_classes_in_a_group():
    """Where classes are told apart well or badly by group, its interval is as wide as it varies."""
    rng, intervals, areas = np.random.default_rng(0), [], []
    groups, positive = np.arange(480) // 8, np.arange(480) % 2 == 1
    for _ in range(60):
        apart = (0.7 + 1.5 * rng.normal(size=60))[groups]
        scores = np.where(positive, apart, -apart) + rng.normal(size=480)
        areas.append(roc_auc_score(positive, scores))
        intervals.append(GroupIntervals(groups, positive).area(scores, positive))
    assert np.diff(intervals).mean() == pytest.approx(2 * 1.96 * np.std(areas), rel=0.25)


def test_many_images_groups_and_classes_take_a_second():
    """Ten thousand images of a hundred classes in a thousand groups; about one second."""
    codes, y_proba = predictions(10_000, 100)
    codes = np.sort(codes)
    start = time.process_time()
    evaluate(codes, y_proba, range(100), groups=np.arange(10_000) // 10)
    assert time.process_time() - start < 8


def test_the_gain_of_a_calibration_has_no_interval_with_few_groups():
    """Two groups cannot show that probabilities are better."""
    rng = np.random.default_rng(0)
    codes = np.tile([0, 1], 40)
    raw = np.where(codes[:, None] == [0, 1], 0.99, 0.01)
    held_out = (np.clip(raw + rng.normal(0, 0.2, raw.shape), 0.01, 0.99), codes)
    for n_groups, is_known in ((4, False), (40, True)):
        found = assess_confidence(
            raw, codes, DecisionRule.of([1, 1]), held_out, calibration=True,
            groups=np.arange(80) % n_groups,
        )  # fmt: skip
        assert (found.gain is not None) == is_known
