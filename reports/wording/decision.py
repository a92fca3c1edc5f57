"""Which class a run answers, and for which frequencies its probabilities are, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import count, join_names, percent

if TYPE_CHECKING:
    from reports.records import Run

UNBALANCED = 1.5
"""Ratio of the sizes of two classes from which a sentence says what that means."""
MOST_NAMED = 5
"""Classes whose priors are named."""


def decision_sentences(run: Run) -> list[str]:
    """Say how the answers of a run come from its probabilities, where that makes a difference."""
    sentences = []
    counts = run.data.train_counts
    if run.priors:
        named = [f"{label} {percent(share)}" for label, share in run.priors.items()]
        others = len(named) - MOST_NAMED
        if others > 0:
            named = [*named[:MOST_NAMED], f"{count(others)} more"]
        sentences.append(
            f"The probabilities are for these shares among new images: {join_names(named)}. "
            "Accuracies are those of the test images as they are."
        )
    if run.decision == "equal-classes":
        sentences.append(
            "The answer is the class that would be the most probable if all were as frequent: more "
            "of the rare ones are found, at more errors in total."
        )
    elif counts and not run.priors and max(counts) >= UNBALANCED * min(counts):
        large, small = (counts.index(extreme(counts)) for extreme in (max, min))
        sentences.append(
            f"The classes are unbalanced ({count(counts[large])} training images of "
            f"{run.data.classes[large]}, {count(counts[small])} of {run.data.classes[small]}): the "
            "most probable class is answered, which makes the fewest errors; --decision "
            "equal-classes finds more of the rare ones."
        )
    return sentences
