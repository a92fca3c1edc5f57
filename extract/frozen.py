"""A frozen base at work: a recipe, the weights that it names, and the store of what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.console import Progress, silent
from cache.location import cache_folder
from cache.store import Store
from extract import weights as pretrained
from extract.backbone import find
from extract.errors import WeightsError
from extract.images import MAX_PIXELS
from extract.pipeline import BATCH_SIZE, Extraction, extract
from extract.recipe import Recipe, recipe_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from extract.engines import Engine
    from extract.weights import Weights


@dataclass(frozen=True)
class FrozenBase:
    """Turns image files into embeddings, each computed once.

    Parameters
    ----------
    recipe : Recipe
        What an embedding is.
    weights : Weights
        Where the weights that the recipe names are.
    store : Store
        Where embeddings are kept.
    """

    recipe: Recipe
    weights: Weights
    store: Store

    @classmethod
    def choose(
        cls,
        backbone: str = "vgg16",
        *,
        size: int = 150,
        pooling: str = "none",
        preprocess: str = "auto",
        weights: str = "auto",
        cache: str | Path | None = None,
        progress: Progress = silent,
    ) -> FrozenBase:
        """Find the weights and settle the recipe; nothing is computed yet.

        Raises
        ------
        ToolkitError
            If there is no such backbone, or the weights or the cache cannot be used.
        """
        find(backbone).check_size(size)  # before anything is downloaded
        folder = cache_folder(cache)
        chosen = pretrained.resolve(weights, backbone, cache=folder, size=size, progress=progress)
        recipe = recipe_for(chosen, backbone, size, pooling, preprocess)
        return cls(recipe, chosen, Store(folder))

    @classmethod
    def again(
        cls,
        fields: Mapping[str, Any],
        *,
        weights: str | None = None,
        cache: str | Path | None = None,
        progress: Progress = silent,
    ) -> FrozenBase:
        """Return the base that a run has used, from the recipe in its record.

        Parameters
        ----------
        fields : mapping
            What `to_dict` returned.
        weights : str, optional
            Where the weights are now, if not where the run had them.
        cache : str or Path, optional
            The cache folder.
        progress : Progress
            Told of downloading.

        Raises
        ------
        RecipeError
            If the fields are not those of a recipe.
        WeightsError
            If the weights there are not the ones that the run used.
        """
        recipe = Recipe.from_dict(fields)
        folder = cache_folder(cache)
        where = weights or str(fields.get("weights_source", "auto"))
        found = pretrained.resolve(
            where, recipe.backbone, cache=folder, size=recipe.size, progress=progress
        )
        if found.identity != recipe.weights:
            raise WeightsError(
                f"the weights {where} are not the ones that the run used: expected identity "
                f"{recipe.weights[:12]}, found {found.identity[:12]}; say with --weights where "
                "those are now"
            )
        return cls(recipe, found, Store(folder))

    def extract(
        self,
        paths: Sequence[Path],
        *,
        batch_size: int = BATCH_SIZE,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
        progress: Progress = silent,
    ) -> Extraction:
        """Put the embedding of every image into the store; see `extract.pipeline.extract`."""
        return extract(
            paths,
            self.recipe,
            self.store,
            self.make_engine,
            batch_size=batch_size,
            workers=workers,
            max_pixels=max_pixels,
            progress=progress,
        )

    def embeddings(self, digests: Sequence[str]) -> np.ndarray:
        """Read embeddings from the store.

        Parameters
        ----------
        digests : sequence of str, length n_samples
            From `Extraction.digests`.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples, n_features)
            Flattened in C order: height, width, channel.

        Raises
        ------
        CacheError
            If one is not there, or not as it was committed.
        """
        rows = self.store.read(self.recipe.fingerprint, digests)
        return rows.reshape(len(rows), -1)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe's fields, its fingerprint, and where the weights came from."""
        return {**self.recipe.to_dict(), "weights_source": self.weights.source}

    def make_engine(self) -> Engine:
        """Return an engine that computes the recipe; this imports TensorFlow."""
        from extract.engines import TensorFlowEngine

        return TensorFlowEngine(self.recipe, self.weights)
