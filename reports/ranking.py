"""The order of a run's classifiers, and the one that is used unless another is named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Result, Run, SearchPoint


def ranked(run: Run) -> list[Result]:
    """Sort the results of a run, the one that was chosen first.

    The others follow by their log loss on held-out training images; those that have none, as in
    runs of earlier versions, by their accuracy on the test split.
    """
    if not run.results:
        return []
    best = best_in_validation(run)

    def key(result: Result) -> tuple[bool, float, float]:
        loss = math.inf if result.validation is None else result.validation.log_loss
        accuracy = result.accuracy if math.isfinite(result.accuracy) else -math.inf
        return (result is not best, loss, -accuracy)

    return sorted(run.results, key=key)


def best_in_validation(run: Run) -> Result:
    """Return the result of a run that `chosen_of` chooses.

    Parameters
    ----------
    run : Run
        With at least one result.
    """
    return chosen_of(run.results)


def chosen_of(results: Sequence[Result]) -> Result:
    """Return the classifier that did best in validation on the training split.

    It has the lowest log loss on training images that it was not trained on, the same images for
    all classifiers. In runs of earlier versions, those whose parameters were searched are compared
    by the log loss of the chosen point, or by its accuracy if the log loss of one of them is
    unknown. The test split plays no part.

    Parameters
    ----------
    results : sequence of Result
        At least one. If nothing was validated, the first result is returned.
    """
    validated = [(r, r.validation) for r in results if r.validation is not None]
    if validated:
        return min(validated, key=lambda pair: (pair[1].log_loss, -pair[1].accuracy))[0]
    searched = {
        result.classifier: (result, point)
        for result in results
        for point in (result.search.points if result.search else [])
        if result.search and point.params == result.search.chosen
    }
    if not searched:
        return results[0]
    by_log_loss = all(point.log_loss is not None for _, point in searched.values())

    def fitness(item: tuple[Result, SearchPoint]) -> float:
        _, point = item
        return -(point.log_loss or 0.0) if by_log_loss else point.mean

    return max(searched.values(), key=fitness)[0]
