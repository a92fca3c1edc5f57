"""Which classifier was chosen on the training images, and what did better on the test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import figure, join_names, percent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Result, Run


def chosen_sentence(run: Run, best: Result, subject: str = "It") -> str:
    """Say how the classifier of the headline was chosen.

    Parameters
    ----------
    run : Run
    best : Result
        From `reports.ranking.best_in_validation`.
    subject : str, default="It"
        What to call it.
    """
    n_results = len(run.results)
    if best.validation is None:
        if best.search is None:
            return f"{subject} is the first of {n_results} classifiers: none of them was validated."
        return f"{subject} was chosen from {n_results} classifiers on the training images."
    images = plural(best.validation.n_samples, "held-out training image")
    unvalidated = [r.title for r in run.results if r.validation is None]
    text = (
        f"{subject} was chosen from {n_results} classifiers before the test images were looked at: "
        f"it has the lowest log loss on {images}, {figure(best.validation.log_loss)}"
    )
    if unvalidated:
        text += f" ({join_names(unvalidated)} could not be validated)"
    return f"{text}."


def lucky_sentence(best: Result, results: Sequence[Result]) -> str | None:
    """Say which classifiers did better on the test images than the chosen one; None if none did."""
    better = [r for r in results if r.accuracy > best.accuracy]
    if not better:
        return None
    names = join_names([f"{r.title} ({percent(r.accuracy)})" for r in better])
    return (
        f"{names} did better on the test images. That may be luck: to choose after the fact makes "
        "the best of several look better than it is."
    )
