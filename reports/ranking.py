"""The order of a run's classifiers, and the one that is used unless another is named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.record import Result, Run, SearchPoint


def ranked(results: Sequence[Result]) -> list[Result]:
    """Sort results by accuracy on the test split, then by log loss, the best first.

    This is the order in which reports show them; see `best_in_validation` for the choice of a
    model.
    """

    def key(result: Result) -> tuple[float, float]:
        loss = result.log_loss if math.isfinite(result.log_loss) else math.inf
        return (-result.accuracy if math.isfinite(result.accuracy) else math.inf, loss)

    return sorted(results, key=key)


def best_in_validation(run: Run) -> Result:
    """Return the classifier that did best in validation on the training split.

    Classifiers whose parameters were searched are compared by the log loss of the chosen point, or
    by its accuracy if the log loss of one of them is unknown. The test split plays no part.

    Parameters
    ----------
    run : Run
        With at least one result. If no parameters were searched, the first result is returned.
    """
    searched = {
        result.classifier: (result, point)
        for result in run.results
        for point in (result.search.points if result.search else [])
        if result.search and point.params == result.search.chosen
    }
    if not searched:
        return run.results[0]
    by_log_loss = all(point.log_loss is not None for _, point in searched.values())

    def fitness(item: tuple[Result, SearchPoint]) -> float:
        _, point = item
        return -(point.log_loss or 0.0) if by_log_loss else point.mean

    return max(searched.values(), key=fitness)[0]
