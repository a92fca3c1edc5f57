"""From a classifier's probabilities to its answers: calibration, priors and the decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from classify.errors import ClassifierError
from classify.evaluation.calibration import Calibration, calibrate
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

Decision = Literal["least-errors", "equal-classes"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
EQUAL = "equal"
"""Priors of classes that are all as frequent."""


@dataclass(frozen=True)
class DecisionRule:
    """How a classifier's probabilities become those of new images, and these become answers.

    Parameters
    ----------
    training : ndarray of float64, shape (n_classes,)
        Share of each class in the training split; a classifier's probabilities assume it.
    priors : ndarray of float64, shape (n_classes,)
        Share of each class among new images.
    decision : {"least-errors", "equal-classes"}
        Whether an answer is the most probable class, which makes the fewest errors, or the class
        that would be the most probable if all were as frequent, which makes the mean recall of the
        classes as high as possible.
    calibration : Calibration, optional
        None leaves the probabilities as they are.

    Examples
    --------
    >>> rule = DecisionRule.of([900, 100], decision="equal-classes")
    >>> rule.answers(np.array([[0.95, 0.05], [0.8, 0.2]])).tolist()
    [0, 1]
    """

    training: NDArray[np.float64]
    priors: NDArray[np.float64]
    decision: Decision = "least-errors"
    calibration: Calibration | None = None

    @classmethod
    def of(
        cls,
        counts: Sequence[int],
        priors: ArrayLike | None = None,
        decision: Decision = "least-errors",
        calibration: Calibration | None = None,
    ) -> DecisionRule:
        """Return the rule for classes with these numbers of training samples.

        Parameters
        ----------
        counts : sequence of int, length n_classes
        priors : array-like of shape (n_classes,), optional
            None is the shares of the training split.
        decision : {"least-errors", "equal-classes"}, default="least-errors"
        calibration : Calibration, optional
        """
        training = np.array(counts, dtype=np.float64) / sum(counts)
        expected = training if priors is None else np.asarray(priors, dtype=np.float64)
        return cls(training, expected, decision, calibration)

    def for_training_images(self) -> DecisionRule:
        """Return the same rule for images that are as frequent as in the training split."""
        return replace(self, priors=self.training)

    def probabilities(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Return calibrated probabilities for the priors, ``(n_samples, n_classes)``.

        Parameters
        ----------
        raw : ndarray of shape (n_samples, n_classes)
            As the classifier predicts them.

        Notes
        -----
        Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori
        probabilities, Neural Computation 14 (2002), equation 2.4.
        """
        if self.calibration is not None:
            raw = calibrate(raw, self.calibration)
        if (self.priors == self.training).all():
            return raw
        adjusted = raw * (self.priors / self.training)
        shares: NDArray[Any] = adjusted / adjusted.sum(axis=1, keepdims=True)
        return shares

    def answers(self, probabilities: NDArray[Any]) -> NDArray[np.intp]:
        """Return the position of the class that is answered for each sample, ``(n_samples,)``.

        Parameters
        ----------
        probabilities : ndarray of shape (n_samples, n_classes)
            From the method of this name.
        """
        if self.decision == "equal-classes":
            probabilities = probabilities / self.priors
        codes: NDArray[np.intp] = probabilities.argmax(axis=1)
        return codes


def check_priors(priors: Mapping[str, float] | str, classes: Sequence[str]) -> dict[str, float]:
    """Return the share of every class among new images, which sum to 1.

    Parameters
    ----------
    priors : mapping of str to float, or "equal"
        Shares or numbers, of every class.
    classes : sequence of str

    Raises
    ------
    ClassifierError
        If a class is missing or unknown, or a share is not a positive number.

    Examples
    --------
    >>> check_priors({"cat": 3, "dog": 1}, ["cat", "dog"]), check_priors("equal", ["cat", "dog"])
    ({'cat': 0.75, 'dog': 0.25}, {'cat': 0.5, 'dog': 0.5})
    """
    if isinstance(priors, str):
        if priors != EQUAL:
            raise ClassifierError(
                f"expected a share for each class or {EQUAL!r} as priors, found {priors!r}",
                setting="priors",
            )
        return dict.fromkeys(classes, 1 / len(classes))
    unknown = [label for label in priors if label not in classes]
    if unknown:
        raise ClassifierError(
            f"priors name a class that the data do not have: {unknown[0]!r}"
            f"{did_you_mean(unknown[0], classes)}",
            setting="priors",
        )
    missing = [label for label in classes if label not in priors]
    if missing:
        raise ClassifierError(
            f"priors need a share for every class; missing: {', '.join(missing)}", setting="priors"
        )
    wrong = [label for label in classes if not 0 < priors[label] < np.inf]
    if wrong:
        raise ClassifierError(
            f"a prior is a positive share, found {priors[wrong[0]]!r} for {wrong[0]!r}; leave out "
            "the images of a class that never occurs",
            setting="priors",
        )
    total = sum(priors.values())
    return {label: priors[label] / total for label in classes}
