"""A connection to a Dask cluster, and in our words what may be wrong with it.

It trusts whoever can reach it: a cluster belongs on a network of one's own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import signal
import threading
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extract.errors import ClusterError, EngineError
from extract.images.loading import default_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

OTHER_CODE = (
    "it has another version of frozen-features than the process that asks; install the same one on "
    "all of them"
)
_LOCAL = "local:"
_SECONDS_TO_CONNECT = 10


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
                import asyncio

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
            raise ClusterError(f"worker {address}: {OTHER_CODE}")


@functools.cache
def code_digest(packages: tuple[str, ...] = ("toolkit", "cache", "extract")) -> str:
    """Return the SHA-256 over source files, by default those that decide what an embedding is."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for path in sorted(file for name in packages for file in (root / name).rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
