"""Records of what estimators and their evaluation return."""

import dataclasses

import numpy as np

from classify.estimators.centroid import Centroid
from classify.estimators.svm import SVM
from classify.evaluation.confidence import assess_confidence
from classify.evaluation.decision import DecisionRule
from classify.evaluation.metrics import evaluate
from classify.experiment.recording import conversion
from reports import records


def test_the_record_of_a_result_has_the_chosen_parameters():
    """It says which C and kernel the model was trained with, not that they were searched."""
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 50)).astype(np.float32), np.array(["a", "b"] * 15)
    svm = SVM(kernel="linear").fit(X, y)
    probabilities = svm.predict_proba(X)
    result = conversion.result(
        "svm",
        svm,
        evaluate(y, probabilities, svm.classes_),
        assess_confidence(probabilities, np.arange(30) % 2, DecisionRule.of([15, 15])),
        fit_seconds=2.0,
        predict_seconds=0.5,
        notes=["a note"],
    )
    assert result.params["C"] == svm.C_
    assert result.params["kernel"] == "linear"
    assert result.title == "SVM on frozen features"
    assert result.accuracy == svm.score(X, y)
    assert (result.fit_seconds, result.predict_seconds) == (2.0, 0.5)
    assert result.notes == ["a note"]
    assert isinstance(result.classes[0], records.ClassScore)


def test_a_confusion_matrix_of_many_classes_is_recorded_by_its_cells():
    """The record grows with the images, not with the square of the classes."""
    rng = np.random.default_rng(0)
    y = np.repeat([f"class {i:02d}" for i in range(40)], 6)
    X = rng.random((len(y), 5)).astype(np.float32)
    model = Centroid().fit(X, y)
    probabilities = model.predict_proba(X)
    evaluation = evaluate(y, probabilities, model.classes_)
    result = conversion.result(
        "centroid",
        model,
        evaluation,
        assess_confidence(probabilities, np.repeat(np.arange(40), 6), DecisionRule.of([6] * 40)),
        fit_seconds=2.0,
        predict_seconds=0.5,
    )
    assert result.confusion == []
    dense = np.zeros((40, 40), dtype=int)
    for true, predicted, number in result.cells():
        dense[true, predicted] = number
    assert dense.tolist() == evaluation.confusion


def test_the_record_of_a_search_has_every_point():
    """With the same fields, so that nothing that an estimator measured is lost."""
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 50)).astype(np.float32), np.array(["a", "b"] * 15)
    search = SVM(kernel="linear").fit(X, y).search_
    recorded = conversion.search(search)
    assert list(map(dataclasses.asdict, recorded.points)) == [
        dataclasses.asdict(point) for point in search.points
    ]
    assert (recorded.folds, recorded.chosen) == (search.folds, search.chosen)
