"""What a split that ignores groups would have claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import DecisionRule
    from toolkit.progress import Progress


@dataclass(frozen=True)
class Ungrouped:
    """The accuracy of a classifier on a split that ignores groups.

    Attributes
    ----------
    accuracy : float
        In [0, 1].
    n_test : int
    """

    accuracy: float
    n_test: int


def evaluate_ungrouped(
    estimator: Classifier,
    train: tuple[NDArray[np.float32], Sequence[str]],
    test: tuple[NDArray[np.float32], Sequence[str]],
    rule: DecisionRule,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Ungrouped:
    """Train and test a classifier on another split of the same samples, which ignores groups.

    Where several samples show the same individual, such a split asks whether the classifier knows
    it again, and not how it does on new ones. The difference from the reported accuracy is what
    holding groups together was worth.

    Parameters
    ----------
    estimator : Classifier
        Untrained. It is trained without groups, so that it also chooses its parameters as it would
        without them.
    train, test : tuple of (features, labels)
        The split that holds groups together. As many samples of every class are drawn for the other
        test split, at random from both.
    rule : DecisionRule
        Makes answers from probabilities, as it did for the reported accuracy.
    seed : int, default=0
        Of the draw.
    progress : Progress, default=silent
        Called during the training.

    Returns
    -------
    Ungrouped

    Examples
    --------
    Copies of five individuals, whose labels have no cause:

    >>> from classify.estimators.nearest import Nearest
    >>> from classify.evaluation.decision import DecisionRule
    >>> X, y = np.eye(5, dtype=np.float32).repeat(4, axis=0), np.array(list("abaab")).repeat(4)
    >>> train, test = (X[:12], y[:12]), (X[12:], y[12:])
    >>> evaluate_ungrouped(Nearest(k=1), train, test, DecisionRule.of([8, 4]))
    Ungrouped(accuracy=1.0, n_test=8)
    """
    rng = check_random_state(seed)
    X, y = np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
    names, counts = np.unique(test[1], return_counts=True)
    held_out = np.concatenate(
        [
            rng.choice(np.flatnonzero(y == name), number, replace=False)
            for name, number in zip(names, counts, strict=True)
        ]
    )
    rest = np.setdiff1d(np.arange(len(y)), held_out)
    estimator.fit(X[rest], y[rest], progress=progress)
    answers = rule.answers(rule.probabilities(estimator.predict_proba(X[held_out])))
    correct = estimator.classes_[answers] == y[held_out]
    return Ungrouped(float(correct.mean()), len(held_out))
