"""Evidence maps as the report shows them: over images, and the mean of each class."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.pages.evidence.overlay import full_strength, overlay_png
from reports.pages.thumbnails import NO_IMAGES
from reports.records import MANY_CLASSES
from reports.wording.evidence import (
    caution_sentence,
    densest_region,
    evidence_sentence,
    sum_sentence,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.pages.thumbnails import EmbeddedImages
    from reports.records import EvidenceRow, PredictionRow, Result, Run

    RowsOf = Mapping[tuple[str, str], Sequence[EvidenceRow]]
    """The rows of each image and classifier, given by path and name."""

THUMBNAIL_SIZE = 128
_FITS = {"stretch": "none", "crop": "xMidYMid slice", "pad": "xMidYMid meet"}
"""How SVG brings an image into the square that the network sees, by the aspect of the recipe."""


@dataclass(frozen=True)
class Overlay:
    """An evidence map, to lay over an image."""

    label: str
    other: str | None
    """Of two classes, the other one: what counts against the first counts for it."""
    image: str
    """PNG in Base64."""
    sentence: str
    sum: str
    """How the places add up to the score."""
    caution: str
    """That what belongs to no place outweighs the places; empty if it does not."""
    numbers: list[list[str]]


@dataclass(frozen=True)
class ImageEvidence:
    """The evidence of one classifier for an image: for the predicted class, and the true one."""

    classifier: str
    exact: bool
    fit: str
    """How the image fits into the square that the network sees, as SVG's `preserveAspectRatio`."""
    overlays: list[Overlay]


@dataclass(frozen=True)
class SureImage:
    """A correct and confident prediction; `image` is a thumbnail in Base64."""

    path: str
    probability: float
    image: str | None
    evidence: ImageEvidence

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True)
class MeanEvidence:
    """The mean evidence of a classifier for each class, with the number of images.

    Of more than `MANY_CLASSES` classes, those are shown whose evidence is most concentrated.
    """

    title: str
    exact: bool
    classes: list[tuple[Overlay, int]]
    n_classes: int


@dataclass(frozen=True)
class EvidenceSection:
    """What the report says about evidence, besides that of single mistakes."""

    means: list[MeanEvidence]
    sure_title: str
    """The classifier whose sure predictions are shown."""
    sure: list[tuple[str, list[SureImage]]]
    """For each class."""
    unexplained: list[str]
    """Classifiers without evidence."""


def rows_of(rows: Sequence[EvidenceRow]) -> dict[tuple[str, str], list[EvidenceRow]]:
    """Return the rows of each image and classifier."""
    found: dict[tuple[str, str], list[EvidenceRow]] = defaultdict(list)
    for row in rows:
        if row.path:
            found[row.path, row.classifier].append(row)
    return dict(found)


def image_evidence(run: Run, result: Result, rows: Sequence[EvidenceRow]) -> ImageEvidence:
    """Return the evidence of a classifier for an image, all with the same scale."""
    aspect = run.recipe_of(result).get("aspect", "stretch")
    fit = _FITS.get(str(aspect), "none")
    return ImageEvidence(result.classifier, rows[0].exact, fit, overlays(rows, run.data.classes))


def overlays(rows: Sequence[EvidenceRow], classes: Sequence[str]) -> list[Overlay]:
    """Return evidence maps with the same scale."""
    scale = full_strength([row.map for row in rows])
    others = dict(zip(classes, reversed(classes), strict=True)) if len(classes) == 2 else {}
    return [
        Overlay(
            row.label,
            others.get(row.label),
            overlay_png(row.map, scale, row.start, row.end),
            evidence_sentence(row.map, row.label, row.start, row.end),
            sum_sentence(row),
            caution_sentence(row),
            [[f"{share:+.2g}" for share in line] for line in row.map],
        )
        for row in rows
    ]


def evidence_section(
    run: Run,
    results: Sequence[Result],
    predictions: Sequence[PredictionRow],
    rows: Sequence[EvidenceRow],
    images: EmbeddedImages = NO_IMAGES,
) -> EvidenceSection | None:
    """Return the mean evidence of each class, and the surest predictions of the best classifier.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        In the order in which the page shows them.
    predictions : sequence of PredictionRow
    rows : sequence of EvidenceRow
        Of the run; None is returned without any.
    images : EmbeddedImages, optional
        Images of the run. By default none are shown.
    """
    having = {row.classifier for row in rows}
    means = []
    for result in results:
        own = [row for row in rows if row.classifier == result.classifier and not row.path]
        n_classes = len(own)
        if n_classes > MANY_CLASSES:  # evidence that lies in one place is what may be a shortcut
            own.sort(key=lambda row: -densest_region(row.map, row.start, row.end)[1])
            own = own[:MANY_CLASSES]
        if own:
            pairs = zip(overlays(own, run.data.classes), (row.n_images for row in own), strict=True)
            means.append(MeanEvidence(result.title, own[0].exact, list(pairs), n_classes))
    unexplained = [result.classifier for result in results if result.classifier not in having]
    explained = rows_of(rows)
    names = {classifier for _, classifier in explained}
    best = next((result for result in results if result.classifier in names), None)
    if best is None:
        return EvidenceSection(means, "", [], unexplained) if means else None
    sure: dict[str, list[SureImage]] = {name: [] for name in run.data.classes}
    for row in sorted(predictions, key=lambda row: -row.probability):
        own = explained.get((row.path, row.classifier), [])
        if own and row.classifier == best.classifier and row.true == row.predicted in sure:
            evidence = image_evidence(run, best, own)
            thumbnail = images(row.path, THUMBNAIL_SIZE)
            sure[row.true].append(SureImage(row.path, row.probability, thumbnail, evidence))
    return EvidenceSection(
        means, best.title, [pair for pair in sure.items() if pair[1]], unexplained
    )
