"""The test images of a run as the report shows them: small, once each, with all predictions."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.pages.evidence.section import image_evidence, rows_of
from reports.pages.thumbnails import NO_IMAGES
from reports.records import MANY_CLASSES
from reports.wording.text import percent
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.pages.evidence.section import ImageEvidence
    from reports.pages.thumbnails import EmbeddedImages
    from reports.records import EvidenceRow, PredictionRow, Result, Run

_AT_ONCE = 8
IMAGES_SHOWN, SHOWN_OF_MANY_CLASSES = 1_000, 800
"""Number of images on the page, misclassified ones first, so that the page stays small."""
LARGE, LARGE_OF_MANY_CLASSES = 400, 100
"""How many thumbnails have the larger size."""
LARGE_SIZE, SMALL_SIZE = 128, 96
"""Both sizes in pixels."""


@dataclass(frozen=True)
class ImagePrediction:
    """The prediction of one classifier, given by its rank among the results and its name."""

    classifier: int
    name: str
    predicted: str
    probability: float
    wrong: bool


@dataclass(frozen=True)
class GalleryImage:
    """A test image with its predictions; `image` is its thumbnail in Base64."""

    path: str
    true: str
    predictions: list[ImagePrediction]
    image: str | None
    evidence: ImageEvidence | None = None
    """Of the most confident mistake, as far as it is known."""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    @property
    def mistakes(self) -> list[ImagePrediction]:
        """The wrong predictions, the most confident first."""
        return sorted((p for p in self.predictions if p.wrong), key=lambda p: -p.probability)


@dataclass(frozen=True)
class Gallery:
    """The first `IMAGES_SHOWN` images with predictions, misclassified ones before the others.

    The others begin with those on the run's map. The numbers count all images, shown or not.
    """

    misclassified: list[GalleryImage]
    others: list[GalleryImage]
    n_images: int
    n_misclassified: int
    n_by_all: int
    """Number of images that every classifier misclassifies."""

    @property
    def images(self) -> list[GalleryImage]:
        """All images that are shown, misclassified ones first."""
        return [*self.misclassified, *self.others]

    def to_json(self, classes: Sequence[str], classifiers: Sequence[str]) -> dict[str, Any]:
        """Return what the page's script needs; classes and classifiers are given by position."""
        codes = {name: code for code, name in enumerate(classes)}

        def described(image: GalleryImage) -> dict[str, Any]:
            return {
                "name": printable(image.name),
                "true": codes.get(image.true, -1),
                "predictions": [
                    [p.classifier, codes.get(p.predicted, -1), percent(p.probability)]
                    for p in image.predictions
                ],
            }

        return {
            "classes": [printable(name) for name in classes],
            "classifiers": [printable(name) for name in classifiers],
            "misclassified": [described(image) for image in self.misclassified],
            "others": [{**described(image), "image": image.image} for image in self.others],
        }


def gallery(
    run: Run,
    results: Sequence[Result],
    predictions: Sequence[PredictionRow],
    images: EmbeddedImages = NO_IMAGES,
    evidence: Sequence[EvidenceRow] = (),
) -> Gallery:
    """Return the test images of a run, sorted by the confidence of the worst mistake.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        In the order in which the page shows them.
    predictions : sequence of PredictionRow
        Predictions of classifiers that are not among `results` are ignored.
    images : EmbeddedImages, optional
        Images of the run. By default none are shown.
    evidence : sequence of EvidenceRow, optional
        Of the run.
    """
    by_name, explained = {result.classifier: result for result in results}, rows_of(evidence)
    ranks = {result.classifier: i for i, result in enumerate(results)}
    by_path: dict[str, list[ImagePrediction]] = {}
    truths: dict[str, str] = {}
    for row in predictions:
        if row.classifier in ranks:
            rank, wrong = ranks[row.classifier], row.true != row.predicted
            prediction = ImagePrediction(
                rank, row.classifier, row.predicted, row.probability, wrong
            )
            by_path.setdefault(row.path, []).append(prediction)
            truths[row.path] = row.true
    worst = {
        path: max(p.probability for p in own if p.wrong)
        for path, own in by_path.items()
        if any(p.wrong for p in own)
    }
    misclassified = sorted(worst, key=lambda path: (-worst[path], path))
    on_map = {point.path for point in run.embedding_map.points} if run.embedding_map else set()
    others = sorted(by_path.keys() - worst.keys(), key=lambda path: (path not in on_map, path))

    def image(path: str, size: int) -> GalleryImage:
        own = sorted(by_path[path], key=lambda p: p.classifier)
        shown = GalleryImage(path, truths[path], own, images(path, size))
        for mistake in shown.mistakes:
            if rows := explained.get((path, mistake.name)):
                found = image_evidence(run, by_name[mistake.name], rows)
                return replace(shown, evidence=found)
        return shown

    many = len(run.data.classes) > MANY_CLASSES
    n_shown = SHOWN_OF_MANY_CLASSES if many else IMAGES_SHOWN
    n_large = LARGE_OF_MANY_CLASSES if many else LARGE
    sizes = itertools.chain(itertools.repeat(LARGE_SIZE, n_large), itertools.repeat(SMALL_SIZE))
    n_others = max(0, n_shown - len(misclassified))
    # Several at once, because images may be fetched from a server.
    with ThreadPoolExecutor(_AT_ONCE, "thumbnail") as pool:
        first = list(pool.map(image, misclassified[:n_shown], sizes))
        rest = list(pool.map(image, others[:n_others], itertools.repeat(SMALL_SIZE)))
    return Gallery(
        first,
        rest,
        n_images=len(by_path),
        n_misclassified=len(misclassified),
        n_by_all=sum(all(p.wrong for p in by_path[path]) for path in misclassified),
    )
