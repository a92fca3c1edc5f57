"""The tables of a run as data frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from reports.frames import (
    comparisons_frame,
    learning_curves_frame,
    predictions_frame,
    results_frame,
)
from reports.records import Comparison, LearningCurve
from reports.tables import write_metrics, write_predictions
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path

RUN, PREDICTIONS = sample(["cats", "dogs"], n_per_class=10)


def test_results_are_those_of_the_csv_file(tmp_path: Path) -> None:
    """Same columns, same order, same values; measures are floats."""
    write_metrics(RUN, tmp_path / "metrics.csv")
    frame = results_frame(RUN)
    pd.testing.assert_frame_equal(frame, pd.read_csv(tmp_path / "metrics.csv"), check_exact=True)
    assert (frame.dtypes[1:] == "float64").all()


def test_an_unknown_measure_is_nan() -> None:
    """It is a float column even if no classifier has a value."""
    frame = results_frame(replace(RUN, results=[replace(RUN.results[0], roc_auc=None)]))
    assert frame["roc_auc"].isna().all()
    assert frame["roc_auc"].dtype == "float64"


def test_a_run_without_classifiers_has_empty_frames() -> None:
    """With all their columns."""
    run = replace(RUN, results=[])
    assert list(results_frame(run)) == list(results_frame(RUN))
    for frame in (results_frame(run), comparisons_frame(run), learning_curves_frame(run)):
        assert len(frame) == 0
    assert list(predictions_frame([])) == list(predictions_frame(PREDICTIONS))


def test_predictions_are_those_of_the_csv_file(tmp_path: Path) -> None:
    """One row per classifier and image."""
    write_predictions(PREDICTIONS, tmp_path / "predictions.csv")
    frame = predictions_frame(PREDICTIONS)
    assert len(frame) == len(PREDICTIONS)
    pd.testing.assert_frame_equal(
        frame, pd.read_csv(tmp_path / "predictions.csv"), check_exact=True, check_dtype=False
    )


def test_comparisons_have_a_row_for_each_pair() -> None:
    """With both p-values."""
    run = replace(RUN, comparisons=[Comparison("svm", "cnn", 9, 1, 0.02, 0.06)])
    (row,) = comparisons_frame(run).to_dict("records")
    assert row == {
        "first": "svm",
        "second": "cnn",
        "only_first": 9,
        "only_second": 1,
        "p_value": 0.02,
        "p_adjusted": 0.06,
    }


def test_learning_curves_have_a_row_for_each_draw() -> None:
    """So that a group-by gives mean and spread."""
    curve = LearningCurve("svm", [10, 20], [[0.5, 0.7], [0.9]], per_class=False)
    frame = learning_curves_frame(replace(RUN, learning_curves=[curve]))
    assert frame.to_dict("list") == {
        "classifier": ["svm"] * 3,
        "images": [10, 10, 20],
        "draw": [0, 1, 0],
        "accuracy": [0.5, 0.7, 0.9],
    }


def test_sizes_of_earlier_learning_curves_are_converted() -> None:
    """They counted the images of each class, and all classes had as many."""
    assert len(RUN.data.classes) == 2
    curve = LearningCurve("svm", [5, 10], [[0.5, 0.7], [0.9]])
    frame = learning_curves_frame(replace(RUN, learning_curves=[curve]))
    assert frame["images"].tolist() == [10, 10, 20]
