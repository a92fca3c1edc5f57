"""The training images that are most similar to an image of the run, from its cached embedding."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cache.errors import CacheError
from cache.location import cache_folder
from cache.store import Store
from classify.serving.similar import Neighbour, SimilarImages
from extract.backbones.weights import Weights
from extract.frozen import FrozenBase
from extract.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import PictureRecord, Result, Run

SHOWN = 5

logger = logging.getLogger(__name__)


def cached_base(run: Run, result: Result, cache: str | None) -> FrozenBase:
    """Return the base of a classifier of a run, to read embeddings only; its weights may be gone.

    Parameters
    ----------
    run : Run
    result : Result
        The classifier's entry in it.
    cache : str or None
        Cache folder; None is the default one.

    Raises
    ------
    ToolkitError
        If the recipe or the cache cannot be used.
    """
    recipe = Recipe.from_dict(run.recipe_of(result))
    weights = Weights("auto", recipe.weights, None, None)
    return FrozenBase(recipe, weights, Store(cache_folder(cache)))


class Neighbours:
    """Similar training images of the images of a run, whose embeddings are read once.

    It may be called from any number of threads.

    Parameters
    ----------
    base : FrozenBase
        Its cache has the embeddings.
    pictures : sequence of PictureRecord
        All images of the run.
    seed : int
        See `classify.serving.similar.SimilarImages`.
    """

    def __init__(self, base: FrozenBase, pictures: Sequence[PictureRecord], seed: int) -> None:
        self._base = base
        self._similar = SimilarImages(base, pictures, seed=seed)

    def __call__(self, picture: PictureRecord) -> list[Neighbour]:
        """Return the most similar training images besides the image itself; wait if need be.

        There are none if embeddings are not in the cache.
        """
        store, fingerprint = self._base.store, self._base.recipe.fingerprint
        try:
            if store.missing(fingerprint, [picture.sha256]):
                return []
            [embedding] = store.read(fingerprint, [picture.sha256])
            found = self._similar.nearest(embedding, SHOWN + 1)
        except CacheError as error:
            logger.warning("%s", error)
            return []
        return [near for near in found if near.picture.path != picture.path][:SHOWN]
