"""Cover the places of images one after the other, to see what the score of a class loses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.explaining.scores import class_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier

GRID = 5
"""Rows and columns of places."""


def cover(image: NDArray[np.uint8], grid: int = GRID) -> NDArray[np.uint8]:
    """Return an image with each of its places covered with its mean colour.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size, 3)
    grid : int, default=5
        Rows and columns of places.

    Returns
    -------
    ndarray of uint8, shape (grid ** 2, size, size, 3)

    Examples
    --------
    >>> image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    >>> cover(image, 2)[3, :, :, 0]
    array([[ 0,  3,  6,  9],
           [12, 15, 18, 21],
           [24, 27, 22, 22],
           [36, 39, 22, 22]], dtype=uint8)
    """
    borders = np.linspace(0, len(image), grid + 1).round().astype(int)
    colour = image.mean(axis=(0, 1)).round().astype(np.uint8)
    covered = np.repeat(image[np.newaxis], grid**2, axis=0)
    for place in range(grid**2):
        row, column = divmod(place, grid)
        rows = slice(borders[row], borders[row + 1])
        covered[place, rows, borders[column] : borders[column + 1]] = colour
    return covered


def covered_shares(
    estimator: Classifier,
    features: Callable[[NDArray[np.uint8]], NDArray[np.float32] | NDArray[np.uint8]],
    pixels: NDArray[np.uint8],
    codes: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the score of a class loses if a place is covered, and the score.

    Parameters
    ----------
    estimator : Classifier
    features : callable
        From images to what the classifier takes.
    pixels : ndarray of uint8, shape (n, size, size, 3)
    codes : ndarray of intp, shape (n,)

    Returns
    -------
    shares : ndarray of float64, shape (n, GRID, GRID)
    scores : ndarray of float64, shape (n,)
    """
    found = np.stack(
        [
            class_scores(
                estimator,
                features(np.concatenate([image[np.newaxis], cover(image)])),
                np.full(GRID**2 + 1, code),
            )
            for image, code in zip(pixels, codes, strict=True)
        ]
    )
    shares = found[:, :1] - found[:, 1:]
    return shares.reshape(-1, GRID, GRID), found[:, 0]
