"""Turn the results of estimators and of their evaluation into the records that a run stores."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from classify.evaluation.calibration import answered
from reports import records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.estimators.search import SearchResult
    from classify.evaluation.calibration import Reliability
    from classify.evaluation.comparison import Comparison
    from classify.evaluation.confidence import Confidence
    from classify.evaluation.learning_curve import LearningCurve
    from classify.evaluation.metrics import Evaluation
    from classify.evaluation.relabelled import RelabelledResult
    from classify.evaluation.unfamiliar.rejection import RejectionResult
    from classify.evaluation.ungrouped import Ungrouped
    from classify.evaluation.validation import Validation


def result(
    name: str,
    estimator: Classifier,
    evaluation: Evaluation,
    confidence: Confidence,
    *,
    fit_seconds: float,
    predict_seconds: float,
    title: str | None = None,
    **fields: Any,
) -> records.Result:
    """Return the record of one trained and evaluated classifier.

    Parameters
    ----------
    name : str
        The classifier's name in the run.
    estimator : Classifier
        Trained.
    evaluation : Evaluation
        Its metrics on the test split.
    confidence : Confidence
        Reliability, calibration and threshold.
    fit_seconds, predict_seconds : float
        Duration of the training and of the prediction of the test split.
    title : str, optional
        By default the estimator's own.
    **fields
        Other fields of `reports.records.Result`: `backbone`, `model`, `model_sha256`, `repeats`,
        `notes`.

    Returns
    -------
    reports.records.Result
        Its `params` are the estimator's parameters, with the chosen values for those that were
        searched.
    """
    metrics = {field: getattr(evaluation, field) for field in vars(evaluation)}
    metrics["classes"] = [records.ClassScore(**asdict(score)) for score in evaluation.classes]
    if len(evaluation.classes) > records.MANY_CLASSES:
        metrics |= {"confusion": [], "confusion_cells": _cells(evaluation.confusion)}
    metrics["roc"] = [records.RocCurve(**asdict(curve)) for curve in evaluation.roc]
    found: SearchResult | None = getattr(estimator, "search_", None)
    threshold, calibration = confidence.threshold, confidence.rule.calibration
    return records.Result(
        classifier=name,
        title=estimator.title if title is None else title,
        params=json_params(estimator.get_params() | (found.chosen if found else {})),
        n_parameters=getattr(estimator, "n_parameters_", None),
        **metrics,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        history=getattr(estimator, "history_", {}),
        search=None if found is None else search(found),
        sweep=[records.Sweep(**asdict(sweep)) for sweep in getattr(estimator, "sweep_", [])],
        threshold=None if threshold is None else records.Threshold(**asdict(threshold)),
        reliability=reliability(confidence.reliability),
        uncalibrated=reliability(confidence.uncalibrated),
        temperature=None if calibration is None else calibration.temperature,
        offsets=[] if calibration is None else calibration.offsets,
        calibration_changed=confidence.changed,
        calibration_gain=confidence.gain,
        **fields,
    )


def _cells(confusion: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return true class, predicted class and number of every cell that is not zero."""
    return [
        [true, predicted, n]
        for true, counts in enumerate(confusion)
        for predicted, n in enumerate(counts)
        if n
    ]


def search(found: SearchResult) -> records.Search:
    """Return the record of a parameter search."""
    return records.Search(
        folds=found.folds,
        scoring=found.scoring,
        points=[records.SearchPoint(**asdict(point)) for point in found.points],
        chosen=found.chosen,
        chosen_by=found.chosen_by,
        method=found.method,
    )


def reliability(diagram: Reliability | None) -> records.Reliability | None:
    """Return the record of a reliability diagram, if there is one."""
    return None if diagram is None else records.Reliability(**asdict(diagram))


def rejection(found: RejectionResult) -> records.Rejection:
    """Return the record of refusing unfamiliar test images."""
    return records.Rejection(**asdict(found))


def relabelled(found: RelabelledResult) -> records.Relabelled:
    """Return the record of the test images whose label was corrected."""
    return records.Relabelled(**asdict(found))


def validated(
    results: Iterable[records.Result], validations: Mapping[str, Validation]
) -> list[records.Result]:
    """Return results with how each did on training samples that it was not trained on."""
    return [
        replace(result, validation=records.Validation(**asdict(validations[result.classifier])))
        if result.classifier in validations
        else result
        for result in results
    ]


def learning_curve(name: str, curve: LearningCurve) -> records.LearningCurve:
    """Return the record of the learning curve of the classifier `name`."""
    return records.LearningCurve(name, **asdict(curve), per_class=False)


def ungrouped(name: str, found: Ungrouped) -> records.Ungrouped:
    """Return the record of what a split without groups would have claimed for `name`."""
    return records.Ungrouped(name, **asdict(found))


def comparisons(pairs: Iterable[Comparison]) -> list[records.Comparison]:
    """Return the records of pairwise comparisons."""
    return [records.Comparison(**asdict(pair)) for pair in pairs]


def json_params(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them; what it cannot represent becomes its `repr`.

    Examples
    --------
    >>> json_params({"C": 1.0, "dtype": complex})
    {'C': 1.0, 'dtype': "<class 'complex'>"}
    """
    return {name: _json_value(value) for name, value in params.items()}


def _json_value(value: Any) -> Any:
    try:
        json.dumps(value)
    except TypeError:
        return repr(value)
    return value


def predictions(
    name: str,
    samples: Sequence[str],
    labels: Sequence[str],
    confidence: Confidence,
    classes: NDArray[Any],
) -> list[records.PredictionRow]:
    """Return the records of the predictions of the classifier `name`, one for each sample.

    Parameters
    ----------
    name : str
    samples : sequence of str, length n_samples
        What a table calls them.
    labels : sequence of str, length n_samples
        Their true classes.
    confidence : Confidence
        Their probabilities and answers.
    classes : ndarray of shape (n_classes,)
        Labels of the columns of the probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.evaluation.confidence import assess_confidence
    >>> from classify.evaluation.decision import DecisionRule
    >>> rule = DecisionRule.of([1, 1])
    >>> confidence = assess_confidence(np.array([[0.2, 0.8]]), np.array([0]), rule)
    >>> rows = predictions("svm", ["1.jpg"], ["a"], confidence, np.array(["a", "b"]))
    >>> rows[0].predicted, rows[0].probability
    ('b', 0.8)
    """
    answers, probabilities = answered(confidence.probabilities, confidence.answers)
    return [
        records.PredictionRow(name, sample, label, str(classes[code]), float(probability))
        for sample, label, code, probability in zip(
            samples, labels, answers, probabilities, strict=True
        )
    ]
