"""A blocking iterator that must keep a pace: who sends a byte now and then holds nobody up."""

from __future__ import annotations

import threading
import time
from queue import Empty, Queue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds of waiting over which the pace is averaged."""
MIN_RATE = 1024.0
"""Bytes per second; a modem of the last century was faster."""
_AHEAD = 16


class TooSlow(Exception):  # noqa: N818 - a turn of events for the caller, not an error
    """Less than `MIN_RATE` came in `PATIENCE` seconds of waiting."""


def paced(items: Generator[T, None, None], weigh: Callable[[T], int]) -> Generator[T, None, None]:
    """Pass on what `items` yields, as long as that comes fast enough.

    The iterator runs in a thread of its own. One that is too slow is left to itself: it is closed
    as soon as it yields once more, and does not keep the process from ending.

    Parameters
    ----------
    items : generator
        Its own exceptions are passed on too.
    weigh : callable
        Says how many bytes an item counts.

    Raises
    ------
    TooSlow
        If the pace is not kept. Time that the caller takes between the items does not count.

    Examples
    --------
    >>> list(paced((letter for letter in "abc"), len))
    ['a', 'b', 'c']
    """
    queue: Queue[tuple[list[T], BaseException | None]] = Queue(_AHEAD)
    stopped = threading.Event()

    def work() -> None:
        try:
            for item in items:
                queue.put(([item], None))
                if stopped.is_set():
                    break
            queue.put(([], None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            queue.put(([], error))
        finally:
            items.close()

    threading.Thread(target=work, daemon=True).start()
    waited, weight = 0.0, 0
    try:
        while True:
            if waited >= PATIENCE:
                if weight < MIN_RATE * PATIENCE:
                    raise TooSlow
                waited, weight = 0.0, 0
            begun = time.monotonic()
            try:
                found, error = queue.get(timeout=PATIENCE - waited)
            except Empty:
                continue
            finally:
                waited += time.monotonic() - begun
            if error is not None:
                raise error
            if not found:
                return
            weight += weigh(found[0])
            yield found[0]
    finally:
        stopped.set()
        while not queue.empty():
            queue.get_nowait()
