"""How often a threshold that was chosen for a target precision reaches it on unseen images.

The probabilities are perfect: a prediction of probability p is correct with probability p. So the
true precision above every threshold is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from classify.evaluation.threshold import choose_threshold

UNSEEN = 200_000


@dataclass(frozen=True)
class Draws:
    """In which share of all draws a threshold was chosen, and in which none misses the target.

    `before` is the second share with the rule of earlier versions: the lowest threshold at which
    the samples themselves reach the target.
    """

    chosen: float
    reached: float
    before: float


def share_of_draws_that_reach(n_samples: int, target: float, n_draws: int, seed: int = 0) -> Draws:
    """Choose thresholds on draws of samples, and compare them with the truth.

    Parameters
    ----------
    n_samples : int
        Of each draw.
    target : float
        Precision.
    n_draws : int
    seed : int, default=0
    """
    rng = np.random.default_rng(seed)
    unseen = np.sort(_top_probabilities(rng, UNSEEN))[::-1]
    precisions = np.cumsum(unseen) / np.arange(1, UNSEEN + 1)
    chosen, reached, before = [], [], []
    for _ in range(n_draws):
        top = _top_probabilities(rng, n_samples)
        correct = rng.random(n_samples) < top
        threshold = choose_threshold(
            np.stack([top, 1 - top], axis=1), np.where(correct, 0, 1), target
        )
        chosen.append(threshold is not None)
        reached.append(_reaches(unseen, precisions, threshold, target))
        before.append(_reaches(unseen, precisions, _lowest(top, correct, target), target))
    return Draws(*(float(np.mean(draws)) for draws in (chosen, reached, before)))


def _top_probabilities(rng: np.random.Generator, number: int) -> np.ndarray:
    """Draw probabilities of predicted classes, as of a classifier that is right in 85%."""
    return expit(np.abs(rng.normal(2.0, 2.0, number)))


def _reaches(
    unseen: np.ndarray, precisions: np.ndarray, threshold: float | None, target: float
) -> bool:
    """Return whether the true precision is the target; no threshold and no prediction miss none."""
    decided = 0 if threshold is None else int((unseen >= threshold).sum())
    return decided == 0 or bool(precisions[decided - 1] >= target)


def _lowest(top: np.ndarray, correct: np.ndarray, target: float) -> float | None:
    order = np.argsort(-top)
    reaching = np.flatnonzero(np.cumsum(correct[order]) / np.arange(1, len(top) + 1) >= target)
    return float(top[order[reaching[-1]]]) if len(reaching) else None
