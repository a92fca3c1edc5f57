"""Extraction on the workers of a Dask cluster: they decode and compute, this process commits.

A task is a short list of files. A worker loads the base once, and returns digests, embeddings and
reasons. These go through the same pipeline as what is computed in this process, so the cache is the
same, byte for byte. Dask repeats the tasks of a lost worker, and drops those of a lost client.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.cluster.connection import OTHER_CODE, code_digest, connect, explained_errors
from extract.errors import ClusterError
from extract.frozen import FrozenBase
from extract.images.decoders.pool import Decoded, DecoderPool
from extract.images.loading import FETCHED_AT_ONCE, ReadSettings, ahead, default_workers
from toolkit.addresses import file_state, file_states, is_remote
from toolkit.errors import ToolkitError
from toolkit.phases import waiting

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from extract.pipeline import Loader
    from toolkit.addresses import FileState

FILES_PER_TASK = 32
TASKS_PER_THREAD = 2
"""Number of tasks that the scheduler has at a time for each thread that computes."""
_ADVICE = "what was committed is kept, and the same command continues from there"


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
    code : str
        From `code_digest`: a worker with other code would compute other numbers.
    """

    base: dict[str, Any] = field(hash=False)
    cache: str
    engine: str
    max_pixels: int
    code: str


@contextlib.contextmanager
def cluster_loader(
    address: str, base: FrozenBase, reading: ReadSettings = ReadSettings()
) -> Iterator[Loader]:
    """Connect to a cluster, and yield a loader of the embeddings that its workers compute.

    Parameters
    ----------
    address : str
        See `extract.cluster.connection.connect`.
    base : FrozenBase
        What the workers compute.
    reading : ReadSettings, optional
        Only `max_pixels` is used; a worker decodes in as many processes as it has cores.

    Yields
    ------
    callable
        See `extract.pipeline.extract`. It raises ClusterError if the scheduler is lost, or a worker
        has other code, lacks the weights, or cannot read a file that exists for this process.

    Raises
    ------
    ClusterError
        If there is no such cluster.
    """
    with connect(address) as client:
        yield _loader(client, base, reading)


def _loader(client: Any, base: FrozenBase, reading: ReadSettings) -> Loader:
    fields, weights = base.to_dict(), Path(base.weights.source)
    if weights.is_file():
        fields["weights_source"] = str(weights.absolute())
    cache = str(base.store.folder.absolute())
    job = Job(fields, cache, base.engine, reading.max_pixels, code_digest())
    threads = sum(client.nthreads().values())

    def load(groups: Iterable[list[Path]]) -> Iterator[tuple[FileState | None, Decoded]]:
        states: dict[Path, FileState | None] = {}
        tasks = ahead(
            client.get_executor(pure=False),
            functools.partial(embed, job),
            _tasks((group[0] for group in groups), states),
            TASKS_PER_THREAD * threads,
        )
        with contextlib.closing(tasks), explained_errors(client, _ADVICE):
            for results in waiting("waiting for the cluster", tasks):
                for path, state, decoded in results:
                    if decoded.digest is None and path.exists():
                        raise ClusterError(
                            f"a worker cannot read {path}, which exists for this process "
                            f"({decoded.reason}); put the images where all workers find them under "
                            "the same path"
                        )
                    yield states.pop(path, state), decoded

    return load


def _tasks(
    paths: Iterable[Path], states: dict[Path, FileState | None]
) -> Generator[list[Path], None, None]:
    """Divide files into tasks, and record the status of each local file before it is read."""
    task: list[Path] = []
    for path in paths:
        if not is_remote(path):
            states[path] = file_state(path)
        task.append(path)
        if len(task) == FILES_PER_TASK:
            yield task
            task = []
    if task:
        yield task


def embed(job: Job, paths: list[Path]) -> list[tuple[Path, FileState | None, Decoded]]:
    """Decode and embed files; this runs on a worker.

    Returns
    -------
    list of (Path, FileState or None, Decoded)
        The status is that of an address; the status of a file may differ between machines.

    Raises
    ------
    ClusterError
        If this worker has other code, or lacks the weights or the engine; the message names it.
    """
    try:
        worker = _worker(job)
        if any(map(is_remote, paths)):
            states = file_states(paths)
            with ThreadPoolExecutor(FETCHED_AT_ONCE, "fetch") as pool:
                decoded = list(pool.map(worker.decoders, paths))
        else:
            states = [None] * len(paths)
            decoded = [worker.decoders(path) for path in paths]
        images = {i: item.image for i, item in enumerate(decoded) if item.image is not None}
        if images:
            with worker.engine_lock:
                rows = worker.engine(np.stack(list(images.values())))
            for i, row in zip(images, rows, strict=True):
                decoded[i] = Decoded(decoded[i].digest, row, remarks=decoded[i].remarks)
    except ToolkitError as error:
        raise ClusterError(f"worker {_own_address()}: {error}") from None
    return list(zip(paths, states, decoded, strict=True))


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
    if job.code != code_digest():
        raise ClusterError(OTHER_CODE)
    cache = job.cache if Path(job.cache).is_dir() else None
    base = FrozenBase.from_dict(job.base, cache=cache, engine=job.engine)
    decoders = DecoderPool(base.recipe.pixels, job.max_pixels, default_workers())
    worker = _Worker(base.make_engine(), decoders, threading.Lock())
    # End the decoders once another job has replaced this one and no thread uses it any more.
    weakref.finalize(worker, decoders.__exit__)
    return worker


def _own_address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:  # not in a task
        return "in this process"
