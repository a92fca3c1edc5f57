"""How a copy was made of another picture, in words and as a drawing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from extract.images.resizing import opencv
from reports.records import Drawing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.auditing.copies.geometry import Alignment

LINES = 8
"""Number of matching points that are drawn."""
TURNED = 3.0
"""Degrees from which on a picture is called turned."""
WHOLE = 0.95
"""Share of a picture that counts as all of it."""
SQUASHED = 0.93
"""Ratio of the scales of both directions below which a picture is called squashed."""
SAME = 0.9
"""Share of the area with structure above which a picture is called the same."""
_DIGITS = 3


def describe(alignment: Alignment) -> str:
    """Say how the copy was made of the other picture.

    Parameters
    ----------
    alignment : Alignment

    Returns
    -------
    str
        Such as "mirrored, turned by 90°, cropped to 60%". Shares are of the area. "31% added" is
        what the other picture does not show, as a border. "The same in 60% of the area" may be
        writing, or another object in front of the same background.
    """
    linear = alignment.matrix[:2, :2]
    words = []
    if np.linalg.det(linear) < 0:
        linear = linear * [-1, 1]
        words.append("mirrored")
    left, scales, right = np.linalg.svd(linear)
    turn = left @ right
    angle = abs(math.degrees(math.atan2(turn[1, 0], turn[0, 0])))
    if angle >= TURNED:
        words.append(f"turned by {angle:.0f}°")
    if scales[1] < SQUASHED * scales[0]:
        words.append(f"squashed to {scales[1] / scales[0]:.0%}")
    of_copy, of_other = _shares(alignment)
    if of_other < WHOLE:
        words.append(f"cropped to {of_other:.0%}")
    if of_copy < WHOLE:
        words.append(f"{1 - of_copy:.0%} added")
    if words:
        return ", ".join(words)
    same = "" if alignment.alike >= SAME else f", the same in {alignment.alike:.0%} of the area"
    return f"edited or saved again{same}"


def draw(alignment: Alignment) -> Drawing:
    """Return what both pictures show, and some of the points that match."""
    sizes = np.array([alignment.copy_size, alignment.other_size], dtype=np.float64)
    in_other = _common(alignment)
    in_copy = _moved(in_other, np.linalg.inv(alignment.matrix).astype(np.float64))
    order = np.argsort(alignment.points[:, 1], kind="stable")
    drawn = order[np.linspace(0, len(order) - 1, min(LINES, len(order))).round().astype(int)]
    lines = np.hstack([alignment.points[drawn] / sizes[0], alignment.others[drawn] / sizes[1]])
    return Drawing(
        aspects=_rounded(sizes[:, 0] / sizes[:, 1]),
        outlines=[_rounded(in_copy / sizes[0]), _rounded(in_other / sizes[1])],
        lines=[_rounded(line) for line in lines],
    )


def _shares(alignment: Alignment) -> tuple[float, float]:
    """Return which share of the copy, and of the other picture, both show."""
    common = _area(_common(alignment))
    copy, other = (np.prod(size) for size in (alignment.copy_size, alignment.other_size))
    return common / (copy * abs(np.linalg.det(alignment.matrix))), common / other


def _common(alignment: Alignment) -> NDArray[np.float64]:
    """Return the corners of what both show, in the other picture; shape (n, 2)."""
    copy, other = (_corners(*size) for size in (alignment.copy_size, alignment.other_size))
    moved = _moved(copy, alignment.matrix)
    _, corners = opencv().intersectConvexConvex(moved.astype(np.float32), other.astype(np.float32))
    return np.zeros((0, 2)) if corners is None else corners.reshape(-1, 2).astype(np.float64)


def _corners(width: int, height: int) -> NDArray[np.float64]:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)


def _moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def _area(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values.ravel()]
