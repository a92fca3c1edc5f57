"""The map of a run's embeddings as the page draws it: a dot for each image, by class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.charts.svg import N_COLOURS
from reports.records import MANY_CLASSES
from reports.wording.text import count
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.pages.gallery import GalleryImage
    from reports.records import PredictionRow, Result, Run

WIDTH, MARGIN = 1000, 14
SHAPES = (
    "M0-7a7 7 0 1 0 .01 0z",  # disc
    "M-6-6h12v12h-12z",  # square
    "M0-8L7.5 6h-15z",  # triangle
    "M0-8.5L8.5 0 0 8.5-8.5 0z",  # diamond
)
"""SVG paths around the origin; with `N_COLOURS` colours they make 32 different markers."""


@dataclass(frozen=True)
class Marker:
    """How a class is drawn: its colour is `--series-COLOUR`, its shape `SHAPES[shape]`."""

    label: str
    colour: int
    shape: int
    n_images: int


@dataclass(frozen=True)
class Dot:
    """The position of an image on the drawing, and its tooltip."""

    x: int
    y: int
    marker: Marker
    wrong: bool
    tooltip: tuple[int, str, int, str]
    """Position in the gallery (-1 if it is not there), file name, class and split."""


@dataclass(frozen=True)
class MapView:
    """The map, ready to be drawn; the images that the best classifier misclassifies come last."""

    dots: list[Dot]
    legend: list[Marker]
    """Empty with more than `MANY_CLASSES` classes, which have too few different markers."""
    top: float
    """Smallest y of the points, which are within the unit square."""
    height: int
    description: str
    width: int = WIDTH
    margin: int = MARGIN

    def to_json(self) -> list[tuple[int, str, int, str]]:
        """Return the tooltips of all dots, in their order."""
        return [dot.tooltip for dot in self.dots]


def embedding_map(
    run: Run,
    results: Sequence[Result] = (),
    predictions: Sequence[PredictionRow] = (),
    images: Sequence[GalleryImage] = (),
) -> MapView | None:
    """Return the map of a run, or None if it has no map.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        Ranked; the mistakes of the first are marked.
    predictions : sequence of PredictionRow
    images : sequence of GalleryImage
        In the order of the page.
    """
    stored = run.embedding_map
    if stored is None or not stored.points:
        return None
    best = results[0].classifier if results else None
    misclassified = {
        row.path for row in predictions if row.classifier == best and row.true != row.predicted
    }
    positions = {image.path: i for i, image in enumerate(images)}
    codes = {name: code for code, name in enumerate(run.data.classes)}
    numbers = Counter(point.label for point in stored.points)
    markers = {
        name: Marker(
            name,
            code % N_COLOURS,
            (code + code // N_COLOURS) % len(SHAPES),
            numbers[name],
        )
        for name, code in codes.items()
    }
    top = min(point.y for point in stored.points)
    span = max(point.y for point in stored.points) - top
    scale = WIDTH - 2 * MARGIN
    dots = [
        Dot(
            x=round(MARGIN + scale * point.x),
            y=round(MARGIN + scale * (point.y - top)),
            marker=markers[point.label],
            wrong=point.path in misclassified,
            tooltip=(
                positions.get(point.path, -1),
                printable(point.path.replace("\\", "/").rpartition("/")[2]),
                codes[point.label],
                point.split,
            ),
        )
        for point in stored.points
    ]
    dots.sort(key=lambda dot: dot.wrong)
    return MapView(
        dots,
        list(markers.values()) if len(markers) <= MANY_CLASSES else [],
        top,
        round(2 * MARGIN + scale * span),
        _described(stored.method, len(dots), stored.n_pictures, sum(dot.wrong for dot in dots)),
    )


def _described(method: str, n_dots: int, n_images: int, n_wrong: int) -> str:
    of_all = "" if n_dots == n_images else f" of {count(n_images)}"
    wrong = (
        f"; {count(n_wrong)} misclassified by the best classifier (with a ring)" if n_wrong else ""
    )
    return f"{count(n_dots)}{of_all} images, {method}{wrong}"
