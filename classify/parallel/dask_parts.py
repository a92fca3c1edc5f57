"""Calls with parts of rows on the workers of a Dask cluster, which read the rows if they can.

Parts go to the workers a few at a time, so neither they nor the scheduler hold many. A worker first
gets only the names of the rows. If it finds them on its disk, or on one that all machines share, it
reads them; if not, it says so, and the rows are read here and sent. Dask repeats the calls of a
lost worker.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
from typing import TYPE_CHECKING, Any, Protocol, Self

import joblib

from classify.parallel import shared
from toolkit import ctrl_c

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

CALLS_PER_THREAD = 2
"""Number of calls that the scheduler has at a time for each thread that computes."""
RESULTS_AHEAD = 4
"""So many times as many calls may be finished while an earlier one is not."""


class Part(Protocol):
    """Rows that may lie where only some machines can read them."""

    def is_readable(self) -> bool:
        """Return whether a process that gets this part can read the rows."""

    def loaded(self) -> Self:
        """Return the part with its rows in memory."""


class _Unreadable:
    """What a worker returns for rows that it cannot read."""


def map_on_workers(
    client: Any, function: Callable[..., Any], calls: Iterable[Sequence[Any]]
) -> Generator[Any, None, None]:
    """Call a function on the workers; yield the results in order.

    Parameters
    ----------
    client : distributed.Client
    function : callable
    calls : iterable of sequence
        The arguments of each call. Those that are a `Part` are read where the function is called,
        or, if they cannot be, here. Those that are `shared.Shared` become their values.
    """
    yield from ctrl_c.kept_out_of(lambda check: _results(client, function, calls, check))


def _results(
    client: Any,
    function: Callable[..., Any],
    calls: Iterable[Sequence[Any]],
    check: Callable[[], None],
) -> Generator[Any, None, None]:
    """Yield the results in order; call `check` again and again while waiting."""
    client.wait_for_workers(1)
    at_once = CALLS_PER_THREAD * sum(client.nthreads().values())
    waiting = enumerate(calls)
    pending: dict[Any, tuple[int, Sequence[Any]]] = {}
    results: dict[int, Any] = {}
    completed: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def submit(number: int, arguments: Sequence[Any]) -> None:
        for value in shared.shared_among(arguments):
            while not value.is_everywhere(timeout=ctrl_c.SECONDS_BETWEEN_CHECKS):
                check()
        # Not to certain workers: if all of those were lost, Dask would wait for ever.
        names = shared.named(arguments)
        future = shared.submitted(client, _call, function, *names, priority=-number)
        pending[future] = number, arguments
        future.add_done_callback(completed.put)

    def next_completed() -> Any:
        while True:
            check()
            with contextlib.suppress(queue.Empty):
                return completed.get(timeout=ctrl_c.SECONDS_BETWEEN_CHECKS)

    try:
        for number in itertools.count():
            while number not in results:
                room = min(at_once, RESULTS_AHEAD * at_once - len(results)) - len(pending)
                for i, arguments in itertools.islice(waiting, max(0, room)):
                    submit(i, arguments if _are_readable(arguments) else _loaded(arguments))
                if not pending:
                    return
                future = next_completed()
                (i, arguments), result = pending.pop(future), future.result()
                if isinstance(result, _Unreadable):
                    submit(i, _loaded(arguments))
                elif isinstance(result, shared.Absent):
                    for value in shared.shared_among(arguments):
                        if value.future.key == result.key:
                            value.tell([result.address])
                    submit(i, arguments)
                else:
                    results[i] = result
            yield results.pop(number)
    finally:
        client.cancel(list(pending))


def _are_readable(arguments: Sequence[Any]) -> bool:
    return all(argument.is_readable() for argument in arguments if _is_part(argument))


def _loaded(arguments: Sequence[Any]) -> Sequence[Any]:
    return [argument.loaded() if _is_part(argument) else argument for argument in arguments]


def _is_part(argument: Any) -> bool:
    return hasattr(argument, "is_readable")


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    if not _are_readable(arguments):
        return _Unreadable()
    values = shared.found(arguments)
    if isinstance(values, shared.Absent):
        return values
    with joblib.parallel_config("threading"):
        return function(*values)
