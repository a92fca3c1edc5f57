"""Decode many images in order, ahead of their use."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from extract.errors import ImageError
from extract.images.decoders.pool import DecoderPool
from extract.images.formats import MAX_PIXELS
from extract.images.pixels import PixelSettings
from toolkit.addresses import is_remote
from toolkit.phases import phase
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    import numpy as np

    from extract.images.decoders.pool import Decoded

BATCH_SIZE = 32
DECODING = "waiting for decoded images"
"""The phase of a thread that waits for decoders, see `toolkit.phases`."""
FETCHED_AT_ONCE = 8
"""Images that are fetched from addresses at the same time, for each process that decodes."""


@dataclass(frozen=True)
class ReadSettings:
    """How image files are read and decoded.

    Parameters
    ----------
    workers : int, default=None
        Processes that read and decode. ``None`` is one for each core.
    max_pixels : int, default=50 million
        Width times height up to which an image is decoded; a larger one is not used.
    """

    workers: int | None = None
    max_pixels: int = MAX_PIXELS

    @property
    def processes(self) -> int:
        """The number of processes that decode."""
        return self.workers or default_workers()

    def threads(self, paths: Iterable[Path]) -> int:
        """Return how many threads read these files.

        It is one for each process that decodes, or more if files must be fetched: a thread that
        fetches mostly waits for the server.
        """
        return self.processes * (FETCHED_AT_ONCE if any(map(is_remote, paths)) else 1)


T = TypeVar("T")
R = TypeVar("R")


@phase(DECODING)
def load_images(
    paths: Sequence[Path],
    pixels: PixelSettings | int,
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> np.ndarray:
    """Decode images into one array, for classifiers that are trained on pixels.

    Parameters
    ----------
    paths : sequence of Path, length n
        Image files, all of which can be used.
    pixels : PixelSettings or int
        How images become squares; a size alone stands for the other defaults.
    reading : ReadSettings, optional
        How many processes decode, and up to which size of image.
    progress : Progress
        Is told about the stage "decoding images".

    Returns
    -------
    numpy.ndarray of uint8, shape (n, size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If a file cannot be used; the message names it.
    DecoderError
        If the processes that decode cannot be started.
    """
    import numpy as np

    size = PixelSettings.of(pixels).size
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    with contextlib.closing(_decode(paths, pixels, reading)) as all_decoded:
        for i, decoded in enumerate(all_decoded):
            if decoded.image is None:
                raise ImageError(f"{paths[i]}: {decoded.reason}")
            images[i] = decoded.image
            progress("decoding images", i + 1, len(paths))
    return images


@phase(DECODING)
def usable_images(
    paths: Sequence[Path],
    pixels: PixelSettings | int,
    most: int,
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> tuple[list[Path], np.ndarray]:
    """Decode the first images that can be used into one array, and skip the others.

    Parameters
    ----------
    paths, pixels, reading, progress
        As for `load_images`.
    most : int
        Largest number of images.

    Returns
    -------
    used : list of Path, length n
        The images that can be used; n is at most `most`.
    images : numpy.ndarray of uint8, shape (n, size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If no image can be used.
    DecoderError
        If the processes that decode cannot be started.
    """
    import numpy as np

    used: list[Path] = []
    images: list[np.ndarray] = []
    wanted = min(most, len(paths))
    with contextlib.closing(_decode(paths, pixels, reading)) as all_decoded:
        for path, decoded in zip(paths, all_decoded, strict=True):
            if decoded.image is not None:
                used.append(path)
                images.append(decoded.image)
                progress("decoding images", len(images), wanted)
            if len(images) == most:
                break
    if not images:
        raise ImageError(f"none of {plural(len(paths), 'image')} can be used")
    return used, np.stack(images)


def _decode(
    paths: Sequence[Path], pixels: PixelSettings | int, reading: ReadSettings
) -> Generator[Decoded, None, None]:
    with (
        ThreadPoolExecutor(reading.threads(paths), "decode") as pool,
        DecoderPool(pixels, reading.max_pixels, reading.processes) as decoders,
    ):
        yield from ahead(pool, decoders, paths, 2 * BATCH_SIZE)


def ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[T], R],
    items: Iterable[T],
    n_ahead: int,
    result: Callable[[Future[R]], R] = Future.result,
) -> Generator[R, None, None]:
    """Apply a function in a pool; yield the results in order, with at most `n_ahead` waiting."""
    rest = iter(items)
    waiting = deque(pool.submit(function, item) for item in itertools.islice(rest, n_ahead))
    try:
        while waiting:
            found = result(waiting.popleft())
            for item in itertools.islice(rest, 1):
                waiting.append(pool.submit(function, item))
            yield found
    finally:
        for future in waiting:
            future.cancel()


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    import joblib

    return int(joblib.cpu_count())
