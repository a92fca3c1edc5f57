"""The findings of an audit as the report shows them, with thumbnails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.copy_groups import groups_to_keep_together
from reports.pages.pair_drawing import pair_drawing
from reports.pages.thumbnails import NO_IMAGES
from reports.wording.findings import audit_sentence, suspects_sentence
from reports.wording.problems import copy_words, leak_words, suspect_words
from reports.wording.text import count

if TYPE_CHECKING:
    from reports.pages.pair_drawing import PairDrawing
    from reports.pages.thumbnails import EmbeddedImages
    from reports.records import Audit, Drawing, Run

SHOWN = 40
"""Number of findings of each kind that are shown, so that the page stays small."""
THUMBNAIL_SIZE = 128


@dataclass(frozen=True)
class Finding:
    """An image, or a pair of images, with what was found."""

    paths: list[str]
    images: list[str | None]
    """Thumbnails in Base64, as many as `paths`."""
    problem: str
    detail: str
    drawing: PairDrawing | None = None
    """What a pair has in common; None if an image is missing, or nothing is known of it."""


@dataclass(frozen=True)
class FindingGroup:
    """The findings of one kind, of which the first `SHOWN` are shown."""

    title: str
    note: str
    number: int
    findings: list[Finding]


@dataclass(frozen=True)
class AuditView:
    """All findings of an audit."""

    summary: str
    groups: list[FindingGroup]


def audit_view(run: Run, images: EmbeddedImages = NO_IMAGES) -> AuditView | None:
    """Return the findings of a run's audit, or None if it was not audited.

    Parameters
    ----------
    run : Run
    images : EmbeddedImages, optional
        Images of the run. By default none are shown.
    """
    audit = run.audit
    if audit is None:
        return None

    def finding(
        paths: list[str], problem: str, detail: str, drawing: Drawing | None = None
    ) -> Finding:
        shown = [images(path, THUMBNAIL_SIZE) for path in paths]
        drawn = pair_drawing(drawing) if all(shown) else None
        return Finding(paths, shown, problem, detail, drawn)

    leaks = [
        finding([leak.test, leak.train], *leak_words(leak), leak.drawing)
        for leak in audit.leaks[:SHOWN]
    ]
    copies = [
        finding([copy.path, copy.of], *copy_words(copy), copy.drawing)
        for copy in audit.copies[:SHOWN]
    ]
    suspects = [
        finding([suspect.path], *suspect_words(suspect)) for suspect in audit.suspects[:SHOWN]
    ]
    outliers = [
        finding([outlier.path], outlier.reason, f"labelled {outlier.label}, in {outlier.split}")
        for outlier in audit.outliers[:SHOWN]
    ]
    return AuditView(
        audit_sentence(audit).capitalize(),
        [
            FindingGroup(
                "Test images that look like training images",
                "The same file, or an edited copy: the points that lines join are in the same "
                "places of both, within the outlines. They make every classifier look better "
                "than it is. leaks.csv lists all of them.",
                len(audit.leaks),
                leaks,
            ),
            FindingGroup(
                "Copies",
                "The same file or an edited copy, within the training split, within the test split "
                "or across; copies with different labels first: no classifier can predict both "
                "correctly. copies.csv lists all of them."
                + (" groups.csv keeps them together." if groups_to_keep_together(audit) else ""),
                len(audit.copies),
                copies,
            ),
            FindingGroup(
                "Suspect labels",
                _suspects_note(audit),
                len(audit.suspects),
                suspects,
            ),
            FindingGroup(
                "Outliers",
                "Unlike all other images, almost uniform, or tiny. outliers.csv lists all of them.",
                len(audit.outliers),
                outliers,
            ),
        ],
    )


def _suspects_note(audit: Audit) -> str:
    """Say which of the suspects to look at, and what to do with them."""
    first = "The least probable labels come first."
    if audit.wrong_labels is not None:
        first = (
            "Labels judged by a model that had not seen the image, and no test image: "
            f"{suspects_sentence(audit)}. "
        )
        if audit.wrong_labels:
            first += (
                f"Look at the first {count(audit.wrong_labels)}, which are marked as probably "
                "wrong. "
            )
        first += (
            "The others are mostly images that are hard to classify. A changed label of a test "
            "image changes what is measured."
        )
    return (
        f"{first} Correct the column label of suspects.csv and use the file as the table of labels "
        "(--labels)."
    )
