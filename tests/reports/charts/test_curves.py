"""ROC and precision-recall curves."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from reports import RocCurve
from reports.charts.curves import SEVERAL_CLASSES, precision_recall, recall_and_precision, roc
from tests.reports.samples import sample

TWO = sample(["cats", "dogs"])[0].results
SIX = sample(list("abcdef"), n_per_class=20)[0].results


def test_two_classes_share_one_chart_and_its_corner():
    """Each classifier is one line of the legend, with its area."""
    whole, corner = roc(TWO, 2)
    assert [key.label for key in whole.legend] == [result.title for result in TWO]
    assert all(key.value.startswith("AUC ") for key in whole.legend)
    assert "corner" in corner.caption


def test_more_classes_have_a_chart_per_classifier():
    """After the mean over the classes, each class is drawn against the rest."""
    charts = [chart for chart in roc(SIX, 6) if "each class" in chart.caption]
    assert len(charts) == len(SIX)
    assert [key.label for key in charts[0].legend] == list("abcdef")


def test_many_classes_share_one_line_of_the_legend():
    """The other line of the legend is their mean."""
    classes = [f"class {i}" for i in range(SEVERAL_CLASSES + 4)]
    results = sample(classes, n_per_class=10, classifiers=("svm",))[0].results
    last = roc(results, len(classes))[-1]
    assert [key.label for key in last.legend] == ["each of 12 classes", "mean over the classes"]


def ranked_by_chance() -> tuple[np.ndarray, np.ndarray]:
    """Return which samples belong to the class, and weakly informative scores with ties."""
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.3
    return truth, (truth + rng.normal(0, 1, 300)).round(1)


def test_precision_and_recall_are_those_of_scikit_learn():
    """Every point that scikit-learn computes from the scores is on the curve from the ROC curve."""
    truth, scores = ranked_by_chance()
    fpr, tpr, _ = roc_curve(truth, scores)
    line = recall_and_precision(RocCurve("x", fpr.tolist(), tpr.tolist(), 0.0), truth.sum(), 300)
    precisions, recalls, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    ours = np.stack([line.xs, line.ys], axis=1)
    for point in np.stack([recalls, precisions], axis=1)[:-1]:  # the last one is by convention
        assert np.abs(ours - point).max(axis=1).min() < 0.01
    assert line.area == pytest.approx(average_precision_score(truth, scores), abs=0.02)


def test_between_two_points_precision_does_not_run_straight():
    """Halfway through a tie of all images, precision is the share of the class, not half of it."""
    tie = recall_and_precision(RocCurve("x", [0.0, 0.0, 1.0], [0.0, 0.5, 1.0], 0.75), 10, 110)
    at = np.interp(0.75, tie.xs, tie.ys)
    assert at == pytest.approx(7.5 / (7.5 + 50))
    assert at < (1 + 10 / 110) / 2


def test_only_a_curve_near_its_corner_is_enlarged():
    """A classifier that is no better than chance has one chart."""
    guessing = [replace(TWO[0], roc=[RocCurve("dogs", [0.0, 1.0], [0.0, 1.0], 0.5)])]
    assert len(roc(guessing, 2)) == len(precision_recall(guessing, 2)) == 1


def test_a_mean_roc_curve_begins_where_nothing_is_found():
    """At (0, 0), even where the classes' own begin to rise at once."""
    start = [RocCurve(curve.label, [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], 1.0) for curve in SIX[0].roc]
    (mean, *_) = roc([replace(SIX[0], roc=start)], 6)
    (path,) = re.findall(r'<path d="([^"]+)"[^>]*stroke: var\(--series-0\)', mean.svg)
    (x0, y0), (x1, y1) = re.findall(r"([\d.]+) ([\d.]+)", path)[:2]
    assert x0 == x1
    assert float(y0) > float(y1)


def test_precision_recall_has_the_charts_of_roc():
    """The same classifiers in the same colours; areas instead of AUC."""
    for results, n_classes in ((TWO, 2), (SIX, 6)):
        charts = precision_recall(results, n_classes)
        assert len(charts) == len(roc(results, n_classes))
        for chart, other in zip(charts, roc(results, n_classes), strict=True):
            assert [(k.label, k.colour, k.dash) for k in chart.legend] == [
                (k.label, k.colour, k.dash) for k in other.legend
            ]
            assert all(key.value.startswith("area ") for key in chart.legend)
