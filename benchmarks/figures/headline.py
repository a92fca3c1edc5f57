"""How often the interval of the headline's accuracy covers the truth, where there is a choice.

Everything that can be chosen is equally good: ten classifiers, the learning rates of a network, the
classifiers of several runs. Their mistakes are correlated, as those of classifiers on the same
embeddings are. What does best on the test split has luck, and its accuracy is too high; earlier
versions headed the report with it. Now the one with the lowest log loss on training images that
were held out does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from classify.evaluation.validation import HeldOut, validate
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

ACCURACY = 0.9
N_CLASSIFIERS = 10
N_TRAIN = 400
N_RATES, HELD_OUT = 5, 80
"""Of a network, a fifth of whose training samples is held out."""
N_SEEDS, OF_SEEDS = 5, 0.9
"""With `--repeats`; the correlation is that of a classifier's mistakes with two seeds."""
N_RUNS = 3

Drawn = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]


@dataclass(frozen=True)
class Choice:
    """What is quoted of the best on the test split, or of the one that was held to be the best.

    Attributes
    ----------
    covered : float
        Share of the draws in which the 95% interval covers the true accuracy.
    quoted : float
        Mean accuracy; `ACCURACY` is true.
    """

    covered: float
    quoted: float


@dataclass(frozen=True)
class Choices:
    """By the test split, and by the held-out training samples."""

    before: Choice
    now: Choice


def of_classifiers(n_test: int, correlation: float, n_draws: int, seed: int = 0) -> Choices:
    """Choose one of ten classifiers.

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
    drawn = (
        [_draw(rng, n, correlation, N_CLASSIFIERS) for n in (N_TRAIN, n_test)]
        for _ in range(n_draws)
    )
    return _choices((trained, tested[:, None]) for trained, tested in drawn)


def of_learning_rates(n_test: int, correlation: float, n_draws: int, seed: int = 0) -> Choices:
    """Choose one of five learning rates, on a fifth of the training samples.

    The parameters are those of `of_classifiers`.
    """
    rng = np.random.default_rng(seed)
    drawn = (
        [_draw(rng, n, correlation, N_RATES) for n in (HELD_OUT, n_test)] for _ in range(n_draws)
    )
    return _choices((trained, tested[:, None]) for trained, tested in drawn)


def of_repeats(n_test: int, correlation: float, n_draws: int, seed: int = 0) -> Choices:
    """Choose one of ten classifiers by its first seed, and quote the mean accuracy of five seeds.

    The interval is that of the first seed. The parameters are those of `of_classifiers`.
    """
    rng = np.random.default_rng(seed)

    def draw() -> Drawn:
        trained = _draw(rng, N_TRAIN, correlation, N_CLASSIFIERS)
        means = _variables(rng, n_test, correlation / OF_SEEDS, N_CLASSIFIERS)
        seeds = rng.normal(size=(N_SEEDS, *means.shape)).swapaxes(0, 1)
        return trained, _correct(OF_SEEDS**0.5 * means[:, None] + (1 - OF_SEEDS) ** 0.5 * seeds)

    return _choices(draw() for _ in range(n_draws))


def of_runs(n_test: int, correlation: float, n_draws: int, seed: int = 0) -> Choices:
    """Choose one of ten classifiers in each of three runs on the same images, and quote all three.

    The parameters are those of `of_classifiers`.
    """
    rng = np.random.default_rng(seed)
    drawn = (
        [_draw(rng, n, correlation, N_RUNS * N_CLASSIFIERS) for n in (N_TRAIN, n_test)]
        for _ in range(n_draws)
    )
    return _choices(
        (trained[first : first + N_CLASSIFIERS], tested[first : first + N_CLASSIFIERS, None])
        for trained, tested in drawn
        for first in range(0, N_RUNS * N_CLASSIFIERS, N_CLASSIFIERS)
    )


def _choices(draws: Iterable[Drawn]) -> Choices:
    """Choose in each draw of correct held-out samples and, with each seed, correct test samples."""
    before, now = [], []
    for trained, tested in draws:
        before.append(_judged(tested[tested[:, 0].sum(axis=1).argmax()]))
        now.append(_judged(tested[_lowest_log_loss(trained)]))
    return Choices(*(Choice(*np.mean(judged, axis=0).tolist()) for judged in (before, now)))


def _lowest_log_loss(trained: NDArray[np.bool_]) -> int:
    rows = np.arange(trained.shape[1])
    compared = validate(
        {
            str(i): HeldOut(rows, np.where(correct, 0.1, 1.0), correct)
            for i, correct in enumerate(trained)
        }
    )
    return int(min(compared, key=lambda name: compared[name].log_loss))


def _judged(correct: NDArray[np.bool_]) -> tuple[bool, float]:
    """Return whether the first seed's interval covers the truth, and the mean of all seeds."""
    low, high = wilson(int(correct[0].sum()), correct.shape[1])
    return low <= ACCURACY <= high, float(correct.mean())


def _draw(
    rng: np.random.Generator, number: int, correlation: float, n_choices: int
) -> NDArray[np.bool_]:
    """Draw which samples each choice gets right, ``(n_choices, number)``."""
    return _correct(_variables(rng, number, correlation, n_choices))


def _variables(
    rng: np.random.Generator, number: int, correlation: float, n_choices: int
) -> NDArray[np.float64]:
    shared, own = rng.normal(size=number), rng.normal(size=(n_choices, number))
    return np.asarray(correlation**0.5 * shared + (1 - correlation) ** 0.5 * own)


def _correct(variables: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(variables < norm.ppf(ACCURACY))
