"""What a saved model predicts for an image, and which model of a run is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ModelError
from reports.ranking import best_in_validation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import DecisionRule
    from reports.records import Result, Run


ValueRange = tuple[int | None, float | None, float | None]
"""What a recipe says of images of more than 8 bits: its `bits`, `black` and `white`."""


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one file, or why the file cannot be used as an image.

    Parameters
    ----------
    path : Path
        The file.
    label : str or None
        The answer; None if the file cannot be used.
    probability : float or None
        Of that class, in [0, 1].
    reason : str, optional
        Why the file cannot be used.
    undecided : bool, default=False
        Whether the probability is below the threshold that the run has chosen.
    familiarity : float, optional
        Share of the training images that are no more familiar than this one; None if the run has
        not saved what to compare it with; see
        `classify.evaluation.unfamiliar.familiarity.Familiarity`.
    refused : bool, default=False
        Whether it is too unfamiliar to be classified.
    top : tuple of (str, float), default=()
        The most probable classes with their probabilities, as many as were asked for. The first is
        not always `label`: the run may decide as if all classes were as frequent.
    """

    path: Path
    label: str | None
    probability: float | None
    reason: str | None = None
    undecided: bool = False
    familiarity: float | None = None
    refused: bool = False
    top: tuple[tuple[str, float], ...] = ()


def decision_rule(run: Run, result: Result) -> DecisionRule:
    """Return what makes probabilities and answers of a classifier of a run.

    Parameters
    ----------
    run : Run
    result : Result
        The classifier's entry in it, which holds the calibration.
    """
    from classify.evaluation.calibration import Calibration
    from classify.evaluation.decision import DecisionRule

    data = run.data
    calibration = None
    if result.temperature is not None:
        offsets = result.offsets or [0.0] * len(data.classes)
        calibration = Calibration(result.temperature, offsets)
    priors = [run.priors[label] for label in data.classes] if run.priors else None
    return DecisionRule.of(data.train_counts, priors, run.decision, calibration)  # type: ignore[arg-type]  # checked as it is read


def predict_proba(
    estimator: Classifier, result: Result, rule: DecisionRule, X: NDArray[Any]
) -> NDArray[Any]:
    """Return a saved model's probabilities, calibrated and for the priors of its run.

    Parameters
    ----------
    estimator : Classifier
        The model.
    result : Result
        Its entry in the record of the run.
    rule : DecisionRule
        From `decision_rule`.
    X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
        Embeddings or images, whichever the model takes (`Classifier.consumes`).

    Returns
    -------
    ndarray of float, shape (n_samples, n_classes)
        Columns in the order of ``estimator.classes_``.
    """
    from classify.evaluation.calibration import apply_sigmoids

    raw: NDArray[Any] = estimator.predict_proba(X)
    return rule.probabilities(apply_sigmoids(raw, result.sigmoids) if result.sigmoids else raw)


def most_probable(
    classes: NDArray[np.str_], probabilities: NDArray[Any], number: int
) -> tuple[tuple[str, float], ...]:
    """Return the most probable classes with their probabilities; equally probable ones by name.

    Parameters
    ----------
    classes : ndarray of str, shape (n_classes,)
        Sorted.
    probabilities : ndarray of float, shape (n_classes,)
    number : int
        How many at most.

    Examples
    --------
    >>> most_probable(np.array(["cat", "dog", "fox"]), np.array([0.2, 0.7, 0.1]), 2)
    (('dog', 0.7), ('cat', 0.2))
    """
    order = np.argsort(-probabilities, kind="stable")[:number]
    return tuple((str(classes[i]), float(probabilities[i])) for i in order)


def is_undecided(result: Result, probability: float) -> bool:
    """Return whether a probability is below the threshold that the run has chosen, if any."""
    return result.threshold is not None and probability < result.threshold.threshold


def is_refused(familiarity: float | None, share: float | None) -> bool:
    """Return whether an image is too unfamiliar, so that at most a share of familiar ones is."""
    return share is not None and familiarity is not None and familiarity <= share


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
