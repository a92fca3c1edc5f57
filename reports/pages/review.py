"""The page of the server for reviewing labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.pages.page import render_template, script
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.records import Result, Run


def render_review(
    run: Run, result: Result, classes: Sequence[str], kinds: Mapping[str, str], command: str
) -> str:
    """Return the page on which labels are reviewed.

    Parameters
    ----------
    run : Run
    result : Result
        The classifier whose predictions are shown.
    classes : sequence of str
        That an image can be given; a request names them by their numbers.
    kinds : mapping of str to str
        What can be wrong with an image, and what the page calls it.
    command : str
        What trains the run again with the corrections.
    """
    return render_template(
        "review.html.j2",
        run=run,
        result=result,
        command=command,
        config={
            "classes": [printable(label) for label in classes],
            "kinds": list(kinds.items()),
            "aspect": run.recipe_of(result).get("aspect", "stretch"),
        },
        **script("review.js"),
    )
