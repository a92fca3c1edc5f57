"""Where the time goes: wall-clock time, divided into phases that exclude each other.

A function says what it does with `phase`, as a decorator or in a ``with`` statement. Whoever wants
to know where the time went opens a `Clock` with `timed`; without one, a phase costs a microsecond
and is not kept. A clock belongs to the thread that opened it. What other threads and processes do
meanwhile is not counted; that this thread waits for them is.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

IMPORTS = "starting and importing modules"
OTHER = "other"
"""What no phase claims."""

_IMPORTED = time.monotonic()
_STAT = Path("/proc/self/stat")
_START_TIME = 19
"""Position of a process's start in its `_STAT`, counted from behind its name."""

T = TypeVar("T")


class Clock:
    """The seconds of each phase since a moment, which add up to all that have passed since then.

    Parameters
    ----------
    started : float, optional
        The moment, of `time.monotonic`. What lies before now is `IMPORTS`; by default nothing.
    """

    def __init__(self, started: float | None = None) -> None:
        self._spent: dict[str, float] = {}
        self._open = [OTHER]
        self._since = time.monotonic() if started is None else started
        if started is not None:
            self._note(IMPORTS)

    def spent(self) -> dict[str, float]:
        """Return the seconds of each phase until now, in the order in which they began."""
        self._note(self._open[-1])
        return dict(self._spent)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Count the time of the block for a phase, and for no other one that it is part of."""
        depth = len(self._open)
        self._note(self._open[-1])
        self._open.append(name)
        try:
            yield
        finally:
            self._note(self._open[-1])
            del self._open[depth:]  # and what Ctrl-C has kept from ending

    def _note(self, name: str) -> None:
        """Count the time since the last note for a phase."""
        now = time.monotonic()
        self._spent[name] = self._spent.get(name, 0.0) + now - self._since
        self._since = now


class _Current(threading.local):
    """The clock of this thread."""

    clock: Clock | None = None


_current = _Current()


@contextmanager
def timed(started: float | None = None) -> Iterator[Clock]:
    """Measure the phases of a block in this thread.

    Parameters
    ----------
    started : float, optional
        See `Clock`.

    Examples
    --------
    >>> with timed() as clock:
    ...     with phase("sorting"):
    ...         numbers = sorted(range(1000), reverse=True)
    >>> list(clock.spent())
    ['other', 'sorting']
    """
    outer = _current.clock
    _current.clock = Clock(started)
    try:
        yield _current.clock
    finally:
        _current.clock = outer


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Say what a block, or a function that is decorated with it, does.

    An inner phase's time is not counted for the outer one.

    Parameters
    ----------
    name : str
        What is done, as a reader of the table calls it. A phase can begin many times.
    """
    clock = _current.clock
    if clock is None:
        yield
    else:
        with clock.within(name):
            yield


def waiting(name: str, items: Iterable[T]) -> Generator[T]:
    """Yield from `items`, and count the time that each takes to come for a phase."""
    iterator, end = iter(items), object()
    while True:
        with phase(name):
            item = next(iterator, end)
        if item is end:
            return
        yield item  # type: ignore[misc]  # not the end


def spent() -> dict[str, float]:
    """Return the seconds of each phase on this thread's clock until now, to the millisecond.

    Without a clock there are none.
    """
    seconds = {} if _current.clock is None else _current.clock.spent()
    return {name: round(value, 3) for name, value in seconds.items()}


def process_started() -> float:
    """Return when this process started, as `time.monotonic` counts.

    Where the system does not say so (it does on Linux), it is when this module was imported, which
    is one of the first.
    """
    try:
        fields = _STAT.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        ticks = int(fields[_START_TIME])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED
    return min(time.monotonic() - age, _IMPORTED)


def phase_table(phases: Mapping[str, float]) -> str:
    """Return the seconds and the share of each phase as a table, the longest first.

    Examples
    --------
    >>> print(phase_table({"other": 0.5, "forward passes": 7.5, "hashing images": 2.0}))
    phase            seconds   share
    forward passes      7.50   75.0%
    hashing images      2.00   20.0%
    other               0.50    5.0%
    all                10.00  100.0%
    """
    total = sum(phases.values())
    width = max(map(len, ("phase", *phases)))
    lines = [f"{'phase':{width}}  {'seconds':>8}  {'share':>6}"]
    ordered = sorted(phases.items(), key=lambda item: (item[0] == OTHER, -item[1]))
    for name, seconds in [*ordered, ("all", total)]:
        lines.append(f"{name:{width}}  {seconds:8.2f}  {seconds / (total or 1):6.1%}")
    return "\n".join(lines)
