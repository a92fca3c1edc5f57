"""One run, or several, as one HTML file that needs no network.

The template escapes every value (Jinja's autoescape), after `printable` has escaped invisible
characters. Only this package's own drawings and script are inserted unescaped. The content security
policy of the page names the hash of this script, so that no other script can run.
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
from reports.pages import classes as class_tables
from reports.pages import comparison, views
from reports.pages.audit import audit_view
from reports.pages.embedding_map import SHAPES, embedding_map
from reports.pages.evidence.section import evidence_section
from reports.pages.gallery import gallery
from reports.pages.properties import properties_view
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.ranking import ranked
from reports.records import MANY_CLASSES
from reports.wording import differences, text
from reports.wording.findings import stopped_sentence
from reports.wording.groups import groups_phrase
from reports.wording.headline import headline
from reports.wording.uncertainty import comparison_method, interval_method
from toolkit.phases import phase
from toolkit.wording import counted, plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from reports.listing import RunEntry
    from reports.pages.changed_images import ClassifierChange
    from reports.pages.thumbnails import OpenThumbnails
    from reports.records import EvidenceRow, PredictionRow, Run

REPORT_NAME = "report.html"
TEMPLATES = Path(__file__).parents[1] / "templates"


def render(
    run: Run,
    predictions: Sequence[PredictionRow],
    folder: Path | None,
    *,
    evidence: Sequence[EvidenceRow] = (),
    fetch: bool = False,
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> str:
    """Return the report of a run as one HTML document.

    Parameters
    ----------
    run : Run
        The images of the gallery are read from `run.data.root`; one that no longer exists has an
        empty frame.
    predictions : sequence of PredictionRow
        For the gallery of mistakes; may be empty.
    folder : pathlib.Path or None
        The run's folder, where the page will be: it links the files that exist there.
    evidence : sequence of EvidenceRow, optional
        Where in images the evidence lies; see `reports.evidence`.
    fetch : bool
        Whether images at an address are fetched; see `reports.pages.thumbnails`.
    thumbnails : callable, optional
        Opens a maker of thumbnails; by default the installed one.
    """
    if not run.data.root:  # the run was given embeddings: there are no images to show
        predictions, evidence = (), ()
    results = ranked(run)
    classes = run.data.classes
    many = len(classes) > MANY_CLASSES
    of_classes = [class_tables.many_classes(r, classes) for r in results] if many else []
    with phase("making thumbnails"), thumbnails() as thumbnail:
        images = EmbeddedImages(run.data.root, thumbnail, fetch)
        shown = gallery(run, results, predictions, images, evidence)
        explained = evidence_section(run, results, predictions, evidence, images)
        audit = audit_view(run, images)
        properties = properties_view(run, images)
    return render_template(
        "report.html.j2",
        run=run,
        results=results,
        axis=views.axis(results),
        headline=headline(run, results),
        stopped=stopped_sentence(run),
        confusions=[] if many else [views.confusion_matrix(r, classes) for r in results],
        many_classes=of_classes,
        classes_json=class_tables.to_json(run, of_classes),
        roc=curves.roc(results, len(classes)),
        precision_recall=curves.precision_recall(results, len(classes)),
        training=[*training.training(results), *training.sweeps(results)],
        searches=views.searches(results),
        backbone_choice=views.backbone_choice(run),
        pairs=differences.comparison_sentences(run),
        interval_method=interval_method(run.data),
        comparison_method=comparison_method(run.data),
        findings=views.findings_by_title(run, results),
        learning=training.learning(run, results),
        reliability=training.reliability(results),
        audit=audit,
        properties=properties,
        recipes=views.recipes(run),
        extractions=views.extractions(run),
        gallery=shown,
        evidence=explained,
        map=embedding_map(run, results, predictions, shown.images),
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
    evidence: Sequence[EvidenceRow] = (),
    fetch: bool = False,
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> None:
    """Write the report of a run to `path`, with links to the files of the run beside it.

    See `render` for the parameters.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    folder = path.parent
    text = render(run, predictions, folder, evidence=evidence, fetch=fetch, thumbnails=thumbnails)
    save(text, path)


def render_comparison(
    runs: Sequence[tuple[Path, Run]],
    changes: Sequence[ClassifierChange] = (),
    base: Path | None = None,
) -> str:
    """Return a page with several runs side by side.

    Parameters
    ----------
    runs : sequence of (pathlib.Path, Run)
        Folder and record of each run, in the order to show them. Any runs can be compared; the
        page says if their data or classes differ.
    changes : sequence of ClassifierChange, optional
        Images whose predictions changed; see `reports.pages.changed_images`.
    base : pathlib.Path, optional
        The folder where the page will be. Without it, the page does not link the reports.
    """
    return render_template(
        "comparison.html.j2",
        runs=comparison.columns(runs, lambda folder: _link(folder / REPORT_NAME, base)),
        differences=comparison.differences([run for _, run in runs]),
        groups=comparison.group_by_classifier(runs),
        axis=views.axis(result for _, run in runs for result in run.results),
        remarks=comparison.remarks([run for _, run in runs]),
        interval_methods=list(dict.fromkeys(interval_method(run.data) for _, run in runs)),
        unrecorded=not all(run.settings for _, run in runs),
        changes=changes,
    )


def render_index(entries: Sequence[RunEntry], base: Path) -> str:
    """Return a page with one line for every run of a folder, and links to their reports.

    Parameters
    ----------
    entries : sequence of RunEntry
        See `reports.listing`.
    base : pathlib.Path
        The folder where the page will be.
    """
    return render_template(
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
            f"cannot write {path}: {error.strerror or error}; choose a file that you can write to"
        ) from error


def render_template(template: str, **context: Any) -> str:
    """Render one of the package's templates; every value is escaped."""
    return _environment().get_template(template).render(**context)


def script(name: str) -> dict[str, str]:
    """Return a script of the package for a template, and the policy that allows only it."""
    text = "\n".join((TEMPLATES / file).read_text(encoding="utf-8") for file in ("common.js", name))
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
        finalize=_escape_invisible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": text.percent,
        "span": text.span,
        "count": text.count,
        "counted": counted,
        "plural": plural,
        "figure": text.figure,
        "duration": text.duration,
        "timestamp": text.timestamp,
        "join_names": text.join_names,
        "fields": views.format_fields,
        "trusted": lambda text: Markup(text),  # noqa: S704 - drawings of reports.charts.svg, the script
        "command": _command,
        "groups": groups_phrase,
    }
    return environment


def _escape_invisible(value: Any) -> Any:
    """Escape invisible characters in what a template prints, except in markup."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _command(arguments: Sequence[str]) -> str:
    """Return a command, quoted for a shell; a single argument is a Python call, kept as it is."""
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
