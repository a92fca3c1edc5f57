"""Large values that many calls on a Dask cluster have in common, and that every worker keeps.

As a dependency of the calls, Dask would send them all to the one worker that has the value, until
others are idle and steal some; and it may delete copies on other workers while no call waits for
them. So each worker is told to keep the value, and calls only name it. One that has not
been told, because it has joined or was restarted, says so, and the call is repeated.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

N_KEPT = 4
"""Number of values that a worker keeps: a sample, a part of it, and coefficients."""

_kept: dict[Any, Any] = {}
_keeping = threading.Lock()


@dataclass(frozen=True)
class Shared:
    """A value on the workers of a cluster.

    Attributes
    ----------
    client : distributed.Client
    future : distributed.Future
        The value, which the scheduler keeps, so it outlives the workers that have it.
    told : dict from str to distributed.Future
        By address, what has told a worker to keep it.
    """

    client: Any
    future: Any
    told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, client: Any, value: Any) -> Shared:
        """Return a reference to a value."""
        return cls(client, submitted(client, _same, value))

    def tell(self, addresses: Sequence[str]) -> None:
        """Tell workers to keep the value."""
        for address in addresses:
            # If the worker is lost, another one may do it: else Dask would wait for ever.
            self.told[address] = self.client.submit(
                _keep, self.future.key, self.future, pure=False,
                workers=[address], allow_other_workers=True, priority=1,
            )  # fmt: skip

    def is_everywhere(self, timeout: float) -> bool:
        """Return whether all workers have been told; wait so many seconds for it.

        An error of a worker, for lack of memory say, is raised here.
        """
        import distributed

        wait: Any = distributed.wait
        if not self.told:
            self.tell(list(self.client.nthreads()))
        told = list(self.told.values())
        with contextlib.suppress(TimeoutError), self.client.as_current():
            wait(told, timeout=timeout)
            for failed in (future for future in told if future.status == "error"):
                failed.result()
            return True
        return False


@dataclass(frozen=True)
class Name:
    """The name of a shared value, which is sent in its place."""

    key: Any


@dataclass(frozen=True)
class Absent:
    """What a worker returns that does not keep a value."""

    key: Any
    address: str


def named(arguments: Sequence[Any]) -> list[Any]:
    """Return arguments with names in place of shared values."""
    return [Name(each.future.key) if isinstance(each, Shared) else each for each in arguments]


def shared_among(arguments: Sequence[Any]) -> Iterator[Shared]:
    """Yield the shared values of a call."""
    return (each for each in arguments if isinstance(each, Shared))


def found(arguments: Sequence[Any]) -> list[Any] | Absent:
    """Return arguments with the values of names on this worker, or one that it does not keep."""
    from distributed import get_worker

    values = []
    for argument in arguments:
        if isinstance(argument, Name):
            try:
                values.append(_kept[argument.key])
            except KeyError:
                return Absent(argument.key, get_worker().address)
        else:
            values.append(argument)
    return values


def forget() -> None:
    """Delete what this worker keeps."""
    with _keeping:
        _kept.clear()


def submitted(client: Any, *call: Any, **options: Any) -> Any:
    """Submit a call, whose arguments may be large: coefficients of many models, say."""
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        return client.submit(*call, pure=False, **options)


def _same(value: Any) -> Any:
    return value


def _keep(key: Any, value: Any) -> None:
    with _keeping:
        _kept.pop(key, None)
        _kept[key] = value
        for old in list(_kept)[:-N_KEPT]:
            del _kept[old]
