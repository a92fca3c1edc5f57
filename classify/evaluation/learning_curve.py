"""Learning curves: how accurate a classifier is with fewer training images, and what more bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from classify.estimators.base import encode_labels
from classify.parallel import each
from reports.record import LearningCurve
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from toolkit.progress import Progress

STEPS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Training images per class."""
DRAWS = 5


def sizes(smallest: int, steps: Sequence[int] = STEPS) -> list[int]:
    """Return the numbers of training images per class to try, the last one all of the smallest.

    Parameters
    ----------
    smallest : int
        Training images of the smallest class.

    Examples
    --------
    >>> sizes(1000), sizes(130), sizes(3)
    ([5, 10, 20, 50, 100, 200, 500, 1000], [5, 10, 20, 50, 100, 130], [3])
    """
    return [*(size for size in steps if size < smallest), smallest]


def learning_curve(
    name: str,
    make: Callable[[int], Classifier],
    train: tuple[NDArray[np.float32], NDArray[np.str_]],
    test: tuple[NDArray[np.float32], NDArray[np.str_]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
) -> LearningCurve:
    """Train on more and more images of every class, and judge each on the test images.

    Nothing is chosen by it: it shows how the figure that is reported came about.

    Parameters
    ----------
    name : str
        The classifier's, for the record.
    make : callable
        Given a seed, returns an untrained classifier.
    train, test : tuple of ndarray
        Features, float32 ``(n_samples, n_features)``, and labels.
    draws : int
        How often images are drawn for each number of them.
    seed : int
        Of the draws and of the classifiers.
    progress : Progress
        Told of every training.

    Returns
    -------
    LearningCurve
        As many accuracies for each number of images as there were draws.

    Examples
    --------
    >>> from classify.estimators.centroid import Centroid
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 6], np.array(["a", "b"] * 6)
    >>> curve = learning_curve("centroid", lambda seed: Centroid(), (X, y), (X, y), draws=1)
    >>> curve.sizes, curve.accuracies
    ([5, 6], [[1.0], [1.0]])
    """
    X, y = train
    _, codes = encode_labels(y)
    rng = check_random_state(seed)
    of_class = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    numbers = sizes(min(map(len, of_class)))
    stage = f"{name}: learning curve"
    progress(stage, 0, len(numbers) * draws)
    # One after the other, so that a model that has been judged is not kept.
    tasks = (
        (
            make(seed + draw),
            X,
            y,
            np.concatenate([rng.choice(rows, number, replace=False) for rows in of_class]),
            *test,
        )
        for number in numbers
        for draw in range(draws)
    )
    found = []
    for accuracy in each(_accuracy, tasks):
        found.append(accuracy)
        progress(stage, len(found), len(numbers) * draws)
    accuracies = [found[i : i + draws] for i in range(0, len(found), draws)]
    of_means = gain(numbers, accuracies)
    gains = [gain(numbers, [[some[draw]] for some in accuracies]) for draw in range(draws)]
    known = [one for one in (of_means, *gains) if one is not None]
    gain_range = [min(known), max(known)] if known else None
    return LearningCurve(name, numbers, accuracies, of_means, gain_range)


def _accuracy(
    model: Classifier,
    X: NDArray[np.float32],
    y: NDArray[np.str_],
    chosen: NDArray[np.intp],
    unseen: NDArray[np.float32],
    truth: NDArray[np.str_],
) -> float:
    return float((model.fit(X[chosen], y[chosen]).predict(unseen) == truth).mean())


def gain(numbers: Sequence[int], accuracies: Sequence[Sequence[float]]) -> float | None:
    """Return the accuracy that twice the most images would bring, if it goes on as before.

    A straight line is laid through the last four mean errors against the numbers of images, both
    as logarithms: errors fall about as a power of the number of images (Hestness et al., Deep
    Learning Scaling is Predictable, Empirically, 2017). The power is kept between -1 and 1, so that
    a draw without any error does not promise or threaten more than that.

    Parameters
    ----------
    numbers : sequence of int
        Training images per class, ascending.
    accuracies : sequence of sequence of float
        Of every draw of each.

    Returns
    -------
    float or None
        None if there are fewer than three numbers of images; below zero if the errors rise.

    Examples
    --------
    >>> gain([10, 20, 40], [[0.6], [0.8], [0.9]])
    0.05
    """
    if len(numbers) < 3:
        return None
    errors = np.maximum(1 - np.array([np.mean(found) for found in accuracies[-4:]]), 1e-6)
    slope, _ = np.polyfit(np.log(numbers[-4:]), np.log(errors), 1)
    return round(float(errors[-1] * (1 - 2 ** np.clip(slope, -1.0, 1.0))), 6)
