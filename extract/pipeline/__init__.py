"""Images -> embeddings: reading, decoding, the forward pass and the commit, overlapped.

Decoding runs ahead in processes (see `extract.images.decoders.pool`), forward passes run on all
cores (see `extract.engines`), and the commit in a thread behind them. The queues are bounded, so
memory does not grow with the number of images.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from extract.images.decoders.pool import Decoded, DecoderPool
from extract.images.hashing import hash_images
from extract.images.inputs import image_digest
from extract.images.loading import BATCH_SIZE, DECODING, ReadSettings, ahead
from extract.images.resizing import resize
from extract.pipeline.computation import Computation, recall_remarks
from toolkit.addresses import file_state
from toolkit.phases import waiting
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from cache.store import Store
    from extract.engines import Engine
    from extract.images.pixels import Remark
    from extract.pipeline.computation import Loader
    from extract.recipe import Recipe
    from toolkit.addresses import FileState


@dataclass(frozen=True)
class ExtractionResult:
    """The result of an extraction.

    Parameters
    ----------
    digests : dict from Path to str
        SHA-256 of the bytes of each usable file: the name of its embedding under the recipe.
    quarantine : dict from Path to str
        The files that cannot be used, each with the reason.
    cached : int
        Number of usable files whose embedding was in the store already.
    computed : int
        Number of usable files whose embedding was computed now.
    seconds : float
        Wall-clock time.
    remarks : dict from Path to Remark, default={}
        What a reader should know about usable files.
    """

    digests: dict[Path, str]
    quarantine: dict[Path, str]
    cached: int
    computed: int
    seconds: float
    remarks: dict[Path, Remark] = field(default_factory=dict)


def extract(
    paths: Sequence[Path],
    recipe: Recipe,
    store: Store,
    make_engine: Callable[[], Engine],
    *,
    batch_size: int = BATCH_SIZE,
    reading: ReadSettings = ReadSettings(),
    loader: Loader | None = None,
    known: Mapping[Path, str] | None = None,
    progress: Progress = silent,
) -> ExtractionResult:
    """Put the embedding of every image file into the store, computing those that are missing.

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
    batch_size : int, default=32
        Images per forward pass. It changes the speed, not the numbers.
    reading : ReadSettings, optional
        How files are read. The limit of pixels decides which images are computed, not what is
        computed: an embedding that is in the store is used, whatever the size of the image.
    loader : callable, optional
        Called in place of `make_engine`, if something must be computed. It returns embeddings
        instead of decoded images; see `extract.cluster.workers.Workers.embedder`.
    known : mapping from Path to str, optional
        SHA-256 of files that are hashed already; others are hashed when they are decoded. By
        default, all are hashed first.
    progress : Progress
        Called with the stages "hashing images" and "computing embeddings".

    Returns
    -------
    ExtractionResult

    Raises
    ------
    DecoderError
        If the processes that decode cannot be started.
    AddressError
        If the server of an address does not respond.
    ClusterError
        From `loader`.
    KeyboardInterrupt
        After Ctrl-C, with a message. What was computed until any error is committed.
    """
    started = time.monotonic()
    quarantine: dict[Path, str] = {}
    if known is None:
        known, quarantine = hash_images(
            paths, store, fetch=False, reading=reading, progress=progress
        )
    digests = {path: known[path] for path in paths if path in known}
    todo = _todo(paths, digests, quarantine, store.missing(recipe.fingerprint, [*digests.values()]))
    computed: set[str] = set()
    if todo:
        if loader:
            # What it returns needs no engine any more.
            computation = Computation(recipe, store, lambda: lambda x: x, batch_size, progress)
            computation.compute(todo, loader)
        else:
            computation = Computation(recipe, store, make_engine, batch_size, progress)
            with (
                ThreadPoolExecutor(reading.threads(paths), "decode") as pool,
                DecoderPool(recipe.pixels, reading.max_pixels, reading.processes) as decoders,
            ):
                computation.compute(todo, _decoding_loader(pool, decoders, 2 * batch_size))
        computed = computation.computed
        quarantine |= computation.quarantine
        digests |= computation.changed
        digests = {path: digest for path, digest in digests.items() if path not in quarantine}
    n_computed = sum(digest in computed for digest in digests.values())
    return ExtractionResult(
        digests,
        quarantine,
        cached=len(digests) - n_computed,
        computed=n_computed,
        seconds=time.monotonic() - started,
        remarks=recall_remarks(digests, recipe, store),
    )


def extract_images(
    images: Sequence[np.ndarray],
    recipe: Recipe,
    store: Store,
    make_engine: Callable[[], Engine],
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress = silent,
) -> list[str]:
    """Put the embedding of every image in memory into the store, computing those that are missing.

    Parameters
    ----------
    images : sequence of numpy.ndarray of uint8, shape (height, width, 3)
        RGB. They are resized as image files are.
    recipe, store, make_engine, batch_size, progress
        As in `extract`.

    Returns
    -------
    list of str, length n_images
        From `extract.images.inputs.image_digest`: the name of each embedding under the recipe.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with a message. What was computed until then is committed.
    """
    digests = [image_digest(image) for image in images]
    by_digest = dict(zip(digests, images, strict=True))
    todo = {digest: [Path(digest)] for digest in store.missing(recipe.fingerprint, digests)}

    def load(groups: Iterable[list[Path]]) -> Iterator[tuple[None, Decoded]]:
        for (name,) in groups:
            yield None, Decoded(name.name, resize(by_digest[name.name], recipe.pixels))

    if todo:
        Computation(recipe, store, make_engine, batch_size, progress).compute(todo, load)
    return digests


def _todo(
    paths: Sequence[Path],
    digests: Mapping[Path, str],
    quarantine: Mapping[Path, str],
    missing: Iterable[str],
) -> dict[str, list[Path]]:
    """Return the files to compute, grouped by digest.

    A file at an address that must be fetched is hashed when it is decoded, so that it is fetched
    only once. Until then its address stands for its digest, as if the file had changed.
    """
    todo: dict[str, list[Path]] = {digest: [] for digest in missing}
    for path in dict.fromkeys(paths):
        if path in digests:
            if digests[path] in todo:
                todo[digests[path]].append(path)
        elif path not in quarantine:
            todo[str(path)] = [path]
    return todo


def _decoding_loader(pool: ThreadPoolExecutor, decoders: DecoderPool, n_ahead: int) -> Loader:
    def load(paths: list[Path]) -> tuple[FileState | None, Decoded]:
        return file_state(paths[0]), decoders(paths[0])

    return lambda todo: waiting(DECODING, ahead(pool, load, todo, n_ahead))
