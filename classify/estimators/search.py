"""Parameter searches: grids, and what a search found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.stats import rankdata

from classify.errors import ClassifierError

if TYPE_CHECKING:
    from collections.abc import Sequence

C_GRID: tuple[float, ...] = tuple(10.0 ** (half / 2) for half in range(-6, 7))
"""Default values of C, on features of unit mean squared norm.

On VGG16's embeddings of the lesson's training images, an SVM does not change below 0.005 (every
image is a support vector at its bound) nor above 15 (none is), and logistic regression gains
nothing beyond 100. Near the best C, a step of half a decade changes the cross-validated accuracy by
less than its standard error.
"""

SearchMethod = Literal["cross-validation", "leave-one-out", "hold-out"]


@dataclass(frozen=True)
class SearchPoint:
    """The scores of one combination of parameters.

    Attributes
    ----------
    params : dict
    mean : float
        Mean accuracy over the folds, in [0, 1].
    std : float
        Standard deviation of the accuracy over the folds; for leave-one-out, the standard error of
        the mean, which takes groups into account; 0 for a hold-out.
    log_loss : float or None
        Of all held-out samples; None if it is not finite.
    """

    params: dict[str, Any]
    mean: float
    std: float
    log_loss: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """A search for the best parameters, validated within the training samples.

    Attributes
    ----------
    folds : int
        Number of folds; for leave-one-out, the number of samples that were left out in turn; 1 for
        a hold-out.
    scoring : str
        What `SearchPoint.mean` measures.
    points : list of SearchPoint
    chosen : dict
        Parameters of the best point.
    chosen_by : str
        The measure that decided.
    method : {"cross-validation", "leave-one-out", "hold-out"}
        How the points were validated.
    """

    folds: int
    scoring: str
    points: list[SearchPoint]
    chosen: dict[str, Any]
    chosen_by: str = "log loss"
    method: SearchMethod = "cross-validation"


class SearchMixin:
    """Give an estimator that has a `search_` the attributes of scikit-learn's `GridSearchCV`."""

    search_method: ClassVar[SearchMethod] = "cross-validation"
    search_: SearchResult

    @property
    def best_params_(self) -> dict[str, Any]:
        """The chosen parameters."""
        return dict(self.search_.chosen)

    @property
    def cv_results_(self) -> dict[str, Any]:
        """The search as a dict of arrays, one entry per combination of parameters.

        The keys are those of scikit-learn's `GridSearchCV`: ``params``, ``param_<name>``,
        ``mean_test_score``, ``std_test_score`` and ``rank_test_score`` are of the accuracy, and
        ``mean_test_neg_log_loss`` and ``rank_test_neg_log_loss`` are of the log loss, rounded to
        five digits for the rank. If it decided (`SearchResult.chosen_by`), the chosen parameters
        rank first by it.
        """
        points = self.search_.points
        losses = np.array([np.inf if p.log_loss is None else p.log_loss for p in points])
        accuracies = np.array([point.mean for point in points])
        results: dict[str, Any] = {"params": [dict(point.params) for point in points]}
        for name in points[0].params:
            results[f"param_{name}"] = np.array([point.params[name] for point in points])
        return results | {
            "mean_test_score": accuracies,
            "std_test_score": np.array([point.std for point in points]),
            "rank_test_score": rankdata(-accuracies, method="min").astype(np.int32),
            "mean_test_neg_log_loss": -losses,
            "rank_test_neg_log_loss": rankdata(losses.round(5), method="min").astype(np.int32),
        }


def positive_grid(
    name: str, value: float | Sequence[float] | None, default: Sequence[float]
) -> list[float]:
    """Return the values of a parameter to try, in ascending order.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float, sequence of float or None
        One value, several, or None for `default`.
    default : sequence of float

    Raises
    ------
    ClassifierError
        If there are no values, or one is not positive and finite.

    Examples
    --------
    >>> positive_grid("C", 1, C_GRID), positive_grid("C", [10, 0.1], C_GRID)
    ([1.0], [0.1, 10.0])
    """
    values = sorted(
        {float(number) for number in np.atleast_1d(default if value is None else value)}
    )
    if not values or not all(0 < number < np.inf for number in values):
        raise ClassifierError(
            f"{name} must be a positive number or several of them, found {value!r}; "
            "leave it out to have it chosen"
        )
    return values
