"""How good a classifier is on the test split, as a record for the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import (
    auc,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_curve,
)

from classify.errors import ClassifierError
from reports.record import ClassScore, Result, RocCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import Classifier

CONFIDENCE = 0.95
ROC_POINTS = 200


def evaluate(
    name: str,
    estimator: Classifier,
    y_true: ArrayLike,
    probabilities: NDArray[Any],
    *,
    fit_seconds: float,
    predict_seconds: float,
) -> Result:
    """Compare the probabilities that a trained classifier gave on the test split with the truth.

    Parameters
    ----------
    name : str
        Its name in the registry.
    estimator : Classifier
        Trained.
    y_true : array-like of shape (n_test,)
        Labels, each one of ``estimator.classes_``.
    probabilities : ndarray of shape (n_test, n_classes)
        In the order of ``estimator.classes_``; the most probable class is the prediction.
    fit_seconds, predict_seconds : float

    Returns
    -------
    Result
        The interval of the accuracy is Wilson's at 95%. The area under the ROC curve is that of the
        second class, or for more than two the mean over the classes, each against the rest; None
        where a class has no test image. A class without test images has recall and F1 zero and no
        part in the balanced accuracy.

    Raises
    ------
    ClassifierError
        If there is no test image, or one has a label that the classifier was not trained on.
    """
    classes = [str(label) for label in estimator.classes_]
    codes = codes_of(y_true, estimator.classes_)
    predicted = probabilities.argmax(axis=1)
    everything = list(range(len(classes)))
    n_test, n_correct = len(codes), int((predicted == codes).sum())
    interval = binomtest(n_correct, n_test).proportion_ci(CONFIDENCE, method="wilson")
    precision, recall, f1, support = precision_recall_fscore_support(
        codes, predicted, labels=everything, zero_division=0.0
    )
    curves = _roc_curves(codes, probabilities, classes)
    complete = len(curves) == (1 if len(classes) == 2 else len(classes))
    search = getattr(estimator, "search_", None)
    return Result(
        classifier=name,
        title=estimator.title,
        params=_plain(estimator.get_params() | (search.chosen if search else {})),
        n_parameters=getattr(estimator, "n_parameters_", None),
        n_test=n_test,
        n_correct=n_correct,
        accuracy=n_correct / n_test,
        accuracy_low=float(interval.low),
        accuracy_high=float(interval.high),
        balanced_accuracy=float(recall[support > 0].mean()),
        roc_auc=float(np.mean([curve.auc for curve in curves])) if complete else None,
        log_loss=float(log_loss(codes, probabilities, labels=everything)),
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        classes=[
            ClassScore(label, int(support[i]), float(precision[i]), float(recall[i]), float(f1[i]))
            for i, label in enumerate(classes)
        ],
        confusion=confusion_matrix(codes, predicted, labels=everything).tolist(),
        roc=curves,
        history=getattr(estimator, "history_", {}),
        search=search,
        sweep=getattr(estimator, "sweep_", []),
    )


def _plain(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as a record can hold them: what JSON has no word for, as its text."""

    def plain(value: Any) -> Any:
        try:
            json.dumps(value)
        except TypeError:
            return repr(value)
        return value

    return {name: plain(value) for name, value in params.items()}


def codes_of(y_true: ArrayLike, classes: NDArray[Any]) -> NDArray[np.intp]:
    """Return the position in `classes` of every label.

    Raises
    ------
    ClassifierError
        If there is no label, or one that is no class.
    """
    labels = np.asarray(y_true)
    if labels.size == 0:
        raise ClassifierError("there are no test images, so nothing can be said; add a test split")
    position = {label: code for code, label in enumerate(classes.tolist())}
    unknown = sorted({str(label) for label in labels.tolist() if label not in position})
    if unknown:
        raise ClassifierError(
            f"the test split has classes that the training split does not have: "
            f"{', '.join(unknown)}; add training images of them or leave them out"
        )
    return np.array([position[label] for label in labels.tolist()], dtype=np.intp)


def _roc_curves(
    codes: NDArray[np.intp], probabilities: NDArray[Any], classes: Sequence[str]
) -> list[RocCurve]:
    """Return the curve of the second of two classes, or of each class that can have one."""
    curves = []
    for code in [1] if len(classes) == 2 else range(len(classes)):
        positive = codes == code
        if positive.all() or not positive.any():
            continue
        fpr, tpr, _ = roc_curve(positive, probabilities[:, code])
        kept = np.unique(np.linspace(0, len(fpr) - 1, ROC_POINTS).round().astype(int))
        curves.append(
            RocCurve(classes[code], fpr[kept].tolist(), tpr[kept].tolist(), float(auc(fpr, tpr)))
        )
    return curves
