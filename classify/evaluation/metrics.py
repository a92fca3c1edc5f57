"""Metrics of a classifier on a test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import (
    auc,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_curve,
)

from classify.errors import ClassifierError
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

ROC_POINTS, ALL_ROC_POINTS, FEWEST_ROC_POINTS = 200, 6000, 50
"""Largest number of points of a curve, and of all; with many classes each has at least so many."""


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class, each in [0, 1]; `support` counts its samples."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


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
        Wilson's 95% confidence interval of the accuracy.
    balanced_accuracy : float
        Mean recall of the classes that have test samples.
    roc_auc : float or None
        Area under the ROC curve: of the second of two classes, or the mean over more than two
        classes, each against the rest. None if a class has no test sample.
    log_loss : float
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
    roc_auc: float | None
    log_loss: float
    classes: list[ClassScore]
    confusion: list[list[int]]
    roc: list[RocCurve]


def evaluate(y_true: ArrayLike, y_proba: NDArray[Any], classes: ArrayLike) -> Evaluation:
    """Compare predicted probabilities with the true labels.

    Parameters
    ----------
    y_true : array-like of shape (n_test,)
        True labels, each one of `classes`.
    y_proba : ndarray of shape (n_test, n_classes)
        Predicted probabilities; the most probable class is the prediction.
    classes : array-like of shape (n_classes,)
        Labels of the columns of `y_proba`: the `classes_` of a classifier.

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
    y_pred = y_proba.argmax(axis=1)
    columns = list(range(len(names)))
    n_test, n_correct = len(codes), int((y_pred == codes).sum())
    low, high = wilson(n_correct, n_test)
    precision, recall, f1, support = precision_recall_fscore_support(
        codes, y_pred, labels=columns, zero_division=0.0
    )
    curves = _roc_curves(codes, y_proba, names)
    complete = len(curves) == (1 if len(names) == 2 else len(names))
    return Evaluation(
        n_test=n_test,
        n_correct=n_correct,
        accuracy=n_correct / n_test,
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=float(recall[support > 0].mean()),
        roc_auc=float(np.mean([curve.auc for curve in curves])) if complete else None,
        log_loss=float(log_loss(codes, y_proba, labels=columns)),
        classes=[
            ClassScore(name, int(support[i]), float(precision[i]), float(recall[i]), float(f1[i]))
            for i, name in enumerate(names)
        ],
        confusion=confusion_matrix(codes, y_pred, labels=columns).tolist(),
        roc=curves,
    )


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
