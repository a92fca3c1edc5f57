"""Metrics of a classifier on a test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import (
    auc,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_curve,
)

from classify.errors import ClassifierError
from classify.evaluation.calibration import answered
from classify.evaluation.uncertainty.measure_intervals import of_groups, of_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

ROC_POINTS, ALL_ROC_POINTS, FEWEST_ROC_POINTS = 200, 6000, 50
"""Largest number of points of a curve, and of all; with many classes each has at least so many."""


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class, each in [0, 1] and with its 95% interval.

    `support` counts the samples of the class. Without any, or without any prediction, an interval
    is from 0 to 1. `confidence` is the mean probability of the predictions of this class, which is
    near the precision if the probabilities are right; None without any prediction.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float
    precision_low: float
    precision_high: float
    recall_low: float
    recall_high: float
    f1_low: float
    f1_high: float
    confidence: float | None


@dataclass(frozen=True)
class RocCurve:
    """ROC curve of the class `label` against the rest.

    `fpr` and `tpr` are the false and the true positive rates, thinned to at most 200 points (with
    more than 30 classes to fewer, at least 50); `auc` is the area under the full curve.
    """

    label: str
    fpr: list[float]
    tpr: list[float]
    auc: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a classifier on a test split.

    Attributes
    ----------
    n_test, n_correct : int
    accuracy : float
    accuracy_low, accuracy_high : float
        Its 95% confidence interval: Wilson's, or that of
        `classify.evaluation.uncertainty.group_intervals`.
    balanced_accuracy : float
        Mean recall of the classes that have test samples.
    balanced_accuracy_low, balanced_accuracy_high : float
        Its 95% interval; see `classify.evaluation.uncertainty.intervals`, also for the others.
    roc_auc : float or None
        Area under the ROC curve: of the second of two classes, or the mean over more than two
        classes, each against the rest. None if a class has no test sample.
    roc_auc_low, roc_auc_high : float or None
    log_loss : float
    log_loss_low, log_loss_high : float or None
        None if there are too few groups.
    classes : list of ClassScore
        A class without test samples has recall and F1 zero.
    confusion : list of list of int
        Rows are the true classes, columns the predicted ones.
    roc : list of RocCurve
    """

    n_test: int
    n_correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    balanced_accuracy_low: float
    balanced_accuracy_high: float
    roc_auc: float | None
    roc_auc_low: float | None
    roc_auc_high: float | None
    log_loss: float
    log_loss_low: float | None
    log_loss_high: float | None
    classes: list[ClassScore]
    confusion: list[list[int]]
    roc: list[RocCurve]


