"""Independent trainings: one after the other in this process, or in parallel on a cluster.

Everything goes through joblib. It stays in this process unless a `joblib.parallel_config` says
otherwise; `classify.experiment.dask_backend` sets one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
from joblib.parallel import get_active_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

R = TypeVar("R")


@contextlib.contextmanager
def scattered(client: Any, shared: list[Any]) -> Iterator[None]:
    """Run joblib's tasks on the workers of a Dask client, each of which gets `shared` once."""
    from classify.joblib_dask import ReportingDaskBackend

    with joblib.parallel_config(ReportingDaskBackend(client=client, scatter=shared)):
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


def _call(function: Callable[..., R], *arguments: Any) -> R:
    with joblib.parallel_config("threading"):
        return function(*arguments)
