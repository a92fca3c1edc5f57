"""Learning curves: accuracy against the number of training samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from classify.estimators.base import encode_labels
from classify.estimators.groups import draw_groups, encode_groups, separable_groups
from classify.evaluation.extrapolation import expected_gain
from classify.parallel import parallel_starmap
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import DecisionRule
    from toolkit.progress import Progress

FEWEST = 5
"""Training samples per class of the smallest size; so many of every class are always drawn."""
DRAWS = 5


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy on the test samples against the number of training samples.

    Attributes
    ----------
    sizes : list of int
        Training samples of all classes together, ascending; the last are all there are. With groups
        they are means over the draws.
    accuracies : list of list of float
        For each size, the accuracy of each draw. The last size has one.
    gain : float or None
        Expected gain in accuracy from twice as many samples as the last size; None if it cannot be
        said. See `classify.evaluation.extrapolation.expected_gain`.
    gain_range : list of float or None
        5th and 95th percentile of the gain.
    """

    sizes: list[int]
    accuracies: list[list[float]]
    gain: float | None = None
    gain_range: list[float] | None = None


def training_sizes(class_counts: Sequence[int]) -> list[list[int]]:
    """Return how many training samples of each class to try: all, half of them, a quarter, ...

    Every class keeps its share, but never has fewer than five samples, if it has as many.

    Parameters
    ----------
    class_counts : sequence of int
        Training samples of each class.

    Returns
    -------
    list of list of int
        For each size, the samples of each class; in ascending order, the last being
        `class_counts`. The first has five to ten samples per class on average.

    Examples
    --------
    >>> training_sizes([40, 40]), training_sizes([90, 10])
    ([[5, 5], [10, 10], [20, 20], [40, 40]], [[11, 5], [22, 5], [45, 5], [90, 10]])
    """
    counts = np.asarray(class_counts)
    sizes, share = [counts], 0.5
    while counts.sum() * share >= FEWEST * len(counts):
        drawn = np.maximum((counts * share).astype(int), np.minimum(counts, FEWEST))
        if drawn.sum() == sizes[-1].sum():
            break
        sizes.append(drawn)
        share /= 2
    return [[int(n) for n in size] for size in reversed(sizes)]


def learning_curve(
    make: Callable[[int], Classifier],
    train: tuple[NDArray[np.float32], NDArray[np.str_]],
    test: tuple[NDArray[np.float32], NDArray[np.str_]],
    predicted: NDArray[np.str_],
    *,
    rule: DecisionRule | None = None,
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
    stage: str = "learning curve",
) -> LearningCurve:
    """Train on increasing numbers of samples, and measure the accuracy of each model.

    It selects nothing, so that the test samples may be used.

    Parameters
    ----------
    make : callable
        Given a seed, returns an untrained classifier.
    train, test : tuple of ndarray
        Features, float32 ``(n_samples, n_features)``, and labels.
    predicted : ndarray of shape (n_test,)
        Labels that the classifier trained on all of `train` predicts for `test`. So the curve ends
        in the accuracy that is reported, and that model is not trained again.
    rule : DecisionRule, optional
        Makes answers from probabilities, as it made `predicted`; None answers the most probable
        class.
    groups : array-like of shape (n_train,), optional
        Groups of the training samples. Whole groups are drawn, so that the sizes vary a little.
    draws : int, default=5
        How many random training sets of each size but the last.
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
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 10], np.array(["a", "b"] * 10)
    >>> curve = learning_curve(lambda seed: Centroid(), (X, y), (X, y), y, draws=2)
    >>> curve.sizes, curve.accuracies
    ([10, 20], [[1.0, 1.0], [1.0]])
    """
    X, y = train
    classes, codes = encode_labels(y)
    rng = check_random_state(seed)
    rows_by_class = [np.flatnonzero(codes == code) for code in range(len(classes))]
    sizes = training_sizes([len(rows) for rows in rows_by_class])
    of_samples = encode_groups(groups, len(codes))
    wanted = [
        [_draw(rows_by_class, size, codes, of_samples, rng) for _ in range(draws)]
        for size in sizes[:-1]
    ]
    drawn, totals = _ascending(wanted, len(codes))
    total = len(drawn) * draws
    if total:
        progress(stage, 0, total)
    # A generator, so that a model is freed once it has predicted.
    tasks = (
        (
            make(seed + draw),
            X,
            y,
            of_samples,
            rows,
            *test,
            rule,
        )
        for of_size in drawn
        for draw, rows in enumerate(of_size)
    )
    vectors: list[NDArray[np.bool_]] = []
    for vector in parallel_starmap(_correct, tasks):
        vectors.append(vector)
        progress(stage, len(vectors), total)
    correct = [np.array(vectors[i : i + draws]) for i in range(0, total, draws)]
    correct.append(np.array([predicted == test[1]]))
    accuracies = [[float(vector.mean()) for vector in of_size] for of_size in correct]
    gain = expected_gain(totals, correct, len(classes))
    if gain is None:
        return LearningCurve(totals, accuracies)
    return LearningCurve(totals, accuracies, gain.expected, [gain.low, gain.high])


def _draw(
    rows_by_class: Sequence[NDArray[np.intp]],
    size: Sequence[int],
    codes: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    rng: np.random.RandomState,
) -> NDArray[np.intp]:
    """Draw the positions of `size` training samples of each class, or of about as many."""
    if groups is not None:
        separable = separable_groups(codes, groups)
        return draw_groups(codes, separable, np.array(size), rng, least=FEWEST)
    of_class = [
        rng.choice(rows, number, replace=False)
        for rows, number in zip(rows_by_class, size, strict=True)
    ]
    return np.concatenate(of_class)


def _ascending(
    drawn: Sequence[list[NDArray[np.intp]]], n_samples: int
) -> tuple[list[list[NDArray[np.intp]]], list[int]]:
    """Leave out the sizes that are not smaller than the next one, as with few groups of a class.

    Returns
    -------
    drawn : list of list of ndarray
        The draws of the sizes that are left.
    totals : list of int
        The number of samples of these sizes, and of all samples.
    """
    kept: list[list[NDArray[np.intp]]] = []
    totals = [n_samples]
    for of_size in reversed(drawn):
        mean = round(sum(map(len, of_size)) / len(of_size))
        if mean < totals[0]:
            kept.insert(0, of_size)
            totals.insert(0, mean)
    return kept, totals


def _correct(
    model: Classifier,
    X: NDArray[np.float32],
    y: NDArray[np.str_],
    groups: NDArray[np.int64] | None,
    rows: NDArray[np.intp],
    X_test: NDArray[np.float32],
    y_test: NDArray[np.str_],
    rule: DecisionRule | None,
) -> NDArray[np.bool_]:
    """Return which test samples a model trained on some rows predicts correctly."""
    model.fit(X[rows], y[rows], groups=None if groups is None else groups[rows])
    if rule is None:
        predicted = model.predict(X_test)
    else:
        probabilities = rule.probabilities(model.predict_proba(X_test))
        predicted = model.classes_[rule.answers(probabilities)]
    correct: NDArray[np.bool_] = predicted == y_test
    return correct
