"""What the report page shows of an audit: thumbnails of leaks, suspects and outliers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reports.pages.thumbnails import NO_IMAGES
from reports.wording.findings import audited
from reports.wording.text import percent

if TYPE_CHECKING:
    from reports.pages.thumbnails import EmbeddedImages
    from reports.record import Run

SHOWN = 40
"""At most so many pictures of a kind, so that the page stays small."""
THUMBNAIL_SIZE = 128


@dataclass(frozen=True)
class Found:
    """A picture that was found, or a pair of them, with what is said of it."""

    paths: list[str]
    images: list[str | None]
    """Thumbnails in Base64, as many as paths."""
    said: str
    beside: str


@dataclass(frozen=True)
class Kind:
    """One kind of wrong data, the first `SHOWN` of it."""

    title: str
    note: str
    number: int
    found: list[Found]


@dataclass(frozen=True)
class WrongData:
    """All that an audit has found."""

    summary: str
    kinds: list[Kind]


def wrong_data(run: Run, images: EmbeddedImages = NO_IMAGES) -> WrongData | None:
    """Return what an audit has found, or None if there was none.

    By default no image is shown.
    """
    audit = run.audit
    if audit is None:
        return None
    found = partial(_found, images)
    leaks = [
        found(
            [leak.test, leak.train],
            "the same file" if leak.exact else f"cosine {leak.cosine:.2f}",
            "test and training",
        )
        for leak in audit.leaks[:SHOWN]
    ]
    copies = [
        found(
            [copy.path, copy.of],
            "the same file"
            if copy.label == copy.of_label
            else f"the same file, labelled {copy.label} and {copy.of_label}",
            f"in {copy.split}",
        )
        for copy in audit.copies[:SHOWN]
    ]
    suspects = [
        found(
            [suspect.path],
            f"{suspect.label}? Rather {suspect.likely}",
            f"{percent(suspect.probability)} for the label it has, in {suspect.split}",
        )
        for suspect in audit.suspects[:SHOWN]
    ]
    outliers = [
        found([image.path], image.reason, f"labelled {image.label}, in {image.split}")
        for image in audit.outliers[:SHOWN]
    ]
    return WrongData(
        audited(audit).capitalize(),
        [
            Kind(
                "Test pictures that are in training too",
                "They make every classifier look better than it is. All of them: leaks.csv.",
                len(audit.leaks),
                leaks,
            ),
            Kind(
                "Copies",
                "The same file twice, those under two labels first: no classifier can be right "
                "about both. All of them: copies.csv.",
                len(audit.copies),
                copies,
            ),
            Kind(
                "Suspect labels",
                "A classifier that had not seen the picture would have said something else; the "
                "surest first. Correct the column label of suspects.csv and give the file to "
                "--labels.",
                len(audit.suspects),
                suspects,
            ),
            Kind(
                "Outliers",
                "Unlike all others, nearly uniform, or tiny. All of them: outliers.csv.",
                len(audit.outliers),
                outliers,
            ),
        ],
    )


def _found(images: EmbeddedImages, paths: list[str], said: str, beside: str) -> Found:
    return Found(paths, [images(path, THUMBNAIL_SIZE) for path in paths], said, beside)
