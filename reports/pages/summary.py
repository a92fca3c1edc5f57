"""A run as a small HTML fragment, for the output cell of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.pages.page import render_template
from reports.ranking import ranked
from reports.wording.findings import stopped_sentence, unused_files_sentence
from reports.wording.headline import headline

if TYPE_CHECKING:
    from pathlib import Path

    from reports.records import Run


def render_summary(run: Run, folder: Path) -> str:
    """Return the headline and the results table of a run as an HTML fragment.

    It needs no script and loads nothing.

    Parameters
    ----------
    run : Run
    folder : pathlib.Path
        The run's folder, which the fragment names.
    """
    results = ranked(run)
    return render_template(
        "summary.html.j2",
        run=run,
        folder=str(folder),
        results=results,
        headline=headline(run, results),
        stopped=stopped_sentence(run),
        unused_files=unused_files_sentence(run),
    )
