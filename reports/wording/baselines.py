"""What a best accuracy is held against: guessing, a network from scratch, the lesson."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.record import Data, Result, Run

SCRATCH = "cnn"
LESSON_DATA = (["cats", "dogs"], [1000, 1000], [500, 500])
"""Classes of the lesson that this toolkit grew out of, training and test pictures of each."""
LESSON_ACCURACIES = {"dense": 0.895, "cnn": 0.685}
"""Published for its dense head on frozen features, and for its scratch CNN."""
LESSON_EPOCHS, LESSON_MINUTES = "five", "eleven"


def yardsticks(run: Run, results: Sequence[Result]) -> list[str]:
    """Return a sentence for everything that the best of the results can be held against.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        The best first; at least one.
    """
    found = [
        _guessing(run.data),
        _from_scratch(results),
        _lesson(run.data),
    ]
    return [sentence for sentence in found if sentence]


def _guessing(data: Data) -> str | None:
    if not sum(data.test_counts):
        return None
    share = max(data.test_counts) / sum(data.test_counts)
    return f"Always answering the commonest class would get {percent(share)} right."


def _from_scratch(results: Sequence[Result]) -> str | None:
    best = results[0]
    scratch = next((r for r in results if r.classifier.partition("@")[0] == SCRATCH), None)
    if scratch is None or not scratch.accuracy < best.accuracy:
        return None
    points = 100 * (best.accuracy - scratch.accuracy)
    return (
        f"A network trained from scratch on these pictures alone gets {percent(scratch.accuracy)} "
        f"right, {points:.1f} points less."
    )


def _lesson(data: Data) -> str | None:
    if (data.classes, data.train_counts, data.test_counts) != LESSON_DATA:
        return None
    dense, scratch = (percent(LESSON_ACCURACIES[name]) for name in ("dense", SCRATCH))
    return (
        f"A lesson with as many cats and dogs published {dense} by its dense head on frozen "
        f"features and {scratch} by its scratch CNN, after {LESSON_EPOCHS} epochs; the first took "
        f"about {LESSON_MINUTES} minutes."
    )
