"""How often the interval of the headline's accuracy covers the truth, with several classifiers.

All classifiers are equally good, and their mistakes are correlated, as those of classifiers on the
same embeddings are. Earlier versions headed the report with the one that did best on the test
split; its accuracy is the winner's luck. Now the one with the lowest log loss on the training split
does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from classify.evaluation.validation import HeldOut, validate
from toolkit.statistics import wilson

ACCURACY = 0.9
N_CLASSIFIERS = 10
N_TRAIN = 400


@dataclass(frozen=True)
class Coverage:
    """In which share of the draws the interval covers the true accuracy, before and now."""

    before: float
    now: float


def coverage(n_test: int, correlation: float, n_draws: int, seed: int = 0) -> Coverage:
    """Draw mistakes of equal classifiers, and compare the headline's interval with the truth.

    Parameters
    ----------
    n_test : int
        Test images of each draw.
    correlation : float
        Of the normal variables behind the mistakes of two classifiers.
    n_draws : int
    seed : int, default=0
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(N_TRAIN)
    before, now = [], []
    for _ in range(n_draws):
        trained, tested = (_draw(rng, number, correlation) for number in (N_TRAIN, n_test))
        n_correct = tested.sum(axis=1)
        before.append(_covers(int(n_correct.max()), n_test))
        compared = validate(
            {
                str(i): HeldOut(rows, np.where(correct, 0.1, 1.0), correct)
                for i, correct in enumerate(trained)
            }
        )
        chosen = min(compared, key=lambda name: compared[name].log_loss)
        now.append(_covers(int(n_correct[int(chosen)]), n_test))
    return Coverage(float(np.mean(before)), float(np.mean(now)))


def _draw(rng: np.random.Generator, number: int, correlation: float) -> np.ndarray:
    """Draw which samples each classifier gets right, ``(N_CLASSIFIERS, number)``."""
    shared, own = rng.normal(size=number), rng.normal(size=(N_CLASSIFIERS, number))
    mixed = correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
    return np.asarray(mixed < norm.ppf(ACCURACY))


def _covers(n_correct: int, n_test: int) -> bool:
    low, high = wilson(n_correct, n_test)
    return low <= ACCURACY <= high
