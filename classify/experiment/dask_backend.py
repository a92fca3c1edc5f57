"""Train on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from classify.parallel import scattered
from extract.cluster.connection import connect, explained_errors
from extract.cluster.installed import require_same_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PACKAGES = ("toolkit", "cache", "classify", "extract", "reports")


@contextlib.contextmanager
def dask_backend(address: str | None, shared: Callable[[], Sequence[Any]]) -> Iterator[None]:
    """Train on the workers of a Dask cluster whatever is trained inside the ``with`` block.

    Parameters
    ----------
    address : str or None
        See `extract.cluster.connection.connect`; with None everything is trained in this process.
    shared : callable
        Returns the arrays that many trainings have in common. Every worker gets them once.

    Raises
    ------
    EngineError
        If Dask is not installed.
    ClusterError
        If there is no cluster at this address, a worker has other code, or the scheduler is gone.
    """
    if address is None:
        yield
        return
    from classify.parallel.shared import forget

    with connect(address) as client, explained_errors(client, "the same command trains them again"):
        require_same_code(client, _PACKAGES)
        with scattered(client, list(shared())):
            yield
        client.run(forget)
