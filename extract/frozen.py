"""A frozen base: a recipe, the weights that it names, and the store of its embeddings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.location import cache_folder
from cache.store import Store
from extract import engines
from extract.backbones import weights as pretrained
from extract.engines.model_store import ModelStore
from extract.errors import WeightsError
from extract.images.loading import BATCH_SIZE, ReadSettings, usable_images
from extract.options import BaseSettings
from extract.pipeline import ExtractionResult, extract, extract_images
from extract.recipe import Recipe
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from extract.backbones.weights import Weights
    from extract.engines import Engine
    from extract.images.pixels import PixelSettings
    from extract.pipeline import Loader


@dataclass(frozen=True)
class FrozenBase:
    """Turns images into embeddings, and computes each of them once.

    Parameters
    ----------
    recipe : Recipe
        How an image becomes an embedding.
    weights : Weights
        The weights that the recipe names, and where they are.
    store : Store
        Where embeddings are kept.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network; see `extract.engines.choose`.
    """

    recipe: Recipe
    weights: Weights
    store: Store
    engine: str = "auto"

    @classmethod
    def choose(
        cls, settings: BaseSettings = BaseSettings(), *, progress: Progress = silent
    ) -> FrozenBase:
        """Find the weights and determine the recipe; nothing is computed yet.

        With int8, the recipe names the quantised model of an earlier calibration, if there is one;
        see `calibrated`.

        Parameters
        ----------
        settings : BaseSettings, optional
            Of one backbone.
        progress : Progress
            Called while weights are downloaded.

        Raises
        ------
        ToolkitError
            If there is no such backbone, or the weights or the cache cannot be used.
        """
        size = settings.size_in_pixels  # a size that does not fit fails before any download
        folder = cache_folder(settings.cache)
        weights = pretrained.resolve(
            settings.weights, settings.backbone, cache=folder, size=size, progress=progress
        )
        recipe = settings.recipe(weights)
        base = cls(recipe, weights, Store(folder), settings.engine)
        if recipe.precision == "int8":
            recipe = dataclasses.replace(recipe, quantised=base.models.find(recipe))
        return dataclasses.replace(base, recipe=recipe)

    @classmethod
    def from_dict(
        cls,
        fields: Mapping[str, Any],
        *,
        weights: str | None = None,
        cache: str | Path | None = None,
        engine: str = "auto",
        progress: Progress = silent,
    ) -> FrozenBase:
        """Return the base of an earlier run, from the recipe in its record.

        Parameters
        ----------
        fields : mapping
            What `to_dict` returned.
        weights : str, optional
            Where the weights are now; by default, where the run found them.
        cache : str or Path, optional
            The cache folder.
        engine : str, default="auto"
            See `extract.engines.choose`.
        progress : Progress
            Called while weights are downloaded.

        Raises
        ------
        RecipeError
            If the fields are not those of a recipe.
        WeightsError
            If the weights there are not the ones that the run used.
        """
        recipe = Recipe.from_dict(fields)
        folder = cache_folder(cache)
        source = weights or str(fields.get("weights_source", "auto"))
        resolved = pretrained.resolve(
            source, recipe.backbone, cache=folder, size=recipe.size, progress=progress
        )
        if resolved.identity != recipe.weights:
            raise WeightsError(
                f"the weights {source} are not the ones that the run used: expected identity "
                f"{recipe.weights[:12]}, found {resolved.identity[:12]}; say where the weights of "
                "the run are now",
                setting="weights",
            )
        return cls(recipe, resolved, Store(folder), engine)

    @property
    def models(self) -> ModelStore:
        """The converted and quantised networks in the cache."""
        return ModelStore(self.store.folder / "models")

    @property
    def needs_calibration(self) -> bool:
        """Whether the precision is int8 and there is no quantised model yet."""
        return self.recipe.precision == "int8" and self.recipe.quantised is None

    def with_range_of(self, other: Recipe | PixelSettings) -> FrozenBase:
        """Return the base with what something else says is black and white in deep images."""
        return dataclasses.replace(
            self,
            recipe=dataclasses.replace(
                self.recipe, bits=other.bits, black=other.black, white=other.white
            ),
        )

    def calibrated(
        self,
        digests: Mapping[Path, str],
        *,
        name: str = "",
        reading: ReadSettings = ReadSettings(),
        progress: Progress = silent,
    ) -> FrozenBase:
        """Return the base with its quantised model, made from training images if there is none.

        Parameters
        ----------
        digests : mapping from Path to str
            Training images with their SHA-256. The images with the smallest ones are used: a random
            sample, which does not depend on the names of the files.
        name : str, default=""
            Name of the data set, for the record of the model.
        reading : ReadSettings, optional
            How the images are read.
        progress : Progress
            Called with the stages "decoding images" and "calibrating int8".

        Raises
        ------
        EngineError
            If the extra that quantises is not installed.
        ImageError
            If none of the images can be used.
        """

        def load(n_images: int) -> np.ndarray:
            paths = sorted(digests, key=lambda path: digests[path])
            return usable_images(
                paths, self.recipe.pixels, n_images, reading=reading, progress=progress
            )

        return self.calibrated_on(load, name=name, progress=progress)

    def calibrated_on(
        self, load: Callable[[int], np.ndarray], *, name: str = "", progress: Progress = silent
    ) -> FrozenBase:
        """Return the base with its quantised model, made from images that `load` returns.

        Parameters
        ----------
        load : callable
            Called with a number of images, and only if there is no model yet. Returns at most so
            many, as a uint8 array of shape (n, size, size, 3) in RGB.
        name, progress
            As in `calibrated`.

        Raises
        ------
        EngineError
            If the extra that quantises is not installed.
        """
        if not self.needs_calibration:
            return self
        engines.choose("int8", self.engine)  # fails before minutes are spent
        with self.models.locked(self.recipe):
            sha256 = self.models.find(self.recipe)  # another process may have made it meanwhile
            if sha256 is None:
                from extract.engines.int8 import CALIBRATION_IMAGES, quantise

                images = load(CALIBRATION_IMAGES)
                model = quantise(self.recipe, self.weights, self.models, images, progress)
                sha256 = self.models.add(
                    self.recipe, model, calibrated_on=f"{len(images)} images of {name or 'yours'}"
                )
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, quantised=sha256))

    def extract(
        self,
        paths: Sequence[Path],
        *,
        batch_size: int = BATCH_SIZE,
        reading: ReadSettings = ReadSettings(),
        open_loader: Callable[[], AbstractContextManager[Loader]] | None = None,
        progress: Progress = silent,
    ) -> ExtractionResult:
        """Put the embedding of every image into the store; see `extract.pipeline.extract`."""
        return extract(
            paths,
            self.recipe,
            self.store,
            self.make_engine,
            batch_size=batch_size,
            reading=reading,
            open_loader=open_loader,
            progress=progress,
        )

    def extract_images(
        self,
        images: Sequence[np.ndarray],
        *,
        batch_size: int = BATCH_SIZE,
        progress: Progress = silent,
    ) -> list[str]:
        """Put the embedding of images in memory into the store and return their digests.

        See `extract.pipeline.extract_images`.
        """
        return extract_images(
            images,
            self.recipe,
            self.store,
            self.make_engine,
            batch_size=batch_size,
            progress=progress,
        )

    def embeddings(self, digests: Sequence[str]) -> np.ndarray:
        """Read embeddings from the store.

        Parameters
        ----------
        digests : sequence of str, length n_samples
            From `ExtractionResult.digests`.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples, n_features)
            Flattened in C order: height, width, channel.

        Raises
        ------
        CacheError
            If an embedding is missing or damaged.
        """
        rows = self.store.read(self.recipe.fingerprint, digests)
        return rows.reshape(len(rows), -1)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe's fields, its fingerprint and the source of the weights."""
        return {**self.recipe.to_dict(), "weights_source": self.weights.source}

    def make_engine(self) -> Engine:
        """Create an engine that computes the recipe; this takes seconds."""
        return engines.make(self.recipe, self.weights, self.models, self.engine)
