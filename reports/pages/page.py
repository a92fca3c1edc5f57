"""A run, or several, as one HTML file that needs no network.

The template escapes every value on its own (Jinja's autoescape), after `shown` has made invisible
characters visible; only drawings and the script, which are this package's own, go in as they are.
The page's policy lets no other script run: it names the hash of this one.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reports.charts import curves, training
from reports.errors import RecordError
from reports.pages import comparison, views
from reports.pages.embedding_map import SHAPES, embedding_map
from reports.pages.gallery import gallery
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.pages.wrong_data import wrong_data
from reports.ranking import ranked
from reports.wording import differences, text
from reports.wording.headline import headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from reports.listing import Entry
    from reports.pages.changed_pictures import Sides
    from reports.pages.thumbnails import OpenThumbnails
    from reports.record import PredictionRow, Run

REPORT_NAME = "report.html"
TEMPLATES = Path(__file__).parents[1] / "templates"


def render(
    run: Run,
    predictions: Sequence[PredictionRow],
    folder: Path | None,
    *,
    fetch: bool = False,
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> str:
    """Return the report of a run as one HTML document.

    Parameters
    ----------
    run : Run
        The pictures of the gallery are read from `run.data.root`; one that is no longer there has
        an empty frame.
    predictions : sequence of PredictionRow
        For the gallery of mistakes; may be empty.
    folder : pathlib.Path or None
        The run's folder, in which the page will lie: it links the files found there.
    fetch : bool
        Whether pictures at an address are shown too; see `reports.pages.thumbnails`.
    thumbnails : callable, optional
        Opens a maker of thumbnails; by default the installed one.
    """
    if not run.data.root:  # the run was given embeddings: there are no pictures to show
        predictions = ()
    results = ranked(run.results)
    classes = run.data.classes
    with thumbnails() as thumbnail:
        images = EmbeddedImages(run.data.root, thumbnail, fetch)
        pictures = gallery(run, results, predictions, images)
        audited = wrong_data(run, images)
    return fill(
        "report.html.j2",
        run=run,
        results=results,
        axis=views.axis(results),
        headline=headline(run, results),
        confusions=[views.confusion(result, classes) for result in results],
        roc=curves.roc(results, len(classes)),
        precision_recall=curves.precision_recall(results, len(classes)),
        training=[*training.training(results), *training.sweeps(results)],
        searches=views.searches(results),
        pairs=differences.sentences(run),
        findings=views.findings_by_title(run, results),
        learning=training.learning(run, results),
        reliability=training.reliability(results),
        wrong_data=audited,
        recipes=views.recipes(run),
        extractions=views.extractions(run),
        gallery=pictures,
        map=embedding_map(run, results, predictions, pictures.pictures),
        shapes=SHAPES,
        quarantine_shown=views.QUARANTINE_SHOWN,
        files=views.files(run, folder),
        **script("report.js"),
    )


def write(
    run: Run,
    predictions: Sequence[PredictionRow],
    path: Path,
    *,
    fetch: bool = False,
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> None:
    """Write the report of a run to `path`, linking the files of the run that lie beside it.

    See `render` for the parameters.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    save(render(run, predictions, path.parent, fetch=fetch, thumbnails=thumbnails), path)


def render_comparison(
    runs: Sequence[tuple[Path, Run]],
    sides: Sequence[Sides] = (),
    base: Path | None = None,
) -> str:
    """Return a page with several runs side by side.

    Parameters
    ----------
    runs : sequence of (pathlib.Path, Run)
        Folder and record of each run, in the order to show them. Any runs can be compared; where
        data or classes differ, the page says so.
    sides : sequence of Sides
        The pictures that changed sides, see `reports.pages.changed_pictures`.
    base : pathlib.Path, optional
        The folder in which the page will lie: it links the reports from there. Without it, it has
        no links.
    """
    return fill(
        "comparison.html.j2",
        runs=comparison.columns(runs, lambda folder: _link(folder / REPORT_NAME, base)),
        differences=comparison.differences([run for _, run in runs]),
        groups=comparison.groups(runs),
        axis=views.axis(result for _, run in runs for result in run.results),
        remarks=comparison.remarks([run for _, run in runs]),
        sides=sides,
    )


def render_index(entries: Sequence[Entry], base: Path) -> str:
    """Return a page with a line for every run of a folder, which links their reports.

    Parameters
    ----------
    entries : sequence of Entry
        See `reports.listing`.
    base : pathlib.Path
        The folder in which the page will lie.
    """
    return fill(
        "index.html.j2",
        entries=entries,
        links=[_link(entry.folder / REPORT_NAME, base) for entry in entries],
        **script("report.js"),
    )


def save(page: str, path: Path) -> None:
    """Write a page to `path`.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}; give a place that can be written to"
        ) from error


def fill(template: str, **context: Any) -> str:
    """Return one of the package's templates, filled in; every value is escaped."""
    return _environment().get_template(template).render(**context)


def script(name: str) -> dict[str, str]:
    """Return a script of the package for a template, and what lets it and no other run."""
    text = "\n".join((TEMPLATES / one).read_text(encoding="utf-8") for one in ("common.js", name))
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return {"script": text, "script_policy": f"script-src 'sha256-{digest}'"}


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": text.percent,
        "count": text.count,
        "figure": text.figure,
        "duration": text.duration,
        "moment": text.moment,
        "listed": text.listed,
        "facts": views.facts,
        "ours": lambda made: Markup(made),  # noqa: S704 - drawings of reports.charts.svg, and the script
        "command": _command,
    }
    return environment


def _visible(value: Any) -> Any:
    """Make invisible characters visible in what a template prints; markup stays as it is."""
    return text.shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _command(arguments: Sequence[str]) -> str:
    """Return a command as a shell reads it; a call of Python, which is one argument, as it is."""
    import shlex

    return shlex.join(arguments) if len(arguments) > 1 else "".join(arguments)


def _link(target: Path, base: Path | None) -> str | None:
    if base is None or not target.is_file():
        return None
    try:
        relative = os.path.relpath(target.resolve(), base.resolve())
    except ValueError:  # on another drive
        return None
    return quote(relative.replace(os.sep, "/"), errors="surrogateescape")
