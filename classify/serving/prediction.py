"""What a saved model predicts for an image, and which model of a run is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classify.errors import ModelError
from reports.ranking import best_in_validation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from reports.record import Result, Run


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one file, or why the file cannot be used as an image.

    Parameters
    ----------
    path : Path
        The file.
    label : str or None
        The most probable class; None if the file cannot be used.
    probability : float or None
        Of that class, in [0, 1].
    reason : str, optional
        Why the file cannot be used.
    undecided : bool, default=False
        Whether the probability is below the threshold that the run has chosen.
    """

    path: Path
    label: str | None
    probability: float | None
    reason: str | None = None
    undecided: bool = False


def predict_proba(estimator: Classifier, result: Result, X: NDArray[Any]) -> NDArray[Any]:
    """Return a saved model's probabilities, calibrated if the run has calibrated them.

    Parameters
    ----------
    estimator : Classifier
        The model.
    result : Result
        Its entry in the record of the run, which holds the calibration.
    X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
        Embeddings or images, whichever the model takes (`Classifier.consumes`).

    Returns
    -------
    ndarray of float, shape (n_samples, n_classes)
        Columns in the order of ``estimator.classes_``.
    """
    from classify.evaluation.calibration import apply_sigmoids, calibrate

    probabilities: NDArray[Any] = estimator.predict_proba(X)
    if result.temperature is not None:
        return calibrate(probabilities, result.temperature)
    return apply_sigmoids(probabilities, result.sigmoids) if result.sigmoids else probabilities


def is_undecided(result: Result, probability: float) -> bool:
    """Return whether a probability is below the threshold that the run has chosen, if any."""
    return result.threshold is not None and probability < result.threshold.threshold


def find_result(run: Run, folder: Path, classifier: str | None = None) -> Result:
    """Return one of a run's classifiers.

    Parameters
    ----------
    run : Run
        Record of the run.
    folder : Path
        Its folder, for the message.
    classifier : str, optional
        Name of the classifier (default: see `reports.ranking.best_in_validation`).

    Raises
    ------
    ModelError
        If the run has no such classifier; the message lists those it has.
    """
    if not run.results:
        raise ModelError(f"{folder} holds no classifier; train again")
    if classifier is None:
        return best_in_validation(run)
    for result in run.results:
        if result.classifier == classifier:
            return result
    names = ", ".join(result.classifier for result in run.results)
    raise ModelError(
        f"{folder} holds no classifier {classifier!r}; it holds: {names}", setting="clf"
    )
