"""Images -> embeddings: reading, decoding, the forward pass and the commit, overlapped.

Decoding runs ahead in threads (OpenCV lets go of Python's lock), the forward pass in the calling
thread, the commit behind it in a thread of its own. What runs ahead is bounded, so memory does not
grow with the number of images.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cache.console import Progress, silent
from cache.store import SHARD_ROWS, file_state
from extract.errors import ImageError
from extract.images import decode, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from cache.memo import FileState
    from cache.store import Store
    from extract.engines import Engine
    from extract.recipe import Recipe

BATCH_SIZE = 32
_REMEMBERED_TOGETHER = 1000

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Extraction:
    """What became of a list of image files.

    Parameters
    ----------
    digests : dict from Path to str
        SHA-256 of every usable file's bytes: the name of its embedding under the recipe.
    quarantine : dict from Path to str
        The files that cannot be used, each with its reason.
    cached : int
        Usable files whose embedding was there already.
    computed : int
        Usable files whose embedding was computed now.
    seconds : float
        Wall-clock time.
    """

    digests: dict[Path, str]
    quarantine: dict[Path, str]
    cached: int
    computed: int
    seconds: float


def extract(
    paths: Sequence[Path],
    recipe: Recipe,
    store: Store,
    make_engine: Callable[[], Engine],
    *,
    batch_size: int = BATCH_SIZE,
    workers: int | None = None,
    progress: Progress = silent,
) -> Extraction:
    """Put the embedding of every image into the store, computing those that are not there.

    Parameters
    ----------
    paths : sequence of Path
        Image files. Two files with the same bytes are one image and are computed once.
    recipe : Recipe
        What to compute.
    store : Store
        Where embeddings are looked up and committed.
    make_engine : callable
        Called once, and only if something must be computed.
    batch_size : int
        Images per forward pass; it changes the speed, not the numbers.
    workers : int, optional
        Threads that read and decode; one per core by default.
    progress : Progress
        Told of the stages "hashing images" and "computing embeddings".

    Returns
    -------
    Extraction

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with a message; everything computed until then has been committed.
    """
    started = time.monotonic()
    with ThreadPoolExecutor(workers or default_workers(), "decode") as pool:
        digests, quarantine = _digest(paths, store, pool, progress)
        missing = set(store.missing(recipe.fingerprint, list(digests.values())))
        todo = {digest: path for path, digest in digests.items() if digest in missing}
        if todo:
            run = _Run(recipe, store, make_engine, batch_size, progress)
            bad = run.compute(todo, pool)
            for path, digest in list(digests.items()):
                if digest in bad:
                    quarantine[path] = bad[digest]
                    del digests[path]
    computed = sum(digest in missing for digest in digests.values())
    return Extraction(
        digests,
        quarantine,
        cached=len(digests) - computed,
        computed=computed,
        seconds=time.monotonic() - started,
    )


def load_images(
    paths: Sequence[Path],
    size: int,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Decode images into one array, for classifiers that look at pixels.

    Parameters
    ----------
    paths : sequence of Path, length n
        Image files, all of them usable.
    size : int
        Side in pixels.
    workers : int, optional
        Threads that read and decode; one per core by default.
    progress : Progress
        Told of the stage "decoding images".

    Returns
    -------
    numpy.ndarray of uint8, shape (n, size, size, 3)
        RGB.

    Raises
    ------
    ImageError
        If a file cannot be used after all; the message names it.
    """
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)

    def load(path: Path) -> np.ndarray:
        try:
            return decode(read_bytes(path), size)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error

    with ThreadPoolExecutor(workers or default_workers(), "decode") as pool:
        for i, image in enumerate(_ahead(pool, load, paths, 2 * BATCH_SIZE)):
            images[i] = image
            progress("decoding images", i + 1, len(paths))
    return images


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    import joblib

    return int(joblib.cpu_count())


