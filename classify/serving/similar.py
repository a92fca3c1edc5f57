"""The training images that are most similar to a new one, and its position on the run's map."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError
from classify.estimators.solvers.neighbours import nearest, unit_rows
from extract.stored import pool_embeddings, read_pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase
    from reports.records import EmbeddingMap, PictureRecord

MAX_TRAINING = 20_000
"""Training images to search; of more, this many are drawn. Pooled VGG16 embeddings take 40 MB."""
MAP_NEIGHBOURS = 5
"""Images on the map whose positions are averaged."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbour:
    """A training image and its cosine similarity to the new image, at most 1."""

    picture: PictureRecord
    similarity: float


class SimilarImages:
    """Search a run's images by the cosine of their embeddings, averaged over height and width.

    Parameters
    ----------
    base : FrozenBase
        Its cache holds the embeddings. Images whose embedding is missing are left out, with a
        warning.
    pictures : sequence of PictureRecord
        The images of the run.
    embedding_map : EmbeddingMap, optional
        The map of the run.
    seed : int, default=0
        Draws the training images if there are more than `MAX_TRAINING`.
    """

    def __init__(
        self,
        base: FrozenBase,
        pictures: Sequence[PictureRecord],
        embedding_map: EmbeddingMap | None = None,
        seed: int = 0,
    ) -> None:
        training = [picture for picture in pictures if picture.split == "train"]
        if len(training) > MAX_TRAINING:
            drawn = np.random.default_rng(seed).choice(len(training), MAX_TRAINING, replace=False)
            training = [training[i] for i in sorted(drawn)]
        self.training, self._rows = _with_embeddings(base, training)
        positions = {
            point.path: (point.x, point.y)
            for point in (embedding_map.points if embedding_map else [])
        }
        on_map, self._map_rows = _with_embeddings(
            base, [p for p in pictures if p.path in positions]
        )
        self._positions = np.array([positions[p.path] for p in on_map]).reshape(-1, 2)
        n_missing = len(training) - len(self.training)
        if n_missing:
            logger.warning(
                "%s of %s training images have no embedding in the cache and are not searched; "
                "extract the run's data with the same base to add them",
                f"{n_missing:,}",
                f"{len(training):,}",
            )

    @property
    def has_positions(self) -> bool:
        """Whether a new image gets a position on the map."""
        return len(self._positions) > 0

    def nearest(self, embedding: NDArray[np.float32], n: int = 5) -> list[Neighbour]:
        """Return the most similar training images, the most similar first.

        Parameters
        ----------
        embedding : ndarray of float32, shape (height, width, channels) or (channels,)
            Of the new image.
        n : int, default=5
            Number of neighbours; fewer are returned if there are fewer training images.
        """
        n = min(n, len(self.training))
        if not n:
            return []
        (indices,), (cosines,) = nearest(_unit_row(embedding), self._rows, n)
        return [
            Neighbour(self.training[i], min(float(cosine), 1.0))
            for i, cosine in zip(indices, cosines, strict=True)
        ]

    def position(self, embedding: NDArray[np.float32]) -> tuple[float, float] | None:
        """Return the position of an image on the map; None if there is no map.

        It is the weighted mean of the positions of the most similar images on the map, where the
        weight of an image is the inverse of its angle to the new one.

        Parameters
        ----------
        embedding : ndarray of float32, shape (height, width, channels) or (channels,)
            Of the new image.
        """
        n = min(MAP_NEIGHBOURS, len(self._positions))
        if not n:
            return None
        (indices,), (cosines,) = nearest(_unit_row(embedding), self._map_rows, n)
        weights = 1 / np.maximum(np.arccos(np.clip(cosines, -1, 1)), 1e-3)
        x, y = weights @ self._positions[indices] / weights.sum()
        return float(x), float(y)


def _unit_row(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    return unit_rows(pool_embeddings(embedding[None]))


def _with_embeddings(
    base: FrozenBase, pictures: Sequence[PictureRecord]
) -> tuple[list[PictureRecord], NDArray[np.float32]]:
    """Return the images whose embedding is in the cache, and their pooled rows of unit norm."""
    fingerprint = base.recipe.fingerprint
    missing = set(base.store.missing(fingerprint, [picture.sha256 for picture in pictures]))
    available = [picture for picture in pictures if picture.sha256 not in missing]
    try:
        rows = read_pooled(base, [picture.sha256 for picture in available])
    except CacheError as error:
        logger.warning("%s", error)
        return [], np.empty((0, 0), np.float32)
    return available, unit_rows(rows)
