"""The connection to a Dask cluster, and clear errors for what can go wrong with it.

A cluster trusts everyone who can reach it, so it belongs on a private network.
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
from toolkit import ctrl_c
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

OTHER_CODE = (
    "it has another version of frozen-features than this process; install the same version on all "
    "machines"
)
_LOCAL = "local:"
_SECONDS_TO_CONNECT = 10
_SECONDS_BETWEEN_LOOKS = 2.0
SLOW_RESTARTS = {"distributed.deploy.lost-worker-timeout": "1h"}
"""Settings of Dask: a local worker that is lost may take longer than 15 seconds to start again."""


@contextlib.contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine until the end of the context.

    Parameters
    ----------
    address : str
        Of a Dask scheduler, as in ``"tcp://10.0.0.5:8786"``; or ``"local:N"`` for N processes on
        this machine.

    Yields
    ------
    distributed.Client

    Raises
    ------
    EngineError
        If Dask is not installed.
    ClusterError
        If there is no scheduler at the address, or it has no worker.
    """
    distributed = _import_distributed()
    with contextlib.ExitStack() as stack:
        # Dask also raises what it logs; those errors are explained below.
        stack.enter_context(distributed.utils.silence_logging_cmgr(logging.CRITICAL))
        target: Any = address
        if address.startswith(_LOCAL):
            target = stack.enter_context(_start_local(address.removeprefix(_LOCAL)))
        try:
            if target is address:
                logger.info("connecting to the Dask scheduler at %s", address)
                # Without a scheduler, a client takes long to fail and logs more errors later.
                import asyncio

                asyncio.run(_try_connection(address))
            with ctrl_c.deferred():
                client = distributed.Client(
                    target, timeout=_SECONDS_TO_CONNECT, set_as_default=False
                )
                stack.callback(_close, client)
                client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler with a worker at {address}: {error}; expected tcp://HOST:PORT "
                "of a running dask scheduler with at least one dask worker, or local:N for N "
                "processes on this machine",
                setting="dask",
            ) from error
        threads = client.nthreads().values()
        logger.info(
            "Dask at %s: %s, %s",
            address,
            plural(len(threads), "worker"),
            plural(sum(threads), "thread"),
        )
        stack.enter_context(_watching(client))
        yield client


def _close(client: Any) -> None:
    with ctrl_c.deferred():
        client.close()


@contextlib.contextmanager
def _watching(client: Any) -> Iterator[None]:
    """Log which workers are lost while the context lasts."""
    ended = threading.Event()

    def watch() -> None:
        known: set[str] = set(client.nthreads())
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            with contextlib.suppress(
                Exception
            ):  # whoever waits for results reports a lost scheduler
                present = set(client.nthreads())
                for address in sorted(known - present):
                    logger.warning(
                        "lost worker %s; its tasks are repeated elsewhere; %s left",
                        address,
                        plural(len(present), "worker"),
                    )
                if known and not present:
                    logger.warning("no worker is left; waiting for one to join")
                known = present

    thread = threading.Thread(target=watch, name="watch workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=_SECONDS_TO_CONNECT)


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise EngineError(
            f"computing on a cluster needs Dask, which is not installed ({error.name}): "
            "pip install '.[dask]'",
            setting="dask",
        ) from error
    return distributed


async def _try_connection(address: str) -> None:
    """Connect to a scheduler once.

    Raises
    ------
    OSError, TimeoutError, ValueError
        If there is no scheduler, or the address is not valid.
    """
    from distributed.comm import core

    connect_to: Any = core.connect
    comm = await connect_to(address, timeout=_SECONDS_TO_CONNECT)
    await comm.close()


@contextlib.contextmanager
def _start_local(n_workers: str) -> Iterator[Any]:
    import dask

    most = max(16, 4 * default_workers())
    if not n_workers.isdecimal() or not 1 <= int(n_workers) <= most:
        raise ClusterError(
            f"expected local:N with a number of workers from 1 to {most}, found local:{n_workers}",
            setting="dask",
        )
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(SLOW_RESTARTS))
        with _ctrl_c_blocked_in_new_processes():
            try:
                cluster = _import_distributed().LocalCluster(
                    n_workers=int(n_workers),
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            except (OSError, RuntimeError) as error:
                raise ClusterError(
                    f"cannot start {plural(int(n_workers), 'worker')} on this machine: "
                    f"{_first_cause(error)}; solve that, or leave the cluster out",
                    setting="dask",
                ) from error
            stack.enter_context(cluster)
        yield cluster


def _first_cause(error: BaseException) -> BaseException:
    """Return the error that led to all others: a full disk, say."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


@contextlib.contextmanager
def _ctrl_c_blocked_in_new_processes() -> Iterator[None]:
    """Block Ctrl-C in all processes that are started inside, and defer it in this one.

    A terminal sends Ctrl-C to every process. This process ends the workers itself; they would only
    print tracebacks.
    """
    resource_tracker.ensure_running()  # if started inside, it would unblock the signal again
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    with ctrl_c.deferred():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else set()
        try:
            yield
        finally:
            if can_block:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def explained_errors(client: Any, advice: str) -> Iterator[None]:
    """Turn Dask's errors about lost machines into errors that say what to do.

    Parameters
    ----------
    client : distributed.Client
    advice : str
        What happened to the work, and what to do next.

    Raises
    ------
    ClusterError
        Instead of Dask's errors.
    """
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"several workers died while computing the same task, perhaps for lack of memory; "
            f"{advice} ({error})"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"lost the scheduler {client.scheduler.address}, or all workers that had the data; "
            f"{advice}"
        ) from error
    except ModuleNotFoundError as error:
        raise ClusterError(_missing_on_cluster(f"the module {error.name}")) from error
    except RuntimeError as error:
        if "deserialization" not in str(error):
            raise
        what = f"what the tasks need ({error.__cause__ or error})"
        raise ClusterError(_missing_on_cluster(what)) from error


def _missing_on_cluster(what: str) -> str:
    return (
        f"the scheduler or a worker lacks {what}; install frozen-features with the same extras on "
        "all machines, and your own modules too"
    )


def require_same_code(client: Any, packages: tuple[str, ...]) -> None:
    """Check that all workers have the same source files as this process.

    Parameters
    ----------
    client : distributed.Client
    packages : tuple of str
        The packages of this project that matter.

    Raises
    ------
    ClusterError
        If a worker has other files; the message names it.
    """
    for address, digest in client.run(code_digest, packages).items():
        if digest != code_digest(packages):
            raise ClusterError(f"worker {address}: {OTHER_CODE}")


@functools.cache
def code_digest(packages: tuple[str, ...] = ("toolkit", "cache", "extract")) -> str:
    """Return the SHA-256 of source files, by default of those that determine an embedding."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(file for name in packages for file in (root / name).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