def evaluate(
    y_true: ArrayLike,
    y_proba: NDArray[Any],
    classes: ArrayLike,
    answers: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> Evaluation:
    """Compare predictions with the true labels.

    Parameters
    ----------
    y_true : array-like of shape (n_test,)
        True labels, each one of `classes`.
    y_proba : ndarray of shape (n_test, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns of `y_proba`: the `classes_` of a classifier.
    answers : ndarray of int, shape (n_test,), optional
        Predicted classes, as columns of `y_proba`; None is the most probable ones.
    groups : ndarray of int, shape (n_test,), optional
        The group of each sample, such as the patient: any numbers. The intervals are then those of
        `classify.evaluation.uncertainty.group_intervals`. None is a group of its own for each
        sample.

    Returns
    -------
    Evaluation

    Raises
    ------
    ClassifierError
        If there is no test sample, or one has a label that is not among `classes`.

    Examples
    --------
    >>> y_proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    >>> evaluation = evaluate(["cat", "dog", "dog", "dog"], y_proba, ["cat", "dog"])
    >>> evaluation.accuracy, evaluation.confusion
    (0.75, [[1, 0], [1, 2]])
    """
    labels = np.asarray(classes)
    names = [str(label) for label in labels]
    codes = class_codes(y_true, labels)
    y_pred, y_confidence = answered(y_proba, answers)
    columns = list(range(len(names)))
    n_test, n_correct = len(codes), int((y_pred == codes).sum())
    precision, recall, f1, support = precision_recall_fscore_support(
        codes, y_pred, labels=columns, zero_division=0.0
    )
    confusion = confusion_matrix(codes, y_pred, labels=columns)
    predicted, present = confusion.sum(axis=0), support > 0
    curves = _roc_curves(codes, y_proba, names)
    complete = len(curves) == (1 if len(names) == 2 else len(names))
    areas = [curve.auc for curve in curves] if complete else None
    losses = sample_losses(y_proba, codes)
    intervals = (
        of_samples(confusion, areas, losses)
        if groups is None
        else of_groups(groups, codes, y_pred, y_proba, losses)
    )
    scores = [
        ClassScore(
            *(name, int(support[i]), float(precision[i]), float(recall[i]), float(f1[i])),
            *(*intervals.precision[i], *intervals.recall[i], *intervals.f1[i]),
            confidence=float(y_confidence[y_pred == i].mean()) if predicted[i] else None,
        )
        for i, name in enumerate(names)
    ]
    auc_low, auc_high = intervals.roc_auc or (None, None)
    return Evaluation(
        n_test=n_test,
        n_correct=n_correct,
        accuracy=n_correct / n_test,
        accuracy_low=intervals.accuracy[0],
        accuracy_high=intervals.accuracy[1],
        balanced_accuracy=float(recall[present].mean()),
        balanced_accuracy_low=intervals.balanced_accuracy[0],
        balanced_accuracy_high=intervals.balanced_accuracy[1],
        roc_auc=float(np.mean(areas)) if areas else None,
        roc_auc_low=auc_low,
        roc_auc_high=auc_high,
        log_loss=float(losses.mean()),
        log_loss_low=None if intervals.log_loss is None else max(0.0, intervals.log_loss[0]),
        log_loss_high=None if intervals.log_loss is None else intervals.log_loss[1],
        classes=scores,
        confusion=confusion.tolist(),
        roc=curves,
    )


def sample_losses(y_proba: NDArray[Any], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the negative logarithm of the probability of every sample's true class.

    As in scikit-learn's `log_loss`, a probability is at least the smallest step of its type.

    Parameters
    ----------
    y_proba : ndarray of shape (n_samples, n_classes)
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `y_proba`.

    Examples
    --------
    >>> sample_losses(np.array([[0.25, 0.75]]), np.array([1])).round(4).tolist()
    [0.2877]
    """
    tiny = np.finfo(y_proba.dtype).eps
    losses: NDArray[np.float64] = -np.log(
        y_proba[np.arange(len(codes)), codes].astype(np.float64).clip(tiny, 1 - tiny)
    )
    return losses


def class_codes(labels: ArrayLike, classes: ArrayLike) -> NDArray[np.intp]:
    """Return the position in `classes` of every label, ``(n_samples,)``.

    Raises
    ------
    ClassifierError
        If there are no labels, or one is not among `classes`.

    Examples
    --------
    >>> class_codes(["dog", "cat"], ["cat", "dog"]).tolist()
    [1, 0]
    """
    labels = np.asarray(labels)
    if labels.size == 0:
        raise ClassifierError("there are no test images to evaluate on; add a test split")
    position = {label: code for code, label in enumerate(np.asarray(classes).tolist())}
    unknown = sorted({str(label) for label in labels.tolist() if label not in position})
    if unknown:
        raise ClassifierError(
            "the test split has classes that the training split does not have: "
            f"{', '.join(unknown)}; add training images of them or leave them out"
        )
    return np.array([position[label] for label in labels.tolist()], dtype=np.intp)


def _roc_curves(
    codes: NDArray[np.intp], y_proba: NDArray[Any], names: Sequence[str]
) -> list[RocCurve]:
    """Return the curve of the second of two classes, or of every class that has one.

    A class without test samples, or with all of them, has none.
    """
    curves = []
    n_points = max(FEWEST_ROC_POINTS, min(ROC_POINTS, ALL_ROC_POINTS // len(names)))
    for code in [1] if len(names) == 2 else range(len(names)):
        positive = codes == code
        if positive.all() or not positive.any():
            continue
        fpr, tpr, _ = roc_curve(positive, y_proba[:, code])
        kept = np.unique(np.linspace(0, len(fpr) - 1, n_points).round().astype(int))
        curves.append(
            RocCurve(names[code], fpr[kept].tolist(), tpr[kept].tolist(), float(auc(fpr, tpr)))
        )
    return curves
