"""The connection to a Dask cluster, and clear errors for what can go wrong with it.

A cluster trusts everyone who can reach it, so it belongs on a private network.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import warnings
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from extract.cluster.installed import require_package
from extract.errors import ClusterError, EngineError
from extract.images.loading import default_workers
from toolkit import ctrl_c
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_LOCAL = "local:"
_SECONDS_TO_CONNECT = 10
_SECONDS_BETWEEN_LOOKS = 2.0
_silenced: list[contextlib.ExitStack] = []
"""What would let Dask log again, after Ctrl-C: workers that end later would say so."""
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
        If there is no scheduler at the address, or it has no worker, or a worker lacks this
        package.
    """
    distributed = _import_distributed()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silent_logs(distributed))
        target: Any = address
        if address.startswith(_LOCAL):
            target = stack.enter_context(_start_local(address.removeprefix(_LOCAL)))
        try:
            if target is address:
                logger.info("connecting to the Dask scheduler at %s", address)
                # Without a scheduler, a client takes long to fail and logs more errors later.
                import asyncio

                asyncio.run(_try_connection(address))
            with ctrl_c.deferred(), warnings.catch_warnings():
                # Other versions are mentioned below.
                warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
                client = distributed.Client(
                    target, timeout=_SECONDS_TO_CONNECT, set_as_default=False
                )
                stack.callback(_close, client)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"cannot connect to a Dask scheduler at {address}: {error}; expected "
                "tcp://HOST:PORT or tls://HOST:PORT of a running dask scheduler, or local:N for N "
                "processes on this machine",
                setting="dask",
            ) from error
        try:
            with ctrl_c.deferred():
                client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except TimeoutError as error:
            raise ClusterError(
                f"the Dask scheduler at {address} has no worker, and none has joined within "
                f"{_SECONDS_TO_CONNECT} s; start one on each machine: dask worker "
                f"{client.scheduler.address}",
                setting="dask",
            ) from error
        if target is not address:
            with ctrl_c.deferred():
                client.register_worker_callbacks(_ignore_failing_finalizers)
        require_package(client)
        threads = client.nthreads().values()
        logger.info(
            "Dask at %s: %s, %s",
            address,
            plural(len(threads), "worker"),
            plural(sum(threads), "thread"),
        )
        stack.enter_context(_watching(client))
        yield client


@contextlib.contextmanager
def _silent_logs(distributed: Any) -> Iterator[None]:
    """Silence what Dask logs: it also raises its errors, which `explained_errors` explains."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(distributed.utils.silence_logging_cmgr(logging.CRITICAL))
        try:
            yield
        except KeyboardInterrupt:
            _silenced.append(stack.pop_all())
            raise


def _close(client: Any) -> None:
    with ctrl_c.deferred():
        client.close()


@contextlib.contextmanager
def _watching(client: Any) -> Iterator[None]:
    """Log which workers are lost while the context lasts."""
    ended = threading.Event()

    def watch() -> None:
        known: set[str] = set()
        while True:
            # Whoever waits for results reports a lost scheduler.
            with contextlib.suppress(Exception):
                present = set(client.nthreads())
                for address in sorted(known - present):
                    logger.warning(
                        "lost worker %s (its log says why); its tasks are repeated elsewhere; "
                        "%s left",
                        address,
                        plural(len(present), "worker"),
                    )
                if known and not present:
                    logger.warning("no worker is left; waiting for one to join")
                known = present
            if ended.wait(_SECONDS_BETWEEN_LOOKS):
                return

    thread = threading.Thread(target=watch, name="watch workers", daemon=True)
    try:
        with ctrl_c.deferred():
            thread.start()
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
    import asyncio

    import distributed
    from distributed.comm import core

    make_security: Any = distributed.Security
    security = make_security().get_connection_args("client")
    if address.startswith("tls://") and not security.get("ssl_context"):
        raise ValueError(
            "TLS needs certificates; name them in Dask's settings distributed.comm.tls, or in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"
        )
    connect_to: Any = core.connect
    try:
        # It gives up by itself if nothing listens, but not if what listens says nothing.
        comm = await asyncio.wait_for(
            connect_to(address, timeout=_SECONDS_TO_CONNECT, **security), _SECONDS_TO_CONNECT + 1
        )
    except (TimeoutError, MemoryError):  # the first bytes of another answer are taken for a size
        raise TimeoutError("what listens there does not answer as one (its dashboard?)") from None
    except core.CommClosedError:
        if address.startswith("tls://"):
            raise  # with what is wrong with a certificate
        raise ConnectionError(
            "what listens there closed the connection; it may be no scheduler, or expect tls://"
        ) from None
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


def _ignore_failing_finalizers() -> None:
    """Have a worker say nothing of finalizers that fail, as Dask's do when it is ended at work."""
    sys.unraisablehook = lambda _: None


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
