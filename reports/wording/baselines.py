"""What the best accuracy is compared with: guessing, a network from scratch, the lesson."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Data, Result, Run

SCRATCH = "cnn"
LESSON_DATA = (["cats", "dogs"], [1000, 1000], [500, 500])
"""Data of the lesson that this toolkit grew out of: classes, training and test images of each."""
LESSON_ACCURACIES = {"dense": 0.895, "cnn": 0.685}
"""Published for its dense head on frozen features, and for its CNN trained from scratch."""
LESSON_EPOCHS, LESSON_MINUTES = "five", "eleven"


def baseline_sentences(run: Run, results: Sequence[Result]) -> list[str]:
    """Return a sentence for each baseline that the best result can be compared with.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        Ranked, the best first; at least one.
    """
    sentences = [
        _majority_class(run.data),
        _from_scratch(results),
        _lesson(run.data),
    ]
    return [sentence for sentence in sentences if sentence]


def _majority_class(data: Data) -> str | None:
    if not sum(data.test_counts):
        return None
    share = max(data.test_counts) / sum(data.test_counts)
    return f"Always predicting the most frequent class would reach {percent(share)}."


def _from_scratch(results: Sequence[Result]) -> str | None:
    best = results[0]
    scratch = next((r for r in results if r.classifier.partition("@")[0] == SCRATCH), None)
    if scratch is None or not scratch.accuracy < best.accuracy:
        return None
    points = 100 * (best.accuracy - scratch.accuracy)
    return (
        f"A network trained from scratch on these images alone reaches "
        f"{percent(scratch.accuracy)}, {points:.1f} points less."
    )


def _lesson(data: Data) -> str | None:
    if (data.classes, data.train_counts, data.test_counts) != LESSON_DATA:
        return None
    dense, scratch = (percent(LESSON_ACCURACIES[name]) for name in ("dense", SCRATCH))
    return (
        f"A lesson with the same number of cats and dogs published {dense} for its dense head on "
        f"frozen features and {scratch} for its CNN trained from scratch, after {LESSON_EPOCHS} "
        f"epochs; the first took about {LESSON_MINUTES} minutes."
    )
