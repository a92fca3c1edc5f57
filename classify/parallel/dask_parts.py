"""Calls with parts of rows on the workers of a Dask cluster, which read the rows if they can.

Parts go to the workers a few at a time, so neither they nor the scheduler hold many. A worker that
has the rows on its disk, or on one that all machines share, gets only their names. Others get the
rows. Dask repeats the calls of a lost worker.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import dask
import distributed
import joblib

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

CALLS_PER_THREAD = 2
"""Number of calls that the scheduler has at a time for each thread that computes."""
RESULTS_AHEAD = 4
"""Times as many results may wait for an earlier one."""


class Part(Protocol):
    """Rows that may lie where only some machines can read them."""

    def is_readable(self) -> bool:
        """Return whether this process can read the rows."""

    def loaded(self) -> Self:
        """Return the part with its rows in memory."""


@dataclass(frozen=True)
class _Call:
    number: int
    arguments: Sequence[Any]
    sent: bool


class _Unreadable:
    """What a worker returns for rows that it cannot read."""


def share_on_workers(client: Any, value: Any) -> distributed.Future[Any]:
    """Return a reference to a value that each worker gets once, from another one if possible.

    The scheduler keeps the value, so it outlives the workers that have it.
    """
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        future: distributed.Future[Any] = client.submit(_same, value, pure=False)
        return future


def _same(value: Any) -> Any:
    return value


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
        or, if no worker there can read them, here.
    """
    numbered = enumerate(calls)
    first = next(numbered, None)
    if first is None:
        return
    waiting = itertools.chain([first], numbered)
    places = _Places.of(client, first[1])
    pending: dict[distributed.Future[Any], _Call] = {}
    results: dict[int, Any] = {}
    as_completed: Any = distributed.as_completed
    completed = as_completed(loop=client.loop)

    def submit(call: _Call) -> None:
        arguments = map(_loaded, call.arguments) if call.sent else call.arguments
        future = client.submit(
            _call,
            function,
            *arguments,
            pure=False,
            workers=list(places.others if call.sent else places.readers),
            allow_other_workers=True,
            priority=-call.number,
        )
        pending[future] = call
        completed.add(future)

    try:
        for number in itertools.count():
            while number not in results:
                room = places.room(pending.values(), len(results))
                for (i, arguments), sent in zip(
                    itertools.islice(waiting, len(room)), room, strict=False
                ):
                    submit(_Call(i, arguments, sent))
                if not pending:
                    return
                future = next(completed)
                call, result = pending.pop(future), future.result()
                if isinstance(result, _Unreadable):
                    submit(_Call(call.number, call.arguments, sent=True))
                else:
                    results[call.number] = result
            yield results.pop(number)
    finally:
        client.cancel(list(pending))


@dataclass(frozen=True)
class _Places:
    """The workers that can read rows themselves, and the others, with their threads."""

    readers: dict[str, int]
    others: dict[str, int]

    @classmethod
    def of(cls, client: Any, arguments: Sequence[Any]) -> _Places:
        """Ask all workers whether they can read a part."""
        client.wait_for_workers(1)
        threads = client.nthreads()
        readable = client.run(_is_readable, _parts(arguments), on_error="ignore")
        readers = {address: n for address, n in threads.items() if readable.get(address)}
        return cls(readers, {a: n for a, n in threads.items() if a not in readers})

    def room(self, pending: Iterable[_Call], n_results: int) -> list[bool]:
        """Return whether to send the rows, for each further call that there is room for."""
        taken = Counter(call.sent for call in pending)
        free = {
            sent: max(0, CALLS_PER_THREAD * sum(threads.values()) - taken[sent])
            for sent, threads in ((False, self.readers), (True, self.others))
        }
        most = RESULTS_AHEAD * CALLS_PER_THREAD * sum((self.readers | self.others).values())
        room = [False] * free[False] + [True] * free[True]
        return room[: max(0, most - taken.total() - n_results)]


def _parts(arguments: Sequence[Any]) -> list[Part]:
    return [argument for argument in arguments if hasattr(argument, "is_readable")]


def _is_readable(parts: Sequence[Part]) -> bool:
    return all(part.is_readable() for part in parts)


def _loaded(argument: Any) -> Any:
    return argument.loaded() if hasattr(argument, "is_readable") else argument


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    if not _is_readable(_parts(arguments)):
        return _Unreadable()
    with joblib.parallel_config("threading"):
        return function(*arguments)
