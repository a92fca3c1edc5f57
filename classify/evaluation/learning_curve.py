"""Learning curves: accuracy against the number of training samples per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from classify.estimators.base import encode_labels
from classify.parallel import parallel_starmap
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from toolkit.progress import Progress

SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Training samples per class."""
DRAWS = 5


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy on the test samples against the number of training samples per class.

    Attributes
    ----------
    sizes : list of int
        Training samples per class, ascending.
    accuracies : list of list of float
        For each size, the accuracy of each draw.
    gain : float or None
        Expected gain in accuracy from twice the largest size, see `expected_gain`.
    gain_range : list of float or None
        Smallest and largest expected gain of a single draw; `gain` lies between them.
    """

    sizes: list[int]
    accuracies: list[list[float]]
    gain: float | None = None
    gain_range: list[float] | None = None


def training_sizes(smallest: int, sizes: Sequence[int] = SIZES) -> list[int]:
    """Return the numbers of training samples per class to try.

    Parameters
    ----------
    smallest : int
        Training samples of the smallest class; the last size.
    sizes : sequence of int, default=SIZES
        Those below `smallest` are kept.

    Examples
    --------
    >>> training_sizes(1000), training_sizes(130), training_sizes(3)
    ([5, 10, 20, 50, 100, 200, 500, 1000], [5, 10, 20, 50, 100, 130], [3])
    """
    return [*(size for size in sizes if size < smallest), smallest]


def learning_curve(
    make: Callable[[int], Classifier],
    train: tuple[NDArray[np.float32], NDArray[np.str_]],
    test: tuple[NDArray[np.float32], NDArray[np.str_]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
    stage: str = "learning curve",
) -> LearningCurve:
    """Train on increasing numbers of samples per class, and measure the accuracy of each model.

    It selects nothing, so that the test samples may be used.

    Parameters
    ----------
    make : callable
        Given a seed, returns an untrained classifier.
    train, test : tuple of ndarray
        Features, float32 ``(n_samples, n_features)``, and labels.
    draws : int, default=5
        How many random training sets of each size.
    seed : int, default=0
        Of the draws and of the classifiers.
    progress : Progress, default=silent
        Called after every training.
    stage : str, default="learning curve"
        Passed to `progress`.

    Returns
    -------
    LearningCurve

    Examples
    --------
    >>> from classify.estimators.centroid import Centroid
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 6], np.array(["a", "b"] * 6)
    >>> curve = learning_curve(lambda seed: Centroid(), (X, y), (X, y), draws=1)
    >>> curve.sizes, curve.accuracies
    ([5, 6], [[1.0], [1.0]])
    """
    X, y = train
    _, codes = encode_labels(y)
    rng = check_random_state(seed)
    rows_by_class = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    sizes = training_sizes(min(map(len, rows_by_class)))
    total = len(sizes) * draws
    progress(stage, 0, total)
    # A generator, so that a model is freed once its accuracy is known.
    tasks = (
        (
            make(seed + draw),
            X,
            y,
            np.concatenate([rng.choice(rows, size, replace=False) for rows in rows_by_class]),
            *test,
        )
        for size in sizes
        for draw in range(draws)
    )
    scores: list[float] = []
    for accuracy in parallel_starmap(_accuracy, tasks):
        scores.append(accuracy)
        progress(stage, len(scores), total)
    accuracies = [scores[i : i + draws] for i in range(0, total, draws)]
    gain = expected_gain(sizes, accuracies)
    by_draw = [expected_gain(sizes, [[row[draw]] for row in accuracies]) for draw in range(draws)]
    gains = [value for value in (gain, *by_draw) if value is not None]
    return LearningCurve(sizes, accuracies, gain, [min(gains), max(gains)] if gains else None)


def _accuracy(
    model: Classifier,
    X: NDArray[np.float32],
    y: NDArray[np.str_],
    rows: NDArray[np.intp],
    X_test: NDArray[np.float32],
    y_test: NDArray[np.str_],
) -> float:
    return float((model.fit(X[rows], y[rows]).predict(X_test) == y_test).mean())


def expected_gain(sizes: Sequence[int], accuracies: Sequence[Sequence[float]]) -> float | None:
    """Extrapolate the gain in accuracy from twice the largest number of training samples.

    Parameters
    ----------
    sizes : sequence of int
        Training samples per class, ascending.
    accuracies : sequence of sequence of float
        For each size, the accuracy of each draw.

    Returns
    -------
    float or None
        None for fewer than three sizes; negative if the error rises with the size.

    Notes
    -----
    A power law is fitted to the last four mean errors, as a straight line in log-log coordinates
    (Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017). The exponent is
    clipped to -1 and 1, because a draw without any error would otherwise give an extreme one.

    Examples
    --------
    >>> expected_gain([10, 20, 40], [[0.6], [0.8], [0.9]])
    0.05
    """
    if len(sizes) < 3:
        return None
    errors = np.maximum(1 - np.array([np.mean(scores) for scores in accuracies[-4:]]), 1e-6)
    exponent, _ = np.polyfit(np.log(sizes[-4:]), np.log(errors), 1)
    return round(float(errors[-1] * (1 - 2 ** np.clip(exponent, -1.0, 1.0))), 6)
