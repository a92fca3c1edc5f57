"""One classifier trained several times, with one seed after the other."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.parallel import in_this_process, parallel_starmap
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import DecisionRule
    from toolkit.progress import Progress


def accuracies_of(
    create: Callable[[int], Classifier],
    seeds: Iterable[int],
    train: tuple[Any, Sequence[str]],
    test: tuple[Any, Sequence[str]],
    rule: DecisionRule,
    progress: Progress = silent,
    groups: NDArray[np.int64] | None = None,
) -> Iterator[float]:
    """Train with one seed after the other, and yield the accuracies on the test split.

    Parameters
    ----------
    create : callable
        Takes a seed and returns an untrained classifier.
    seeds : iterable of int
    train, test : tuple of (features, labels)
        Features are an array or `RowsOnDisk`. With the latter, each training is divided among the
        workers of a cluster, not the trainings.
    rule : DecisionRule
        Makes answers from probabilities.
    progress : Progress, default=silent
        Called during each training in this process.
    groups : ndarray of int64, shape (n_train,), optional
        Groups of the training samples.
    """
    reporter = progress if in_this_process() else silent
    truth = np.array(test[1])
    # A generator, so that a model is freed once it has predicted.
    tasks = ((create(seed), *train, groups, test[0], truth, rule, reporter) for seed in seeds)
    on_disk = isinstance(train[0], RowsOnDisk) or isinstance(test[0], RowsOnDisk)
    yield from starmap(_accuracy, tasks) if on_disk else parallel_starmap(_accuracy, tasks)


def _accuracy(
    estimator: Classifier,
    X: Any,
    y: Sequence[str],
    groups: NDArray[np.int64] | None,
    X_test: Any,
    y_test: np.ndarray,
    rule: DecisionRule,
    progress: Progress,
) -> float:
    estimator.fit(X, y, progress=progress, groups=groups)
    probabilities = rule.probabilities(probabilities_of(estimator, X_test))
    return float((estimator.classes_[rule.answers(probabilities)] == y_test).mean())
