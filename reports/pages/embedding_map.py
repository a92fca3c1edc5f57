"""The map of a run's embeddings as the page draws it: a dot for each picture, by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.charts.svg import N_COLOURS
from reports.wording.text import count, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.pages.gallery import GalleryPicture
    from reports.record import PredictionRow, Result, Run

WIDTH, MARGIN = 1000, 14
SHAPES = (
    "M0-7a7 7 0 1 0 .01 0z",  # disc
    "M-6-6h12v12h-12z",  # square
    "M0-8L7.5 6h-15z",  # triangle
    "M0-8.5L8.5 0 0 8.5-8.5 0z",  # diamond
)
"""SVG paths about the origin; with `N_COLOURS` colours, 32 classes have marks of their own."""


@dataclass(frozen=True)
class Mark:
    """How a class is drawn: its colour is `--series-COLOUR`, its shape `SHAPES[shape]`."""

    label: str
    colour: int
    shape: int
    n_pictures: int


@dataclass(frozen=True)
class Dot:
    """A picture's place on the drawing, and what is told of it.

    `picture` is its place among the gallery's pictures, mistaken ones first; -1 where it is none.
    """

    x: int
    y: int
    mark: Mark
    wrong: bool
    told: tuple[int, str, int, str]
    """Picture, file name, class and split, as the page's script reads them."""


@dataclass(frozen=True)
class MapView:
    """The map, ready to be drawn; the dots of pictures that the best classifier mistakes last."""

    dots: list[Dot]
    legend: list[Mark]
    top: float
    """Of the places on the map, which lie within the unit square, the least y."""
    height: int
    description: str
    width: int = WIDTH
    margin: int = MARGIN

    def to_json(self) -> list[tuple[int, str, int, str]]:
        """Return what the page's script needs of every dot, in their order."""
        return [dot.told for dot in self.dots]


def embedding_map(
    run: Run,
    results: Sequence[Result] = (),
    predictions: Sequence[PredictionRow] = (),
    pictures: Sequence[GalleryPicture] = (),
) -> MapView | None:
    """Return the map of a run; None if it has none.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        The best first: its mistakes are marked.
    predictions : sequence of PredictionRow
    pictures : sequence of GalleryPicture
        Those of the page, in its order.
    """
    found = run.embedding_map
    if found is None or not found.points:
        return None
    best = results[0].classifier if results else None
    mistaken = {
        row.path for row in predictions if row.classifier == best and row.true != row.predicted
    }
    places = {picture.path: i for i, picture in enumerate(pictures)}
    codes = {name: code for code, name in enumerate(run.data.classes)}
    marks = {
        name: Mark(
            name,
            code % N_COLOURS,
            (code + code // N_COLOURS) % len(SHAPES),
            sum(point.label == name for point in found.points),
        )
        for name, code in codes.items()
    }
    top = min(point.y for point in found.points)
    span = max(point.y for point in found.points) - top
    scale = WIDTH - 2 * MARGIN
    dots = [
        Dot(
            x=round(MARGIN + scale * point.x),
            y=round(MARGIN + scale * (point.y - top)),
            mark=marks[point.label],
            wrong=point.path in mistaken,
            told=(
                places.get(point.path, -1),
                shown(point.path.replace("\\", "/").rpartition("/")[2]),
                codes[point.label],
                point.split,
            ),
        )
        for point in found.points
    ]
    dots.sort(key=lambda dot: dot.wrong)
    return MapView(
        dots,
        list(marks.values()),
        top,
        round(2 * MARGIN + scale * span),
        _described(found.method, len(dots), found.n_pictures, sum(dot.wrong for dot in dots)),
    )


def _described(method: str, n_dots: int, n_pictures: int, n_wrong: int) -> str:
    of_all = "" if n_dots == n_pictures else f" of {count(n_pictures)}"
    wrong = f"; {count(n_wrong)} that the best classifier mistakes are ringed" if n_wrong else ""
    return f"{count(n_dots)}{of_all} pictures by {method}{wrong}"