class _Run:
    """The state of one computation: the batch being filled and the shard being filled."""

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        make_engine: Callable[[], Engine],
        batch_size: int,
        progress: Progress,
    ) -> None:
        self._recipe, self._store, self._batch_size = recipe, store, batch_size
        self._make_engine, self._progress = make_engine, progress
        self._engine: Engine | None = None
        self._images: list[np.ndarray] = []
        self._image_digests: list[str] = []
        self._computed: list[tuple[list[str], np.ndarray]] = []
        self._n_committed = 0
        self._commit: Future[None] | None = None

    def compute(self, todo: dict[str, Path], pool: ThreadPoolExecutor) -> dict[str, str]:
        """Compute and commit the images of `todo`; return the reasons of those that are none."""
        bad: dict[str, str] = {}
        size = self._recipe.size

        def load(item: tuple[str, Path]) -> tuple[str, np.ndarray | str]:
            digest, path = item
            try:
                data = read_bytes(path)
                if hashlib.sha256(data).hexdigest() != digest:
                    return digest, "changed while it was being read; run again"
                return digest, decode(data, size)
            except ImageError as error:
                return digest, str(error)

        total = len(todo)
        with ThreadPoolExecutor(1, "commit") as committer:
            try:
                self._progress("computing embeddings", 0, total)
                loaded = _ahead(pool, load, todo.items(), 2 * self._batch_size)
                for done, (digest, image) in enumerate(loaded, 1):
                    if isinstance(image, str):
                        bad[digest] = image
                        continue
                    self._images.append(image)
                    self._image_digests.append(digest)
                    if len(self._images) == self._batch_size:
                        self._forward()
                        self._progress("computing embeddings", done, total)
                    if sum(len(rows) for _, rows in self._computed) >= SHARD_ROWS:
                        self._hand_over(committer)
                self._forward()
                self._hand_over(committer)
                self._settle()
            except KeyboardInterrupt:
                self._hand_over(committer)
                self._settle()
                raise KeyboardInterrupt(
                    f"stopped: {self._n_committed} of {total} embeddings computed and kept; "
                    "the same command goes on from there"
                ) from None
        self._progress("computing embeddings", total, total)
        return bad

    def _forward(self) -> None:
        if not self._images:
            return
        if self._engine is None:
            self._engine = self._make_engine()
        images, digests = np.stack(self._images), self._image_digests
        self._images, self._image_digests = [], []
        self._computed.append((digests, self._engine(images)))

    def _hand_over(self, committer: ThreadPoolExecutor) -> None:
        """Commit the computed rows behind the next forward pass; at most one shard waits."""
        if not self._computed:
            return
        digests = [digest for some, _ in self._computed for digest in some]
        rows = np.concatenate([rows for _, rows in self._computed])
        self._computed = []
        self._settle()
        recipe = self._recipe
        self._commit = committer.submit(
            self._store.append, recipe.fingerprint, recipe.canonical, digests, rows
        )
        self._n_committed += len(digests)

    def _settle(self) -> None:
        if self._commit is not None:
            self._commit.result()
            self._commit = None


def _digest(
    paths: Sequence[Path], store: Store, pool: ThreadPoolExecutor, progress: Progress
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the SHA-256 of every readable file, from memory where it has not changed."""
    remembered = store.digests(paths)
    unknown = [path for path in paths if path not in remembered]
    quarantine: dict[Path, str] = {}
    fresh: dict[Path, tuple[FileState, str]] = {}

    def digest(path: Path) -> tuple[Path, FileState | None, str | ImageError]:
        state = file_state(path)  # before the bytes: a change while reading must show
        try:
            return path, state, hashlib.sha256(read_bytes(path)).hexdigest()
        except ImageError as error:
            return path, state, error

    for done, (path, state, found) in enumerate(_ahead(pool, digest, unknown, 64), 1):
        if isinstance(found, ImageError):
            quarantine[path] = str(found)
        else:
            remembered[path] = found
            if state is not None:
                fresh[path] = (state, found)
        progress("hashing images", done, len(unknown))
        if len(fresh) == _REMEMBERED_TOGETHER:
            store.remember(fresh)
            fresh = {}
    if fresh:
        store.remember(fresh)
    return {path: remembered[path] for path in paths if path in remembered}, quarantine


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], n_ahead: int
) -> Iterator[R]:
    """Map in the pool, in order, with at most `n_ahead` results waiting."""
    rest = iter(items)
    waiting = deque(pool.submit(function, item) for item in itertools.islice(rest, n_ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            for item in itertools.islice(rest, 1):
                waiting.append(pool.submit(function, item))
            yield result
    finally:
        for future in waiting:
            future.cancel()
