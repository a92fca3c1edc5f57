"""Which pictures of a run are most like a new one, and where that one falls on the map."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError
from classify.estimators.solvers.neighbours import nearest, unit_rows
from extract.pooled import pooled, read_pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase
    from reports.picture_records import EmbeddingMap, PictureRecord

MOST = 20_000
"""Of more training pictures, so many are drawn: the means of VGG16's take 40 MB."""
ON_MAP = 5
"""A new picture falls between so many of the map's pictures."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbour:
    """A training picture; its cosine with the new one is at most 1."""

    picture: PictureRecord
    similarity: float


class Similar:
    """The pictures of a run by their embeddings, of which the mean over height and width counts.

    Parameters
    ----------
    base : FrozenBase
        Its cache has the embeddings; pictures whose embedding is gone are left out, and told of.
    pictures : sequence of PictureRecord
        Those of the run.
    embedding_map : EmbeddingMap or None
        The map of the run.
    seed : int
        Draws the training pictures where there are more than `MOST`.
    """

    def __init__(
        self,
        base: FrozenBase,
        pictures: Sequence[PictureRecord],
        embedding_map: EmbeddingMap | None = None,
        seed: int = 0,
    ) -> None:
        training = [picture for picture in pictures if picture.split == "train"]
        if len(training) > MOST:
            drawn = np.random.default_rng(seed).choice(len(training), MOST, replace=False)
            training = [training[i] for i in sorted(drawn)]
        self.training, self._rows = _embedded(base, training)
        places = {
            point.path: (point.x, point.y)
            for point in (embedding_map.points if embedding_map else [])
        }
        on_map, self._map_rows = _embedded(base, [p for p in pictures if p.path in places])
        self._places = np.array([places[picture.path] for picture in on_map]).reshape(-1, 2)
        gone = len(training) - len(self.training)
        if gone:
            logger.warning(
                "%s of %s training pictures have no embedding in the cache, and are not found "
                "among similar ones; python -m extract with the run's data and base makes them",
                f"{gone:,}",
                f"{len(training):,}",
            )

    @property
    def has_places(self) -> bool:
        """Whether a new picture can be placed on the map."""
        return len(self._places) > 0

    def nearest(self, embedding: NDArray[np.float32], n: int = 5) -> list[Neighbour]:
        """Return the most similar training pictures, the most similar first.

        Parameters
        ----------
        embedding : ndarray of float32, shape (height, width, channels) or (channels,)
        n : int
            How many, if there are as many.
        """
        n = min(n, len(self.training))
        if not n:
            return []
        (found,), (cosines,) = nearest(unit_rows(pooled(embedding[None])), self._rows, n)
        return [
            Neighbour(self.training[i], min(float(cosine), 1.0))
            for i, cosine in zip(found, cosines, strict=True)
        ]

    def place(self, embedding: NDArray[np.float32]) -> tuple[float, float] | None:
        """Return where a picture falls on the map; None if there is no map.

        It is the mean of the places of the most similar pictures, those that are twice as far
        away in angle weighing half.

        Parameters
        ----------
        embedding : ndarray of float32, shape (height, width, channels) or (channels,)
        """
        n = min(ON_MAP, len(self._places))
        if not n:
            return None
        (found,), (cosines,) = nearest(unit_rows(pooled(embedding[None])), self._map_rows, n)
        weights = 1 / np.maximum(np.arccos(np.clip(cosines, -1, 1)), 1e-3)
        x, y = weights @ self._places[found] / weights.sum()
        return float(x), float(y)


def _embedded(
    base: FrozenBase, pictures: Sequence[PictureRecord]
) -> tuple[list[PictureRecord], NDArray[np.float32]]:
    """Return the pictures whose embeddings are there, and their pooled rows of norm one."""
    fingerprint = base.recipe.fingerprint
    gone = set(base.store.missing(fingerprint, [picture.sha256 for picture in pictures]))
    there = [picture for picture in pictures if picture.sha256 not in gone]
    try:
        return there, unit_rows(read_pooled(base, [picture.sha256 for picture in there]))
    except CacheError as error:
        logger.warning("%s", error)
        return [], np.empty((0, 0), np.float32)
