"""Read the local features of many pictures in parallel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from classify.auditing.copies.local_features import LocalFeatures, local_features
from extract.images.decoders.pool import DecoderPool
from extract.images.loading import ReadSettings, ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

SIDE, N_FEATURES = 256, 600
"""Longest side in pixels at which pictures are examined, and local features of one at most."""
N_AHEAD = 64
KEPT_BYTES = 400 * 2**20
"""Features that are kept for when their pictures are needed again; others are found again."""

T = TypeVar("T")
R = TypeVar("R")


class FeatureReader:
    """Finds the local features of image files; use it as a context manager.

    Files are decoded in processes of their own, and features are found in threads of this one.

    Parameters
    ----------
    paths : sequence of Path
        Image files. One that can no longer be used has no features.
    reading : ReadSettings, optional
        How they are read.
    """

    def __init__(self, paths: Sequence[Path], reading: ReadSettings = ReadSettings()) -> None:
        self.paths = paths
        self._threads = ThreadPoolExecutor(reading.threads(paths), "features")
        self._decoders = DecoderPool(1, reading.max_pixels, reading.processes)
        self._kept: dict[int, LocalFeatures] = {}
        self._room = KEPT_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the decoders and wait for the threads."""
        self._decoders.__exit__(*exc_info)
        self._threads.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, positions: Iterable[int]) -> Generator[LocalFeatures, None, None]:
        """Yield the features of the pictures at these positions, in order."""
        return self.map(self.features, positions)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """Call a function in the threads, and yield the results in order."""
        return ahead(self._threads, function, items, N_AHEAD)

    def features(self, position: int) -> LocalFeatures:
        """Return the features of the picture at a position."""
        if position in self._kept:
            return self._kept[position]
        image = self._decoders.thumbnail(self.paths[position], SIDE).image
        found = local_features(
            np.zeros((1, 1, 3), np.uint8) if image is None else image, N_FEATURES
        )
        if self._room >= found.nbytes:
            self._room -= found.nbytes
            self._kept[position] = found
        return found
