"""A frozen base: a recipe, the weights that it names, and the store of its embeddings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.location import cache_folder
from cache.store import Store
from extract import engines
from extract.backbones import weights as pretrained
from extract.backbones.earlier_weights import find_again
from extract.backbones.weights import Weights
from extract.engines.calibration import N_IMAGES
from extract.engines.model_store import ModelStore
from extract.images.loading import BATCH_SIZE, ReadSettings, usable_images
from extract.options import BaseSettings
from extract.pipeline import ExtractionResult, extract, extract_images
from extract.recipe import Recipe
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from extract.engines import Engine
    from extract.engines.calibration import Calibration
    from extract.images.pixels import PixelSettings
    from extract.pipeline.computation import Loader


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
    calibration : Calibration, default=None
        With int8, once it is known: the images that the network was calibrated on.
    networks : ModelStore, default=None
        Where the quantised network is, if not in the cache.
    """

    recipe: Recipe
    weights: Weights
    store: Store
    engine: str = "auto"
    calibration: Calibration | None = None
    networks: ModelStore | None = None

    @classmethod
    def choose(
        cls, settings: BaseSettings = BaseSettings(), *, progress: Progress = silent
    ) -> FrozenBase:
        """Find the weights and determine the recipe; nothing is computed yet.

        With int8, the recipe does not name a quantised network before `calibrated`.

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
        weights = (
            settings.described.weights
            if settings.described
            else pretrained.resolve(
                settings.weights, settings.backbone, cache=folder, size=size, progress=progress
            )
        )
        return cls(settings.recipe(weights), weights, Store(folder), settings.engine)

    @classmethod
    def from_dict(
        cls,
        fields: Mapping[str, Any],
        *,
        weights: str | None = None,
        cache: str | Path | None = None,
        engine: str = "auto",
        networks: Path | None = None,
        progress: Progress = silent,
    ) -> FrozenBase:
        """Return the base of an earlier run, from the recipe in its record.

        A quantised network needs no weights, so they are looked for only if `weights` is given.

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
        networks : Path, optional
            The folder of the run's quantised networks. One that is not there is looked for in the
            cache.
        progress : Progress
            Called while weights are downloaded.

        Raises
        ------
        RecipeError
            If the fields are not those of a recipe.
        WeightsError
            If the weights of the run cannot be found; the message names them.
        """
        recipe, folder = Recipe.from_dict(fields), cache_folder(cache)
        found = Weights(str(fields.get("weights_source", "auto")), recipe.weights, None, None)
        if recipe.quantised is None or weights is not None:
            found = _find_again(found, recipe, weights, folder, progress)
        base = cls(recipe, found, Store(folder), engine)
        if networks is None or recipe.quantised is None:
            return base
        own = ModelStore(networks)
        return dataclasses.replace(base, networks=own) if own.has(recipe.quantised) else base

    @property
    def models(self) -> ModelStore:
        """The converted and quantised networks."""
        return self.networks or ModelStore(self.store.folder / "models")

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
        """Return the base with its quantised network, calibrated on training images.

        Parameters
        ----------
        digests : mapping from Path to str
            Training images with their SHA-256. The images with the smallest ones are used: a random
            sample, which does not depend on the names of the files.
        name : str, default=""
            Name of the data set, for the record of the network.
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
        paths = {digest: path for path, digest in digests.items()}

        def load(n_images: int) -> tuple[list[str], np.ndarray]:
            used, images = usable_images(
                [paths[digest] for digest in sorted(paths)],
                self.recipe.pixels,
                n_images,
                reading=reading,
                progress=progress,
            )
            return [digests[path] for path in used], images

        return self.calibrated_on(sorted(paths), load, name=name, progress=progress)

    def calibrated_on(
        self,
        candidates: Sequence[str],
        load: Callable[[int], tuple[list[str], np.ndarray]],
        *,
        name: str = "",
        progress: Progress = silent,
    ) -> FrozenBase:
        """Return the base with its quantised network, calibrated on images that `load` returns.

        If the cache has a network that was calibrated on at least half of the same images, the base
        goes on with it: the data set is then the same one as before, with a few more images or
        another split. So images that were added do not change the embeddings of the others, and
        what another data set was calibrated on plays no part.

        Parameters
        ----------
        candidates : sequence of str
            SHA-256 of the images that the base would be calibrated on, each once, the first ones
            first.
        load : callable
            Called with a number of images, and only if there is no such network yet. Returns at
            most so many that can be used: their SHA-256, and a uint8 array of shape (n, size, size,
            3) in RGB.
        name, progress
            As in `calibrated`.

        Raises
        ------
        EngineError
            If the extra that quantises is not installed.
        """
        if not self.needs_calibration:
            return self
        chosen = candidates[:N_IMAGES]
        calibration = self.models.find_calibration(self.recipe, chosen)
        if calibration is None:
            engines.choose_for(self.recipe, self.engine)  # fails before minutes are spent
            with self.models.locked(self.recipe):
                # Another process may have made it meanwhile.
                calibration = self.models.find_calibration(self.recipe, chosen)
                if calibration is None:
                    calibration = self._calibrate(load, name, progress)
        recipe = dataclasses.replace(self.recipe, quantised=calibration.quantised)
        return dataclasses.replace(self, recipe=recipe, calibration=calibration)

    def _calibrate(
        self,
        load: Callable[[int], tuple[list[str], np.ndarray]],
        name: str,
        progress: Progress,
    ) -> Calibration:
        from extract.engines.int8 import quantise

        digests, images = load(N_IMAGES)
        model = quantise(self.recipe, self.weights, self.models, images, progress)
        return self.models.add_calibrated(self.recipe, model, digests, name)

    def copy_network(self, folder: Path) -> None:
        """Copy the quantised network, if there is one, for `from_dict` to find it there.

        Parameters
        ----------
        folder : Path
            Created if need be.

        Raises
        ------
        CacheError
            If the folder cannot be written to.
        WeightsError
            If the network is no longer in the cache, or its bytes have changed.
        """
        if self.calibration is not None:
            self.models.copy(self.recipe, self.calibration, ModelStore(folder))

    def extract(
        self,
        paths: Sequence[Path],
        *,
        batch_size: int = BATCH_SIZE,
        reading: ReadSettings = ReadSettings(),
        loader: Loader | None = None,
        known: Mapping[Path, str] | None = None,
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
            loader=loader,
            known=known,
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
        """Return the recipe's fields, its fingerprint, the source of the weights, the calibration.

        The last one is there only with int8.
        """
        fields = {**self.recipe.to_dict(), "weights_source": self.weights.source}
        if self.calibration is not None:
            fields["calibration"] = self.calibration.to_dict()
        return fields

    def in_float32(self, weights: str | None = None, *, progress: Progress = silent) -> FrozenBase:
        """Return the base that computes in float32, with its weights.

        Parameters
        ----------
        weights : str, optional
            Where the weights are now; by default, where the run found them.

        Raises
        ------
        WeightsError
            If the weights cannot be found; the message names them.
        """
        if self.recipe.precision == "float32" and weights in (None, self.weights.source):
            return self
        recipe = dataclasses.replace(self.recipe, precision="float32", quantised=None)
        found = _find_again(self.weights, recipe, weights, self.store.folder, progress)
        return dataclasses.replace(self, recipe=recipe, weights=found, networks=None)

    def in_int8(self) -> FrozenBase:
        """Return the base that computes in 8 bits, before its calibration."""
        recipe = dataclasses.replace(self.recipe, precision="int8", quantised=None)
        return dataclasses.replace(self, recipe=recipe, calibration=None, networks=None)

    def network(self) -> Any:
        """Return the network in the recipe's precision as an `openvino.Model`."""
        from extract.engines.openvino import read_network

        return read_network(self.recipe, self.weights, self.models)

    def make_engine(self) -> Engine:
        """Create an engine that computes the recipe; this takes seconds."""
        return engines.make(self.recipe, self.weights, self.models, self.engine)


def _find_again(
    earlier: Weights, recipe: Recipe, weights: str | None, cache: Path, progress: Progress
) -> Weights:
    return find_again(
        earlier,
        recipe.backbone,
        weights,
        cache=cache,
        size=recipe.size,
        layer=recipe.layer,
        progress=progress,
    )
