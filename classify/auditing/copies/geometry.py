"""Prove that a picture is a copy of another: the same points are in the same places of both.

Local features that are alike in both pictures are proposed as the same points. An affine map
(turned, resized, cropped, squashed) must bring several of them together, and the pixels of both
pictures must then agree. Unrelated pictures fail the second where they pass the first by chance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.auditing.copies.local_features import LocalFeatures, rooted
from extract.images.resizing import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATIO = 0.85
"""A point matches if its nearest descriptor is nearer than that share of the second nearest."""
TURNED, GROWN = 30.0, 1.0
"""Matches agree if their turns differ by fewer degrees and their scales by fewer octaves."""
TOLERANCE = 6.0
"""Pixels within which an affine map must bring two points together."""
MIN_INLIERS = 6
"""Points that the map must bring together, of which three define it."""
MIN_AGREEMENT = 0.4
"""Correlation of the pixels; unrelated pictures reach 0.3, see `benchmarks/duplicates.py`."""
MIN_AGREEMENT_WITHOUT_POINTS = 0.9
MANY_INLIERS, MIN_EVIDENCE = 50, 1.3
"""With fewer inliers, their share of the points that both could show, and the correlation, must add
up to so much: drawings have the same corners in other places, or mirrored."""
FEW_POINTS = 50
"""Pictures of which one has fewer points may also be compared as a whole."""
MOST_SQUASHED, MOST_SCALED = 2.0, 10.0
"""A map that squashes or scales a picture more is not believed."""
COMPARED_SIDE = 96
"""Longer side in pixels at which pictures are compared."""
MIN_COMPARED = 200
"""Pixels, at that size, that both pictures must show."""
ALIKE, ALIKE_AROUND, STRUCTURE = 0.5, 4.0, 0.05
"""Places with structure are the same if the pixels around them correlate by at least that."""
BLUR, NEIGHBOURHOOD, NOISE = 1.0, 5.0, 3.0
"""Pixels are smoothed, and compared with the mean and deviation (at least this) around them."""
FRAMES = [
    np.array([[(1 - swap) * x, swap * x, x < 0], [swap * y, (1 - swap) * y, y < 0], [0, 0, 1]])
    for swap, x, y in itertools.product((0, 1), (1, -1), (1, -1))
]
"""The ways to lay a square on itself: turned by 90 degrees, mirrored, or both."""


@dataclass(frozen=True)
class Alignment:
    """Where a copy is in another picture.

    Parameters
    ----------
    matrix : ndarray of float64, shape (3, 3)
        Maps x, y, 1 of the copy to that of the other picture, in pixels. Its determinant is
        negative if the copy is mirrored.
    points, others : ndarray of float32, shape (n_inliers, 2)
        Points of the copy, and the same points of the other picture.
    copy_size, other_size : tuple of int
        Width and height.
    agreement : float
        Correlation of the pixels of what both show.
    alike : float
        Share of the area with structure, of what both show, that is the same.
    """

    matrix: NDArray[np.float64]
    points: NDArray[np.float32]
    others: NDArray[np.float32]
    copy_size: tuple[int, int]
    other_size: tuple[int, int]
    agreement: float
    alike: float

    def reversed(self) -> Alignment:
        """Return where the other picture is in the copy."""
        inverse = np.linalg.inv(self.matrix).astype(np.float64)
        sizes = self.other_size, self.copy_size
        return Alignment(inverse, self.others, self.points, *sizes, self.agreement, self.alike)


def prove(copy: LocalFeatures, other: LocalFeatures) -> Alignment | None:
    """Find where one picture is in another.

    Parameters
    ----------
    copy, other : LocalFeatures

    Returns
    -------
    Alignment or None
        None if nothing proves that one is a copy of the other. There are no points if the pictures
        have too few of them, as drawings, and were compared as a whole: mirrored and turned by 90
        degrees at most, with nothing cut off.
    """
    proven = _by_points(copy, copy, other, np.eye(3))
    if proven is None:
        mirror = np.array([[-1, 0, copy.grey.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
        proven = _by_points(copy, copy.mirrored(), other, mirror)
    if proven is None and min(len(copy), len(other)) < FEW_POINTS:
        proven = _as_a_whole(copy, other)
    return proven


def _by_points(
    copy: LocalFeatures, shown: LocalFeatures, other: LocalFeatures, to_shown: NDArray[np.float64]
) -> Alignment | None:
    """Align a copy, as shown (mirrored or not), by the points that match."""
    rows = _matches(shown, other)
    if len(rows) < MIN_INLIERS:
        return None
    cv2 = opencv()
    # OpenCV draws samples with a generator that it seeds itself, so this is repeatable.
    affine, inside = cv2.estimateAffine2D(
        shown.points[rows[:, 0]],
        other.points[rows[:, 1]],
        method=cv2.RANSAC,
        ransacReprojThreshold=TOLERANCE,
    )
    if affine is None or np.linalg.det(affine[:, :2]) <= 0:
        return None
    if np.count_nonzero(inside) < MIN_INLIERS:
        return None
    rows = rows[inside.ravel().astype(bool)]
    matrix = np.vstack([affine, [0, 0, 1]]) @ to_shown
    return _proven(copy, other, matrix, rows, MIN_AGREEMENT)


def _as_a_whole(copy: LocalFeatures, other: LocalFeatures) -> Alignment | None:
    """Lay a copy on the other picture in each of the `FRAMES`."""
    none = np.empty((0, 2), np.int64)
    scale_up, scale_down = (np.diag([*size, 1.0]) for size in (_size(other), _size(copy)))
    found = [
        _proven(
            copy,
            other,
            scale_up @ frame @ np.linalg.inv(scale_down),
            none,
            MIN_AGREEMENT_WITHOUT_POINTS,
        )
        for frame in FRAMES
    ]
    return max((one for one in found if one), key=lambda one: one.agreement, default=None)


def _proven(
    copy: LocalFeatures,
    other: LocalFeatures,
    matrix: NDArray[np.float64],
    rows: NDArray[np.int64],
    min_agreement: float,
) -> Alignment | None:
    if not _is_sensible(matrix):
        return None
    agreement, alike = _agreement(copy.grey, other.grey, matrix)
    if agreement < min_agreement or not _is_enough(copy, other, matrix, len(rows), agreement):
        return None
    points, others, sizes = copy.points, other.points[rows[:, 1]], (_size(copy), _size(other))
    return Alignment(matrix, points[rows[:, 0]], others, *sizes, agreement, alike)


def _is_enough(
    copy: LocalFeatures,
    other: LocalFeatures,
    matrix: NDArray[np.float64],
    n_inliers: int,
    agreement: float,
) -> bool:
    """Tell whether points are many, or most of those that both pictures could show."""
    if n_inliers == 0 or n_inliers >= MANY_INLIERS:
        return True
    shown = min(
        _n_inside(copy.points, matrix, _size(other)),
        _n_inside(other.points, np.linalg.inv(matrix), _size(copy)),
    )
    return agreement + n_inliers / max(shown, n_inliers) >= MIN_EVIDENCE


def _n_inside(points: NDArray[Any], matrix: NDArray[Any], size: tuple[int, int]) -> int:
    """Count the points of a picture that are inside another one."""
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    return int(((moved >= 0) & (moved < size)).all(axis=1).sum())


def _matches(copy: LocalFeatures, other: LocalFeatures) -> NDArray[np.int64]:
    """Return the features that match and agree on turn and scale; shape (n, 2)."""
    if len(copy) < MIN_INLIERS or len(other) < MIN_INLIERS:
        return np.empty((0, 2), np.int64)
    cosines = rooted(copy.descriptors) @ rooted(other.descriptors).T
    each = np.arange(len(copy))
    best = cosines.argmax(axis=1)
    first = cosines[each, best]
    cosines[each, best] = -1
    clear = np.flatnonzero(1 - first < RATIO**2 * (1 - cosines.max(axis=1)))
    # A feature of the other picture matches one feature at most, the most similar one.
    clear = clear[np.argsort(-first[clear], kind="stable")]
    _, unique = np.unique(best[clear], return_index=True)
    clear = np.sort(clear[unique])
    if not len(clear):
        return np.empty((0, 2), np.int64)
    rows = np.stack([clear, best[clear]], axis=1)
    turns = other.angles[rows[:, 1]] - copy.angles[rows[:, 0]]
    growths = np.log2(other.sizes[rows[:, 1]] / copy.sizes[rows[:, 0]])
    apart = np.abs((turns[:, None] - turns + 180) % 360 - 180)
    agree = (apart < TURNED) & (np.abs(growths[:, None] - growths) < GROWN)
    agreeing: NDArray[np.int64] = rows[agree[agree.sum(axis=1).argmax()]]
    return agreeing


def _is_sensible(matrix: NDArray[np.float64]) -> bool:
    large, small = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return bool(small > 1 / MOST_SCALED and large < min(MOST_SCALED, MOST_SQUASHED * small))


def _agreement(
    copy: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the correlation of the pixels of what both show, 0 if it is too little.

    Also return the share of the area with structure that is the same.
    """
    cv2 = opencv()
    copy, to_small = _shrunk(copy, COMPARED_SIDE / max(copy.shape))
    matrix = matrix @ np.linalg.inv(to_small)
    # The other picture is reduced to the same scale, with a filter, before it is sampled.
    other, to_small = _shrunk(other, 1 / np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    matrix = (to_small @ matrix)[:2]
    size, inverse = copy.shape[::-1], cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        other, matrix, size, flags=cv2.INTER_LINEAR | inverse, borderMode=cv2.BORDER_REPLICATE
    )
    shown = cv2.warpAffine(
        np.ones_like(other), matrix, size, flags=cv2.INTER_NEAREST | inverse
    ).astype(bool)
    if np.count_nonzero(shown) < MIN_COMPARED:
        return 0.0, 0.0
    of_copy, of_other = _normalised(copy), _normalised(moved)
    first, second = (image[shown] - image[shown].mean() for image in (of_copy, of_other))
    norm = np.sqrt((first @ first) * (second @ second))
    agreement = float(first @ second / norm) if norm > 0 else 0.0
    return agreement, _alike(of_copy, of_other, shown)


