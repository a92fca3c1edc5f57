"""What a split that ignores groups would have claimed, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.ranking import best_in_validation
from reports.wording.text import percent

if TYPE_CHECKING:
    from reports.records import Run


def ungrouped_sentence(run: Run) -> str | None:
    """Compare the accuracy with that of a split that ignores groups; None if it is not known."""
    claimed = run.ungrouped
    if claimed is None:
        return None
    results = {result.classifier: result for result in run.results}
    result = results.get(claimed.classifier)
    if result is None:
        return None
    whose = "" if result is best_in_validation(run) else f" for {result.title}"
    theirs, ours = percent(claimed.accuracy), percent(result.accuracy)
    instead = " as well" if theirs == ours else f" instead of {ours}"
    return (
        "Groups were kept together. A split that ignores them would have claimed "
        f"{theirs}{whose}{instead}."
    )
