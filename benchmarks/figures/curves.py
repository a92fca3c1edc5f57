"""How well a learning curve says what twice as many training images would bring.

Every class is a normal distribution of features around a mean of its own. The true gain is the
difference of two expected accuracies, each the mean over classifiers that were trained on other
samples, on very many test samples. Earlier versions fitted a power law without an asymptote, and
gave the smallest and the largest gain of the single draws as a range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.evaluation.learning_curve import LearningCurve, learning_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from classify.estimators.base import Classifier

N_FEATURES = 64
SPREAD = 0.3
"""Of each coordinate of the means; that of the samples is 1."""
UNSEEN = 20_000
FITTED = 4

Samples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Prognoses:
    """Mean expected gains, the mean width of the ranges, and the share that covers the true gain.

    `said` is the share of draws in which a gain is given at all; the other figures are of these.
    Earlier versions always gave one.
    """

    true: float
    expected: float
    covered: float
    width: float
    said: float
    expected_before: float
    covered_before: float


def prognoses(
    make: Callable[[int], Classifier], n_classes: int, n_per_class: int, n_draws: int, seed: int = 0
) -> Prognoses:
    """Draw training and test sets, and compare what the learning curves promise with the truth.

    Parameters
    ----------
    make : callable
        Given a seed, returns an untrained classifier.
    n_classes, n_per_class : int
        Training samples of each class; a quarter as many test samples.
    n_draws : int
    seed : int, default=0
    """
    rng = np.random.default_rng(seed)
    means = SPREAD * rng.normal(size=(n_classes, N_FEATURES))
    X_unseen, y_unseen = _draw(rng, means, UNSEEN // n_classes)
    accuracies, doubled = [], []
    curves: list[LearningCurve] = []
    for i in range(n_draws):
        train, test = _draw(rng, means, n_per_class), _draw(rng, means, n_per_class // 4)
        model = make(i).fit(*train)
        accuracies.append(np.mean(model.predict(X_unseen) == y_unseen))
        curves.append(learning_curve(make, train, test, model.predict(test[0]), seed=i))
        twice = make(i).fit(*_draw(rng, means, 2 * n_per_class))
        doubled.append(np.mean(twice.predict(X_unseen) == y_unseen))
    true = float(np.mean(doubled) - np.mean(accuracies))
    now = [[curve.gain, *curve.gain_range] for curve in curves if curve.gain_range is not None]
    expected, covered = _judged(now, true)
    expected_before, covered_before = _judged([_before(curve) for curve in curves], true)
    width = float(np.mean([high - low for _, low, high in now])) if now else float("nan")
    said = len(now) / len(curves)
    return Prognoses(true, expected, covered, width, said, expected_before, covered_before)


def _draw(rng: np.random.Generator, means: np.ndarray, n_per_class: int) -> Samples:
    codes = np.repeat(np.arange(len(means)), n_per_class)
    features = means[codes] + rng.normal(size=(len(codes), N_FEATURES))
    return features.astype(np.float32), codes


def _judged(gains: list[list[float]], true: float) -> tuple[float, float]:
    """Return the mean gain, and the share of ranges that cover the true one."""
    if not gains:
        return float("nan"), float("nan")
    expected, low, high = np.transpose(gains)
    return float(expected.mean()), float(np.mean((low <= true) & (true <= high)))


def _before(curve: LearningCurve) -> list[float]:
    n_draws = len(curve.accuracies[0])
    rows = [row * n_draws if len(row) == 1 else row for row in curve.accuracies]
    gains = [_extrapolated(curve.sizes, [row[i] for row in rows]) for i in range(n_draws)]
    gain = _extrapolated(curve.sizes, [float(np.mean(row)) for row in rows])
    return [gain, min(gain, *gains), max(gain, *gains)]


def _extrapolated(sizes: list[int], accuracies: list[float]) -> float:
    errors = np.maximum(1 - np.array(accuracies[-FITTED:]), 1e-6)
    exponent, _ = np.polyfit(np.log(sizes[-FITTED:]), np.log(errors), 1)
    return float(errors[-1] * (1 - 2 ** np.clip(exponent, -1.0, 1.0)))
