"""How often intervals cover the truth, and tests raise false alarms, where images come in groups.

Every group of test images, such as those of one patient, has an accuracy of its own, drawn from a
beta distribution around the true one; its correlation is that of two images of a group. Groups have
one to dozens of images, ten on average. Earlier versions took every image for a separate one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax
from scipy.stats import norm

from benchmarks.figures.intervals import values_of
from classify.evaluation.comparison import compare_predictions
from classify.evaluation.metrics import evaluate
from classify.evaluation.uncertainty.group_bootstrap import GroupBootstrap
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.evaluation.metrics import Evaluation

MEAN_SIZE = 10
UNSEEN = 5_000
"""Groups that the true values of the measures are taken from."""
APART = 1.5
ALPHA = 0.05
DRAWS_TRIED = 2000
"""Of the bootstraps that were tried."""


@dataclass(frozen=True)
class Clusters:
    """Test images in groups.

    Parameters
    ----------
    n_groups : int
    correlation : float
        Of the correctness of two images of one group.
    kind : {"pure", "mixed"}
        Whether each group has images of one of the two classes, or of both.
    """

    n_groups: int
    correlation: float
    kind: str = "pure"

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the group and the class of each image."""
        extra = rng.negative_binomial(2, 2 / (MEAN_SIZE + 1), self.n_groups)
        groups = np.repeat(np.arange(self.n_groups), 1 + extra)
        codes = groups % 2 if self.kind == "pure" else rng.integers(0, 2, len(groups))
        return groups, codes

    def correct(
        self, rng: np.random.Generator, groups: NDArray[np.int64], accuracy: float
    ) -> NDArray[np.bool_]:
        """Draw which images are predicted correctly."""
        total = (1 - self.correlation) / self.correlation
        own = rng.beta(accuracy * total, (1 - accuracy) * total, self.n_groups)
        return np.asarray(rng.random(len(groups)) < own[groups])


@dataclass(frozen=True)
class Coverage:
    """In which share of the draws each interval covers the true accuracy.

    `now` is by `GroupIntervals`, with its mean width; the others are Wilson's of single images, and
    three bootstraps over groups that were tried: percentiles, bias-corrected and accelerated
    percentiles, and studentised.
    """

    now: float
    width: float
    wilson: float
    percentile: float
    bca: float
    studentised: float


def coverage(clusters: Clusters, accuracy: float, n_draws: int, seed: int = 0) -> Coverage:
    """Draw test sets, and compare the intervals of their accuracy with the true one."""
    rng = np.random.default_rng(seed)
    covered, widths = [], []
    for draw in range(n_draws):
        groups, codes = clusters.draw(rng)
        correct = clusters.correct(rng, groups, accuracy)
        now = GroupIntervals(groups, codes, seed=draw).share(correct)
        others = [
            wilson(int(correct.sum()), len(correct)),
            *_percentiles(GroupBootstrap(groups, codes, draw, DRAWS_TRIED), correct),
            GroupIntervals(groups, codes, draw, DRAWS_TRIED).mean(correct.astype(float)),
        ]
        covered.append([low <= accuracy <= high for low, high in (now, *others)])
        widths.append(now[1] - now[0])
    shares = np.mean(covered, axis=0).tolist()
    return Coverage(shares[0], float(np.mean(widths)), *shares[1:])


def _percentiles(
    bootstrap: GroupBootstrap, correct: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Return the percentile interval, and the bias-corrected and accelerated one."""
    columns = np.stack([bootstrap.sums(correct), bootstrap.sums(np.ones(len(correct)))], axis=1)
    sums = np.concatenate(list(bootstrap.draws(columns, stratified=False)))
    means, mean = sums[:, 0] / sums[:, 1], correct.mean()
    rest = columns.sum(axis=0) - columns
    without = rest[:, 0] / rest[:, 1]
    slopes = without.mean() - without
    spread = (slopes**2).sum() ** 1.5
    acceleration = (slopes**3).sum() / (6 * spread) if spread > 0 else 0.0
    below = np.clip(np.mean(means < mean) + np.mean(means == mean) / 2, 1e-4, 1 - 1e-4)
    bias, z = norm.ppf(below), norm.ppf([ALPHA / 2, 1 - ALPHA / 2])
    levels = norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
    return [tuple(np.quantile(means, at)) for at in ([ALPHA / 2, 1 - ALPHA / 2], levels)]


def coverages(clusters: Clusters, n_draws: int, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return how often the interval of each measure covers its true value, before and now.

    The scores of two classes are normally distributed, with a part that all images of a group and
    class share.
    """
    rng = np.random.default_rng(seed)
    many = Clusters(UNSEEN, clusters.correlation, clusters.kind)
    truth = values_of(_evaluation(many, rng)[0], rarest=0)
    covered: dict[str, list[list[bool]]] = {name: [] for name in truth}
    for _ in range(n_draws):
        before, now = (values_of(found, rarest=0) for found in _evaluation(clusters, rng, by=True))
        for name, (true, _, _) in truth.items():
            covered[name].append([v[name][1] <= true <= v[name][2] for v in (before, now)])
    return {name: tuple(np.mean(draws, axis=0).tolist()) for name, draws in covered.items()}


def _evaluation(
    clusters: Clusters, rng: np.random.Generator, *, by: bool = False
) -> list[Evaluation]:
    """Evaluate drawn predictions for single images and, if asked for, by groups."""
    groups, codes = clusters.draw(rng)
    shared = rng.normal(size=(clusters.n_groups, 2, 2))[groups, codes]
    scores = clusters.correlation**0.5 * shared
    scores += (1 - clusters.correlation) ** 0.5 * rng.normal(size=scores.shape)
    scores[np.arange(len(codes)), codes] += APART
    y_proba = softmax(APART * scores, axis=1)
    single = evaluate(codes, y_proba, [0, 1])
    return [single, evaluate(codes, y_proba, [0, 1], groups=groups)] if by else [single]


@dataclass(frozen=True)
class FalseAlarms:
    """In which share of the draws two equally good classifiers differ significantly."""

    mcnemar: float
    permutation: float


def false_alarms(clusters: Clusters, accuracy: float, n_draws: int, seed: int = 0) -> FalseAlarms:
    """Draw the mistakes of two equally good classifiers, and compare them."""
    rng = np.random.default_rng(seed)
    alarms = []
    for _ in range(n_draws):
        groups, _ = clusters.draw(rng)
        y_pred = {name: clusters.correct(rng, groups, accuracy) for name in ("first", "second")}
        truth = np.ones(len(groups), dtype=bool)
        pairs = [compare_predictions(truth, y_pred, by)[0] for by in (None, groups)]
        alarms.append([pair.p_value < ALPHA for pair in pairs])
    return FalseAlarms(*np.mean(alarms, axis=0).tolist())
