"""What runs on the workers of a Dask cluster: they read and hash files, and compute embeddings."""

from __future__ import annotations

import functools
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.cluster.installed import OTHER_CODE, code_digest
from extract.errors import ClusterError, WeightsError
from extract.frozen import FrozenBase
from extract.images.decoders.pool import Decoded, DecoderPool
from extract.images.hashing import HashedFile, hash_file
from extract.images.loading import FETCHED_AT_ONCE, default_workers
from toolkit.addresses import file_states, is_remote
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from toolkit.addresses import FileState

    T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to compute embeddings.

    Parameters
    ----------
    base : dict
        From `FrozenBase.to_dict`.
    cache : str
        The cache folder. A worker uses it if it exists there too, else its own default.
    engine : str
        See `extract.engines.choose`.
    max_pixels : int
        Width times height up to which an image is decoded.
    postpone_deep : bool
        Whether images of more than 8 bits are hashed only, because what is black and white in them
        is yet to be decided.
    code : str
        From `code_digest`: a worker with other code would compute other numbers.
    """

    base: dict[str, Any] = field(hash=False)
    cache: str
    engine: str
    max_pixels: int
    postpone_deep: bool
    code: str


def hash_files(code: str, paths: Sequence[Path]) -> tuple[str, list[HashedFile]]:
    """Hash files; see `extract.images.hashing.hash_file`.

    Returns
    -------
    address : str
        Of this worker.
    list of HashedFile

    Raises
    ------
    ClusterError
        If this worker has other code than `code` says, or a server does not respond; the message
        names the worker.
    """
    try:
        _require_same_code(code)
        return _own_address(), _of_each(hash_file, paths)
    except ToolkitError as error:
        raise ClusterError(f"worker {_own_address()}: {error}") from None


def embed(
    job: Job, paths: Sequence[Path]
) -> tuple[str, list[tuple[Path, FileState | None, Decoded]]]:
    """Read and hash files, and embed the images, each read once.

    Returns
    -------
    address : str
        Of this worker.
    list of (Path, FileState or None, Decoded)
        The status is that on this machine, before the file was read.

    Raises
    ------
    ClusterError
        If this worker has other code, or lacks the weights or the engine, or a server does not
        respond; the message names the worker.
    """
    try:
        worker = _worker(job)
        states = file_states(paths)
        decoded = _of_each(worker.decoders, paths)
        if job.postpone_deep:
            decoded = [replace(item, image=None) if item.deep else item for item in decoded]
        images = {i: item.image for i, item in enumerate(decoded) if item.image is not None}
        if images:
            with worker.engine_lock:
                rows = worker.engine(np.stack(list(images.values())))
            for i, row in zip(images, rows, strict=True):
                decoded[i] = replace(decoded[i], image=row)
    except WeightsError as error:
        from_file = Path(job.base["weights_source"]).is_absolute()
        advice = "; every machine needs the weights under the same path" if from_file else ""
        raise ClusterError(f"worker {_own_address()}: {error.__cause__ or error}{advice}") from None
    except ToolkitError as error:
        raise ClusterError(f"worker {_own_address()}: {error}") from None
    return _own_address(), list(zip(paths, states, decoded, strict=True))


def _of_each(function: Callable[[Path], T], paths: Sequence[Path]) -> list[T]:
    """Apply a function to each file, to several at a time if they must be fetched."""
    if not any(map(is_remote, paths)):
        return [function(path) for path in paths]
    with ThreadPoolExecutor(FETCHED_AT_ONCE, "fetch") as pool:
        return list(pool.map(function, paths))


@dataclass(frozen=True)
class _Worker:
    """What a worker process loads once for a job."""

    engine: Any
    decoders: DecoderPool
    engine_lock: threading.Lock


_loading = threading.Lock()


def _worker(job: Job) -> _Worker:
    with _loading:
        return _load_worker(job)


@functools.lru_cache(maxsize=1)
def _load_worker(job: Job) -> _Worker:
    _require_same_code(job.code)
    cache = job.cache if Path(job.cache).is_dir() else None
    base = FrozenBase.from_dict(job.base, cache=cache, engine=job.engine)
    decoders = DecoderPool(base.recipe.pixels, job.max_pixels, default_workers())
    worker = _Worker(base.make_engine(), decoders, threading.Lock())
    # End the decoders once another job has replaced this one and no thread uses it any more.
    weakref.finalize(worker, decoders.__exit__)
    return worker


def _require_same_code(code: str) -> None:
    if code != code_digest():
        raise ClusterError(OTHER_CODE)


def _own_address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:  # not in a task
        return "in this process"
