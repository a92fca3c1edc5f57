"""What a frozen base returns at each place of images, and the features that this becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.explaining.places import extent
from extract.backbones.described import first_patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.explaining.places import Network
    from extract.recipe import Recipe

POOLINGS = ("none", "avg", "max")
"""Those to which every place contributes; the class token alone has no place."""


@dataclass(frozen=True)
class Side:
    """The outputs for images, or for their mirror images.

    Parameters
    ----------
    tokens : ndarray of float32, shape (n, n_before, channels)
        What comes before the places, such as class tokens; mostly ``n_before`` is 0.
    places : ndarray of float32, shape (n, height, width, channels)
    flipped : bool
        Whether the images were mirrored, so that the first column is on the right.
    """

    tokens: NDArray[np.float32]
    places: NDArray[np.float32]
    flipped: bool

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], flipped: bool) -> Side:
        """Return the outputs of a network without pooling.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n, height, width, channels) or (n, tokens, channels)
        flipped : bool
        """
        if embeddings.ndim == 4:
            return cls(embeddings[:, :0, 0], embeddings, flipped)
        n_before = first_patch(embeddings.shape[1])
        side = math.isqrt(embeddings.shape[1] - n_before)
        patches = embeddings[:, n_before:]
        places = patches.reshape(len(patches), side, side, patches.shape[2])
        return cls(embeddings[:, :n_before], places, flipped)

    def features(self, pooling: str, without: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return the embeddings, flat; those in which the outputs of one place are zero.

        Parameters
        ----------
        pooling : {"none", "avg", "max"}
        without : (int, int), optional
            Row and column of the place, as a person sees the image.
        """
        places = self.places
        if without is not None:
            row, column = without
            places = places.copy()
            places[:, row, -1 - column if self.flipped else column] = 0
        if pooling == "none":
            return np.hstack([rows.reshape(len(rows), -1) for rows in (self.tokens, places)])
        pool = np.mean if pooling == "avg" else np.max
        pooled: NDArray[np.float32] = pool(places, axis=(1, 2))
        return pooled


@dataclass(frozen=True)
class Outputs:
    """The outputs of a base for some images, each at its place.

    Parameters
    ----------
    sides : sequence of Side
        Of the images, and of their mirror images if the embedding is the mean of both.
    recipe : Recipe
        Of the base with its pooling, one of `POOLINGS`.
    """

    sides: Sequence[Side]
    recipe: Recipe

    @property
    def pooling(self) -> str:
        """How the base pools places: "none", "avg" or "max"."""
        return self.recipe.pooling

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places."""
        height, width = self.sides[0].places.shape[1:3]
        return height, width

    @property
    def extent(self) -> tuple[float, float]:
        """See `classify.explaining.places.extent`."""
        return extent(self.recipe.backbone, self.recipe.size, self.grid[0])

    def features(self, without: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return what the classifier takes, `(n, n_features)`; see `Side.features`."""
        if len(self.sides) == 1:
            return self.sides[0].features(self.pooling, without)
        both = [side.features(self.pooling, without) for side in self.sides]
        mean: NDArray[np.float32] = np.mean(both, axis=0, dtype=np.float32)
        return mean


def stored_outputs(embeddings: NDArray[np.float32], recipe: Recipe) -> Outputs | None:
    """Return what the cache holds of images as outputs; None if it does not hold every place.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, ...)
    recipe : Recipe
        Of the embeddings.
    """
    if recipe.pooling != "none" or recipe.flip or embeddings.ndim not in (3, 4):
        return None
    return Outputs([Side.of(embeddings, recipe.mirrored)], recipe)


def computed_outputs(network: Network, pixels: NDArray[np.uint8], recipe: Recipe) -> Outputs:
    """Return the outputs of a network for images.

    Parameters
    ----------
    network : callable
        From `classify.explaining.places.unpooled_network`.
    pixels : ndarray of uint8, shape (n, size, size, 3)
    recipe : Recipe
        Of the base with its pooling.
    """
    sides = []
    for flipped in [False, True] if recipe.flip else [recipe.mirrored]:
        images = pixels[:, :, ::-1] if flipped else pixels
        sides.append(Side.of(network(np.ascontiguousarray(images)), flipped))
    return Outputs(sides, recipe)
