"""What the forward pass and the pipeline have in common: bases, images, files for the rivals."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import inputs
from extract.backbones.weight_files import read_arrays
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from extract.images.loading import load_images
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from collections.abc import Callable

    from extract.engines import Engine

BATCH = 32
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True)
class Case:
    """One precision: our base and engine, and the files that its rivals read.

    Parameters
    ----------
    precision : {"float32", "int8"}
    folder : Path
        For the cache and the files.
    paths : list of Path
        The images.
    """

    precision: str
    folder: Path
    paths: list[Path]

    @cached_property
    def base(self) -> FrozenBase:
        """VGG16 with torchvision's weights on OpenVINO, calibrated if need be."""
        settings = BaseSettings(
            weights=inputs.weights(),
            precision=self.precision,
            engine="openvino",
            cache=self.folder,
        )
        base = FrozenBase.choose(settings)
        if base.recipe.preprocessing != "torch" or base.weights.path is None:
            sys.exit(
                "error: the rivals have torchvision's weights; expected VGG16_WEIGHTS_FILE to name "
                f"a file of these, found weights for the preprocessing {base.recipe.preprocessing}"
            )
        if base.needs_calibration:
            base = base.calibrated(hash_images(self.paths, base.store)[0])
        return base

    @cached_property
    def engine(self) -> Engine:
        """Our engine, compiled."""
        return self.base.make_engine()

    @cached_property
    def images(self) -> np.ndarray:
        """The decoded images."""
        return load_images(self.paths, self.base.recipe.size)

    @cached_property
    def expected(self) -> np.ndarray:
        """Our embeddings of the images, a row for each."""
        return self.engine(self.images).reshape(len(self.images), -1)

    @cached_property
    def weights(self) -> str:
        """A file of the weights' arrays, in Keras's order."""
        assert self.base.weights.path is not None
        path = self.folder / "weights.npz"
        np.savez(path, *read_arrays(self.base.weights.path))
        return str(path)

    @cached_property
    def model(self) -> str:
        """Our network as a file for OpenVINO."""
        path = self.folder / f"{self.precision}.xml"
        import_openvino().save_model(self.base.network(), path, compress_to_fp16=False)
        return str(path)

    @property
    def embeddings(self) -> str:
        """Where rivals write their embeddings."""
        return str(self.folder / "embeddings.npy")

    def checked(
        self, error: Callable[[np.ndarray, np.ndarray], float], largest: float
    ) -> Callable[[dict[str, Any]], None]:
        """Return a check that the rival's embeddings are ours, up to an error."""

        def check(_: dict[str, Any]) -> None:
            found = np.load(self.embeddings)
            Path(self.embeddings).unlink()
            apart = error(found.reshape(self.expected.shape), self.expected)
            print(f"embeddings apart by {apart:.1e}", flush=True)
            if not apart <= largest:
                raise RuntimeError(f"embeddings differ by {apart:.1e}, expected at most {largest}")

        return check


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the length of the difference of all embeddings, relative to their own."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def cosine_distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the mean over the images of one minus the cosine between their two embeddings."""
    products = (found * expected).sum(axis=1)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return float(1 - (products / lengths).mean())


def cases(n_images: int, folder: Path) -> list[Case]:
    """Return a case for each precision, on photographs spread over the data."""
    options = Options(inputs.photographs(folder), BaseSettings(cache=folder / "cache"))
    dataset = find_dataset(options)
    # The rivals' compiled networks are for full batches.
    n_images = max(BATCH, n_images // BATCH * BATCH)
    paths = [item.path for item in dataset.items][:: max(1, len(dataset) // n_images)][:n_images]
    return [Case(precision, folder, paths) for precision in PRECISIONS]
