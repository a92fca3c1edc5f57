"""Independent trainings: one after the other in this process, or in parallel on a cluster.

Everything goes through joblib. It stays in this process unless a `joblib.parallel_config` says
otherwise; `classify.experiment.dask_backend` sets one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

import joblib
from joblib.parallel import get_active_backend

from toolkit import ctrl_c

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

R = TypeVar("R")
T = TypeVar("T")


@contextlib.contextmanager
def scattered(client: Any, shared: list[Any]) -> Iterator[None]:
    """Run joblib's tasks on the workers of a Dask client, each of which gets `shared` once."""
    from classify.parallel.joblib_dask import ReportingDaskBackend

    with ctrl_c.deferred():
        backend = ReportingDaskBackend(client=client, scatter=shared)
    with joblib.parallel_config(backend):
        yield


def in_this_process() -> bool:
    """Return whether `parallel_starmap` calls its function in this process."""
    backend, _ = get_active_backend(prefer="threads")
    return bool(getattr(backend, "supports_sharedmem", False))


def parallel_starmap(
    function: Callable[..., R], calls: Iterable[Sequence[Any]], shared: Sequence[Any] = ()
) -> Generator[R, None, None]:
    """Call a function once for each sequence of arguments, and yield the results in order.

    It is `itertools.starmap` on joblib's active backend.

    Parameters
    ----------
    function : callable
        Defined at the top of a module, so that it can be sent to workers. joblib calls inside it
        stay in the process that it runs in.
    calls : iterable of sequence
        The arguments of each call.
    shared : sequence, default=()
        Large arguments that several calls have in common. Every worker gets them once.

    Examples
    --------
    >>> list(parallel_starmap(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    with contextlib.ExitStack() as stack:
        backend, _ = get_active_backend(prefer="threads")
        if shared and hasattr(backend, "client"):
            stack.enter_context(scattered(backend.client, list(shared)))
        parallel = joblib.Parallel(return_as="generator")
        tasks = (joblib.delayed(_call)(function, *arguments) for arguments in calls)
        yield from parallel(tasks)


def share(value: T) -> T:
    """Prepare a large argument for many calls of `map_parts`.

    Returns
    -------
    T
        The value itself; with a cluster a reference to it, for which each call gets the value.
    """
    client = _client()
    if client is None:
        return value
    from classify.parallel.shared import Shared

    return cast("T", Shared.of(client, value))


def map_parts(
    function: Callable[..., R], calls: Iterable[Sequence[Any]]
) -> Generator[R, None, None]:
    """Call a function with each part of some data, and yield the results in order.

    With a cluster, a part is read by the worker that gets it, if it can; else it is read here, and
    sent.

    Parameters
    ----------
    function : callable
        Defined at the top of a module, so that it can be sent to workers.
    calls : iterable of sequence
        The arguments of each call: a part, which is an array or has the methods of
        `classify.parallel.dask_parts.Part`, then others.

    Examples
    --------
    >>> list(map_parts(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    client = _client()
    if client is None:
        for arguments in calls:
            yield function(*arguments)
        return
    from classify.parallel.dask_parts import map_on_workers

    yield from map_on_workers(client, function, calls)


def _client() -> Any:
    """Return the client of the cluster that trains, or None."""
    backend, _ = get_active_backend(prefer="threads")
    return getattr(backend, "client", None)


def _call(function: Callable[..., R], *arguments: Any) -> R:
    with joblib.parallel_config("threading"):
        return function(*arguments)
