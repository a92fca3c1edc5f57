"""How often the 95% interval of each measure covers the true value.

Two or more classes of known size; the score of each class is drawn from a normal distribution
around 0, or around `APART` for the true class. So the true value of every measure can be taken from
very many samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from classify.evaluation.metrics import Evaluation, evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

APART = 2.5
UNSEEN = 50_000
MEASURES = ("accuracy", "balanced_accuracy", "roc_auc", "log_loss")
OF_CLASS = ("precision", "recall", "f1")


def coverages(shares: list[float], n_samples: int, n_draws: int, seed: int = 0) -> dict[str, float]:
    """Return the share of draws in which each measure's interval covers its true value.

    Parameters
    ----------
    shares : list of float
        Of each class, the sum being 1.
    n_samples : int
        Test samples of each draw.
    n_draws : int
    seed : int, default=0

    Returns
    -------
    dict
        Keys are the measures of the classifier, and those of the smallest class.
    """
    rng = np.random.default_rng(seed)
    truth = values_of(_draw(rng, shares, UNSEEN), int(np.argmin(shares)))
    covered: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(n_draws):
        values = values_of(_draw(rng, shares, n_samples), int(np.argmin(shares)))
        for name, (_, low, high) in values.items():
            covered[name].append(low <= truth[name][0] <= high)
    return {name: float(np.mean(draws)) for name, draws in covered.items()}


def _draw(rng: np.random.Generator, shares: list[float], n_samples: int) -> Evaluation:
    counts = np.maximum(np.round(np.array(shares) * n_samples).astype(int), 1)
    codes: NDArray[np.intp] = np.repeat(np.arange(len(shares)), counts)
    scores = rng.normal(size=(len(codes), len(shares)))
    scores[np.arange(len(codes)), codes] += APART
    return evaluate(codes, softmax(APART * scores, axis=1), np.arange(len(shares)))


def values_of(evaluation: Evaluation, rarest: int) -> dict[str, tuple[float, float, float]]:
    """Return each measure with its interval, those of classes for the class `rarest`."""
    values = {}
    for measures, of in ((MEASURES, evaluation), (OF_CLASS, evaluation.classes[rarest])):
        for name in measures:
            value, low, high = (getattr(of, f"{name}{end}") for end in ("", "_low", "_high"))
            values[name] = (value, low, high)
    return values
