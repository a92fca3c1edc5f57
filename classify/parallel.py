"""Trainings that do not depend on each other: one after the other here, or at once on a cluster.

Everything goes through joblib. Outside of `dask_backend` (or of a `joblib.parallel_config` of the
user's own) it stays in this process.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
from joblib.parallel import get_active_backend

from extract.cluster.connection import cluster, explained, require_same_code

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

R = TypeVar("R")

_PACKAGES = ("toolkit", "cache", "classify", "extract", "reports")


@contextlib.contextmanager
def dask_backend(address: str | None, shared: Callable[[], Sequence[Any]]) -> Iterator[None]:
    """Let the workers of a Dask cluster train what is trained inside.

    Parameters
    ----------
    address : str or None
        See `extract.cluster.connection.cluster`; with None nothing changes.
    shared : callable
        Returns the arrays that many trainings have in common: every worker gets them once.

    Raises
    ------
    EngineError
        If Dask is not installed.
    ClusterError
        If there is no such cluster, a worker has other code, or the scheduler is gone.
    """
    if address is None:
        yield
        return
    with cluster(address) as client, explained(client, "the same command trains them again"):
        require_same_code(client, _PACKAGES)
        with _configured(client, list(shared())):
            yield


@contextlib.contextmanager
def _configured(client: Any, shared: list[Any]) -> Iterator[None]:
    with joblib.parallel_config("dask", client=client, scatter=shared):
        backend: Any = get_active_backend()[0]
        backend.submit = functools.partial(_submit, backend.submit)
        yield


def _submit(submit: Callable[..., Any], batch: Any, callback: Callable[[Any], None]) -> Any:
    """Submit, and tell joblib also of what Dask gives up: it would wait for that for ever."""

    def tell(done: Any) -> None:
        if (error := done.exception()) is not None:
            callback(error)

    future = submit(batch, callback)
    future.add_done_callback(tell)
    return future


def in_this_process() -> bool:
    """Return whether `each` calls its function in this process."""
    backend, _ = get_active_backend(prefer="threads")
    return bool(getattr(backend, "supports_sharedmem", False))


def each(
    function: Callable[..., R], calls: Iterable[Sequence[Any]], shared: Sequence[Any] = ()
) -> Generator[R, None, None]:
    """Call a function with each of several lists of arguments, and yield the results in order.

    Parameters
    ----------
    function : callable
        Of a module, so that it can be sent. What it trains with joblib stays where it is called.
    calls : iterable of sequence
        Its arguments.
    shared : sequence
        Large arguments that several calls have in common and that `dask_backend` does not share.

    Examples
    --------
    >>> list(each(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    with contextlib.ExitStack() as stack:
        backend, _ = get_active_backend(prefer="threads")
        if shared and hasattr(backend, "client"):
            stack.enter_context(_configured(backend.client, list(shared)))
        parallel = joblib.Parallel(return_as="generator")
        tasks = (joblib.delayed(_call)(function, *arguments) for arguments in calls)
        yield from parallel(tasks)


def _call(function: Callable[..., R], *arguments: Any) -> R:
    with joblib.parallel_config("threading"):
        return function(*arguments)
