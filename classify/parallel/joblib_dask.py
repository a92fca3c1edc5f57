"""joblib's Dask backend, which also reports the tasks that Dask gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# joblib documents the backend by its name "dask" only; a subclass needs its class.
from joblib._dask import DaskDistributedBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class ReportingDaskBackend(DaskDistributedBackend):
    """Run joblib's tasks on a Dask cluster, and raise the error of any that fails.

    joblib's own backend calls back only when a task has a result. It would wait for ever for a task
    that Dask gives up, for instance because its workers have died or cannot import its function.

    Parameters are those of joblib's Dask backend: `client`, and `scatter`, a list of the objects
    that every worker gets once.
    """

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
        """Submit a batch of tasks; call `callback` with its result, or with the error."""

        def report(future: Future[Any]) -> None:
            error = future.exception()
            if error is not None and callback is not None:
                callback(error)

        submitted: Any = super().submit(func, callback)
        submitted.add_done_callback(report)
        return submitted
