"""The pictures of a test split as the page shows them: small, each once, with every answer."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.pages.thumbnails import NO_IMAGES
from reports.wording.text import percent, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.pages.thumbnails import EmbeddedImages
    from reports.record import PredictionRow, Result, Run

_AT_ONCE = 8
PICTURES_SHOWN = 1_000
"""At most so many, mistaken ones first, so that the page stays small."""
LARGE, LARGE_SIZE, SMALL_SIZE = 400, 128, 96
"""So many are of the larger size; both in pixels."""


@dataclass(frozen=True)
class Verdict:
    """What one classifier, of a place among the results and a name, says of a picture."""

    classifier: int
    name: str
    predicted: str
    probability: float
    wrong: bool


@dataclass(frozen=True)
class GalleryPicture:
    """A test picture with what every classifier says of it; `image` is its thumbnail in Base64."""

    path: str
    true: str
    verdicts: list[Verdict]
    image: str | None

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    @property
    def mistakes(self) -> list[Verdict]:
        """The verdicts that are wrong, the most confident first."""
        return sorted((v for v in self.verdicts if v.wrong), key=lambda v: -v.probability)


@dataclass(frozen=True)
class Gallery:
    """The first `PICTURES_SHOWN` pictures that have predictions, mistaken ones before the others.

    Of the others, those on the run's map come first. The numbers are of all pictures, shown or not.
    """

    mistaken: list[GalleryPicture]
    others: list[GalleryPicture]
    n_pictures: int
    n_mistaken: int
    n_by_all: int
    """Pictures that every classifier is wrong about."""

    @property
    def pictures(self) -> list[GalleryPicture]:
        """All that are shown, mistaken ones first."""
        return [*self.mistaken, *self.others]

    def to_json(self, classes: Sequence[str], classifiers: Sequence[str]) -> dict[str, Any]:
        """Return what the page's script needs; classes and classifiers by their positions."""
        codes = {name: code for code, name in enumerate(classes)}

        def told(picture: GalleryPicture) -> dict[str, Any]:
            return {
                "name": shown(picture.name),
                "true": codes.get(picture.true, -1),
                "verdicts": [
                    [v.classifier, codes.get(v.predicted, -1), percent(v.probability)]
                    for v in picture.verdicts
                ],
            }

        return {
            "classes": [shown(name) for name in classes],
            "classifiers": [shown(name) for name in classifiers],
            "mistaken": [told(picture) for picture in self.mistaken],
            "others": [{**told(picture), "image": picture.image} for picture in self.others],
        }


def gallery(
    run: Run,
    results: Sequence[Result],
    predictions: Sequence[PredictionRow],
    images: EmbeddedImages = NO_IMAGES,
) -> Gallery:
    """Return the pictures of a run, mistaken ones sorted by the confidence of the worst mistake.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        In the order in which the page shows them.
    predictions : sequence of PredictionRow
        Those of other classifiers are left out.
    images : EmbeddedImages, optional
        Of the run. By default no image is shown.
    """
    places = {result.classifier: i for i, result in enumerate(results)}
    verdicts: dict[str, list[Verdict]] = {}
    truths: dict[str, str] = {}
    for row in predictions:
        if row.classifier in places:
            place = places[row.classifier]
            wrong = row.true != row.predicted
            verdict = Verdict(place, row.classifier, row.predicted, row.probability, wrong)
            verdicts.setdefault(row.path, []).append(verdict)
            truths[row.path] = row.true
    worst = {
        path: max(v.probability for v in found if v.wrong)
        for path, found in verdicts.items()
        if any(v.wrong for v in found)
    }
    mistaken = sorted(worst, key=lambda path: (-worst[path], path))
    on_map = {point.path for point in run.embedding_map.points} if run.embedding_map else set()
    others = sorted(verdicts.keys() - worst.keys(), key=lambda path: (path not in on_map, path))

    def picture(path: str, size: int) -> GalleryPicture:
        found = sorted(verdicts[path], key=lambda v: v.classifier)
        return GalleryPicture(path, truths[path], found, images(path, size))

    sizes = itertools.chain(itertools.repeat(LARGE_SIZE, LARGE), itertools.repeat(SMALL_SIZE))
    left = max(0, PICTURES_SHOWN - len(mistaken))
    # Several at once, for those that are fetched.
    with ThreadPoolExecutor(_AT_ONCE, "thumbnail") as pool:
        shown = list(pool.map(picture, mistaken[:PICTURES_SHOWN], sizes))
        right = list(pool.map(picture, others[:left], itertools.repeat(SMALL_SIZE)))
    return Gallery(
        shown,
        right,
        n_pictures=len(verdicts),
        n_mistaken=len(mistaken),
        n_by_all=sum(all(v.wrong for v in verdicts[path]) for path in mistaken),
    )
