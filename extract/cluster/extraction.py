"""ExtractionResult on the workers of a Dask cluster: they decode and compute, this process commits.

A task is a short list of files. A worker loads the base once, and answers with digests, embeddings
and reasons; what it answers goes through the same pipeline as what is computed here, so that the
cache comes out the same, byte for byte. Dask does the task of a lost worker again, and forgets
those of a lost client.
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

from extract.cluster.connection import OTHER_CODE, cluster, code_digest, explained
from extract.errors import ClusterError
from extract.frozen import FrozenBase
from extract.images.decoder_pool import Decoded, DecoderPool
from extract.images.loading import FETCHED_AT_ONCE, ReadSettings, ahead, default_workers
from toolkit.addresses import file_state, file_states, is_remote
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from extract.pipeline import Loader
    from toolkit.addresses import FileState

FILES_PER_TASK = 32
TASKS_PER_THREAD = 2
"""So many tasks are known to the scheduler for each thread that computes, and no more."""
_GO_ON = "what was committed stays, and the same command goes on from there"


@dataclass(frozen=True)
class Job:
    """What a worker needs to know: the base, where it looks for weights, and whose code it is.

    Parameters
    ----------
    base : dict
        From `FrozenBase.to_dict`.
    cache : str
        The cache folder, which counts where a worker has it too; else its own does.
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
def loading(
    address: str, base: FrozenBase, reading: ReadSettings = ReadSettings()
) -> Iterator[Loader]:
    """Connect to a cluster, and yield what loads embeddings from its workers, in order.

    Parameters
    ----------
    address : str
        See `cluster`.
    base : FrozenBase
        What the workers compute.
    reading : ReadSettings, optional
        The limit of pixels counts; each worker decodes in as many processes as it has cores.

    Raises
    ------
    ClusterError
        If there is no such cluster. While loading, if the scheduler is gone, or a worker has other
        code, lacks weights, or cannot read a file that is there.
    """
    with cluster(address) as client:
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
        with contextlib.closing(tasks), explained(client, _GO_ON):
            for answers in tasks:
                for path, state, decoded in answers:
                    if decoded.digest is None and path.exists():
                        raise ClusterError(
                            f"a worker cannot read {path}, which is there for this process "
                            f"({decoded.reason}); pictures must lie where all workers find "
                            "them under the same path"
                        )
                    yield states.pop(path, state), decoded

    return load


def _tasks(
    paths: Iterable[Path], states: dict[Path, FileState | None]
) -> Generator[list[Path], None, None]:
    """Divide pictures into tasks, noting the status that each file has before it is read."""
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
        The status is that of an address: of a file, another machine may see another.

    Raises
    ------
    ClusterError
        If this worker has other code, or lacks the weights or the engine; it names the worker.
    """
    try:
        bench = _bench(job)
        if any(map(is_remote, paths)):
            states = file_states(paths)
            with ThreadPoolExecutor(FETCHED_AT_ONCE, "fetch") as pool:
                decoded = list(pool.map(bench.decoders, paths))
        else:
            states = [None] * len(paths)
            decoded = [bench.decoders(path) for path in paths]
        images = {i: one.image for i, one in enumerate(decoded) if one.image is not None}
        if images:
            with bench.one_at_a_time:
                rows = bench.engine(np.stack(list(images.values())))
            for i, row in zip(images, rows, strict=True):
                decoded[i] = Decoded(decoded[i].digest, row)
    except ToolkitError as error:
        raise ClusterError(f"worker {_own_address()}: {error}") from None
    return list(zip(paths, states, decoded, strict=True))


@dataclass(frozen=True)
class _Bench:
    """What a worker process loads once."""

    engine: Any
    decoders: DecoderPool
    one_at_a_time: threading.Lock


_loading = threading.Lock()


def _bench(job: Job) -> _Bench:
    with _loading:
        return _loaded(job)


@functools.lru_cache(maxsize=1)
def _loaded(job: Job) -> _Bench:
    if job.code != code_digest():
        raise ClusterError(OTHER_CODE)
    cache = job.cache if Path(job.cache).is_dir() else None
    base = FrozenBase.from_dict(job.base, cache=cache, engine=job.engine)
    decoders = DecoderPool(base.recipe.size, job.max_pixels, default_workers())
    bench = _Bench(base.make_engine(), decoders, threading.Lock())
    # When another job has taken its place, and no thread works at it any more.
    weakref.finalize(bench, decoders.__exit__)
    return bench


def _own_address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return "here"
