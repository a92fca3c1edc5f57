"""New images as a saved model takes them: embeddings, pixels, and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.images.loading import BATCH_SIZE, ReadSettings, load_images
from extract.images.resizing import resize
from extract.pipeline import ExtractionResult, extract
from extract.stored import pool_embeddings, read_pooled
from toolkit.progress import Progress, as_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.engines import Engine
    from extract.frozen import FrozenBase
    from extract.recipe import Recipe


@dataclass(frozen=True)
class Samples:
    """Images as a classifier takes them.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
        Embeddings or images, whichever the classifier takes.
    pooled : ndarray of float32, shape (n_samples, n_channels), optional
        The embeddings, averaged over height and width; None if they are not needed.
    """

    X: NDArray[Any]
    pooled: NDArray[np.float32] | None


@dataclass(frozen=True)
class SampleReader:
    """Turns images into what a classifier takes.

    Parameters
    ----------
    base : FrozenBase
    consumes : str
        What the classifier takes; see `classify.estimators.base.Classifier.consumes`.
    reading : ReadSettings
        How image files are read.
    progress : bool or Progress
        Whether to show progress, or a callback.
    """

    base: FrozenBase
    consumes: str
    reading: ReadSettings
    progress: bool | Progress

    @cached_property
    def engine(self) -> Engine:
        """What computes embeddings; to create it takes seconds."""
        return self.base.make_engine()

    def extract(
        self, files: Sequence[Path], recipe: Recipe, progress: Progress
    ) -> ExtractionResult:
        """Put the embeddings of files into the cache.

        Parameters
        ----------
        files : sequence of Path
        recipe : Recipe
            From `classify.serving.blocks.recipe_for`.
        progress : Progress
        """
        return extract(
            files,
            recipe,
            self.base.store,
            lambda: self.engine,
            reading=self.reading,
            progress=progress,
        )

    def row_bytes(self, recipe: Recipe, digest: str) -> int:
        """Return the memory that one image takes on its way through the classifier, in bytes.

        Parameters
        ----------
        recipe : Recipe
        digest : str
            SHA-256 of an image whose embedding is in the cache.
        """
        if self.consumes == "images":
            # A network turns the pixels into float32, in addition.
            return 3 * recipe.size**2 * (1 + 4)
        return int(self.base.with_range_of(recipe).embeddings([digest]).nbytes)

    def of_files(
        self, files: Sequence[Path], digests: Mapping[Path, str], recipe: Recipe, *, pooled: bool
    ) -> Samples:
        """Return files whose embeddings are in the cache.

        Parameters
        ----------
        files : sequence of Path
        digests : mapping of Path to str
            From `extract`.
        recipe : Recipe
            As for `extract`.
        pooled : bool
            Whether the averaged embeddings are needed.
        """
        base, rows = self.base.with_range_of(recipe), [digests[file] for file in files]
        if self.consumes == "images":
            with as_progress(self.progress) as report:
                X = load_images(files, recipe.pixels, reading=self.reading, progress=report)
        else:
            X = base.embeddings(rows)
        return Samples(X, read_pooled(base, rows) if pooled else None)

    def of_arrays(self, arrays: Sequence[NDArray[np.uint8]], *, pooled: bool) -> Samples:
        """Return images in memory.

        Parameters
        ----------
        arrays : sequence of ndarray of uint8, shape (height, width, 3)
        pooled : bool
            Whether the averaged embeddings are needed.
        """
        pixels = np.stack([resize(array, self.base.recipe.pixels) for array in arrays])
        on_images = self.consumes == "images"
        if on_images and not pooled:
            return Samples(pixels, None)
        with as_progress(self.progress) as report:
            batches = []
            for start in range(0, len(pixels), BATCH_SIZE):
                report("computing embeddings", start, len(pixels))
                batches.append(self.engine(pixels[start : start + BATCH_SIZE]))
        embeddings = np.concatenate(batches)
        X = pixels if on_images else embeddings.reshape(len(pixels), -1)
        return Samples(X, pool_embeddings(embeddings) if pooled else None)