def _alike(
    first: NDArray[np.float32], second: NDArray[np.float32], shown: NDArray[np.bool_]
) -> float:
    """Return the share of the area with structure in which pixels correlate with those around."""
    both, ones, others = (
        opencv().GaussianBlur(one * other * shown, (0, 0), ALIKE_AROUND)
        for one, other in ((first, second), (first, first), (second, second))
    )
    structured = shown & (np.maximum(ones, others) > STRUCTURE)
    alike = both[structured] > ALIKE * np.sqrt(ones * others)[structured]
    return float(alike.mean()) if len(alike) else 1.0


def _shrunk(
    image: NDArray[np.uint8], share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the image with sides of that share, if it is below 1, and the map to its pixels."""
    height, width = image.shape
    sides = [max(1, round(side * min(1.0, share))) for side in (width, height)]
    x, y = sides[0] / width, sides[1] / height
    moved = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return opencv().resize(image, sides, interpolation=opencv().INTER_AREA), moved


def _normalised(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much each pixel differs from those around it, in their deviations."""
    cv2 = opencv()
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR)
    differences = smooth - cv2.GaussianBlur(smooth, (0, 0), NEIGHBOURHOOD)
    variances = cv2.GaussianBlur(differences**2, (0, 0), NEIGHBOURHOOD)
    normalised: NDArray[np.float32] = differences / (np.sqrt(variances) + NOISE)
    return normalised


def _size(features: LocalFeatures) -> tuple[int, int]:
    height, width = features.grey.shape
    return width, height
