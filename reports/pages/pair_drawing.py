"""Two images side by side, with lines between what matches, as the parts of an SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Drawing

SIDE, GAP = 128, 10
"""Longest side of an image and the space between both, in the units of the SVG."""
LONGEST = 8.0
"""An image that is longer than that times its width is not drawn on."""
_DIGITS = 1


@dataclass(frozen=True)
class Box:
    """Where an image is drawn."""

    x: float
    y: float
    width: float
    height: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point is, given as shares of width and height."""
        return round(self.x + x * self.width, _DIGITS), round(self.y + y * self.height, _DIGITS)


@dataclass(frozen=True)
class PairDrawing:
    """What a template draws; all numbers are units of the SVG.

    Parameters
    ----------
    width, height : float
        Of the whole drawing.
    boxes : list of Box
        The first and the second image.
    outlines : list of str
        What both show, in each image: the attribute `points` of a polygon.
    lines : list of tuple of float
        Points that match: x and y of both ends.
    """

    width: float
    height: float
    boxes: list[Box]
    outlines: list[str]
    lines: list[tuple[float, float, float, float]]


def pair_drawing(drawing: Drawing | None) -> PairDrawing | None:
    """Return how to draw what two images have in common.

    Parameters
    ----------
    drawing : Drawing or None
        From a record, which may come from anybody.

    Returns
    -------
    PairDrawing or None
        None without a drawing, or if it is none of two images of usual proportions.

    Examples
    --------
    >>> from reports.records import Drawing
    >>> whole = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> drawn = pair_drawing(Drawing([2.0, 1.0], [whole, whole], [[0.5, 0.5, 0.5, 0.5]]))
    >>> drawn.width, drawn.height, drawn.lines
    (266.0, 128.0, [(64.0, 64.0, 202.0, 64.0)])
    """
    if drawing is None or not _is_drawable(drawing):
        return None
    widths = [round(SIDE * min(1.0, aspect), _DIGITS) for aspect in drawing.aspects]
    heights = [round(SIDE * min(1.0, 1 / aspect), _DIGITS) for aspect in drawing.aspects]
    left, height = (0.0, widths[0] + GAP), max(heights)
    boxes = [
        Box(left[i], round((height - heights[i]) / 2, _DIGITS), widths[i], heights[i])
        for i in (0, 1)
    ]
    return PairDrawing(
        left[1] + widths[1],
        height,
        boxes,
        [_polygon(box, outline) for box, outline in zip(boxes, drawing.outlines, strict=True)],
        [(*boxes[0].place(*line[:2]), *boxes[1].place(*line[2:])) for line in drawing.lines],
    )


def _is_drawable(drawing: Drawing) -> bool:
    numbers = [x for row in (*drawing.outlines, *drawing.lines) for x in row]
    return (
        len(drawing.aspects) == len(drawing.outlines) == 2
        and all(1 / LONGEST <= aspect <= LONGEST for aspect in drawing.aspects)
        and all(len(outline) % 2 == 0 for outline in drawing.outlines)
        and all(len(line) == 4 for line in drawing.lines)
        and all(math.isfinite(x) and -1 <= x <= 2 for x in numbers)
    )


def _polygon(box: Box, outline: Sequence[float]) -> str:
    corners = zip(outline[::2], outline[1::2], strict=True)
    return " ".join(f"{x:g},{y:g}" for x, y in (box.place(*corner) for corner in corners))
