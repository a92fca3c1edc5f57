"""Extraction on the workers of a Dask cluster: they decode and compute, this process commits.

A task is a short list of files. A worker loads the base once, and answers with digests, embeddings
and reasons; what it answers goes through the same pipeline as what is computed here, so that the
cache comes out the same, byte for byte. Dask does the task of a lost worker again, and forgets
those of a lost client. It trusts whoever can reach it: a cluster belongs on a network of one's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import signal
import threading
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import ToolkitError
from cache.places import file_state, file_states, is_remote
from extract.decoders import Decoded, Decoders
from extract.errors import ClusterError, EngineError
from extract.frozen import FrozenBase
from extract.loading import FETCHED_AT_ONCE, ahead, default_workers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from cache.places import FileState
    from extract.pipeline import Loader

logger = logging.getLogger(__name__)

FILES_PER_TASK = 32
TASKS_PER_THREAD = 2
"""So many tasks are known to the scheduler for each thread that computes, and no more."""
_GO_ON = "what was committed stays, and the same command goes on from there"
_OTHER_CODE = (
    "it has another version of frozen-features than the process that asks; install the same one on "
    "all of them"
)
_LOCAL = "local:"
_SECONDS_TO_CONNECT = 10


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
def cluster(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine for as long as it is needed.

    Parameters
    ----------
    address : str
        Of a Dask scheduler, as ``tcp://10.0.0.5:8786``; or ``local:N`` for N processes here.

    Yields
    ------
    distributed.Client

    Raises
    ------
    EngineError
        If Dask is not installed.
    ClusterError
        If there is no scheduler, or it has no worker.
    """
    distributed = _dask()
    with contextlib.ExitStack() as stack:
        # What it complains of is raised, too, and then told in our words.
        stack.enter_context(distributed.utils.silence_logging_cmgr(logging.CRITICAL))
        where: Any = address
        if address.startswith(_LOCAL):
            where = stack.enter_context(_local(address.removeprefix(_LOCAL)))
        try:
            if where is address:
                logger.info("connecting to the Dask scheduler at %s", address)
                # A client that finds nobody takes long to give up, and complains once more after.
                asyncio.run(_knock(address))
            client = stack.enter_context(
                distributed.Client(where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
            )
            client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler with a worker at {address}: {error}; expected tcp://HOST:PORT "
                "of one that was started with dask scheduler, and a dask worker, or local:N for N "
                "processes on this machine"
            ) from error
        threads = client.nthreads().values()
        logger.info("Dask at %s: %d workers, %d threads", address, len(threads), sum(threads))
        yield client


def _dask() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise EngineError(
            f"--dask needs Dask, which is not installed ({error.name}): pip install '.[dask]'"
        ) from error
    return distributed


async def _knock(address: str) -> None:
    """Connect to a scheduler once.

    Raises
    ------
    OSError, TimeoutError, ValueError
        If there is none, or it is no address of one.
    """
    from distributed.comm import core

    connect: Any = core.connect
    comm = await connect(address, timeout=_SECONDS_TO_CONNECT)
    await comm.close()


@contextlib.contextmanager
def _local(n_workers: str) -> Iterator[Any]:
    most = max(16, 4 * default_workers())
    if not n_workers.isdecimal() or not 1 <= int(n_workers) <= most:
        raise ClusterError(
            f"expected local:N with a number of workers from 1 to {most}, found local:{n_workers}"
        )
    with contextlib.ExitStack() as stack:
        with _without_ctrl_c():
            started = _dask().LocalCluster(
                n_workers=int(n_workers),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(started)
        yield started


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Put Ctrl-C off until the end, and keep it for good from all processes that are started.

    On a terminal it goes to every process. This one then ends the others, which would only
    complain.
    """
    pressed: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda *_: pressed.append(1)) if here else None
    resource_tracker.ensure_running()  # which would let the signal in again when it is started
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here:
            signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
    if pressed:
        raise KeyboardInterrupt


@contextlib.contextmanager
def loading(address: str, base: FrozenBase, max_pixels: int) -> Iterator[Loader]:
    """Connect to a cluster, and yield what loads embeddings from its workers, in order.

    Parameters
    ----------
    address : str
        See `cluster`.
    base : FrozenBase
        What the workers compute.
    max_pixels : int
        Width times height up to which an image is decoded.

    Raises
    ------
    ClusterError
        If there is no such cluster. While loading, if the scheduler is gone, or a worker has other
        code, lacks weights, or cannot read a file that is there.
    """
    with cluster(address) as client:
        yield _loader(client, base, max_pixels)


def _loader(client: Any, base: FrozenBase, max_pixels: int) -> Loader:
    fields, weights = base.to_dict(), Path(base.weights.source)
    if weights.is_file():
        fields["weights_source"] = str(weights.absolute())
    cache = str(base.store.folder.absolute())
    job = Job(fields, cache, base.engine, max_pixels, code_digest())
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


@contextlib.contextmanager
def explained(client: Any, go_on: str) -> Iterator[None]:
    """Turn what Dask raises when machines are gone into an error that says what to do.

    Parameters
    ----------
    client : distributed.Client
    go_on : str
        What became of the work, and what to do next.

    Raises
    ------
    ClusterError
        In place of theirs.
    """
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"a task has ended several workers, perhaps for want of memory; {go_on} ({error})"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"the scheduler {client.scheduler.address} is gone, or all workers that had the data; "
            f"{go_on}"
        ) from error
    except ModuleNotFoundError as error:
        raise ClusterError(_lacks(f"the module {error.name}")) from error
    except RuntimeError as error:
        if "deserialization" not in str(error):
            raise
        raise ClusterError(_lacks(f"what the tasks need ({error.__cause__ or error})")) from error


def _lacks(what: str) -> str:
    return (
        f"the scheduler or a worker lacks {what}; install frozen-features with the same extras on "
        "all of them, and modules of your own"
    )


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
    decoders: Decoders
    one_at_a_time: threading.Lock


_loading = threading.Lock()


def _bench(job: Job) -> _Bench:
    with _loading:
        return _loaded(job)


@functools.lru_cache(maxsize=1)
def _loaded(job: Job) -> _Bench:
    if job.code != code_digest():
        raise ClusterError(_OTHER_CODE)
    cache = job.cache if Path(job.cache).is_dir() else None
    base = FrozenBase.again(job.base, cache=cache, engine=job.engine)
    decoders = Decoders(base.recipe.size, job.max_pixels, default_workers())
    bench = _Bench(base.make_engine(), decoders, threading.Lock())
    # When another job has taken its place, and no thread works at it any more.
    weakref.finalize(bench, decoders.__exit__)
    return bench


def require_same_code(client: Any, packages: tuple[str, ...]) -> None:
    """Make sure that all workers have the same source files as this process.

    Parameters
    ----------
    client : distributed.Client
    packages : tuple of str
        Which of this project's packages matter.

    Raises
    ------
    ClusterError
        If one has other files; it names the worker.
    """
    for address, digest in client.run(code_digest, packages).items():
        if digest != code_digest(packages):
            raise ClusterError(f"worker {address}: {_OTHER_CODE}")


@functools.cache
def code_digest(packages: tuple[str, ...] = ("cache", "extract")) -> str:
    """Return the SHA-256 over source files, by default those that decide what an embedding is."""
    root = Path(__file__).parents[1]
    found = hashlib.sha256()
    for path in sorted(file for name in packages for file in (root / name).rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _own_address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return "here"
