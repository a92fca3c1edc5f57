"""A blocking iterator that must deliver a minimum rate, so that a slow server cannot stall us."""

from __future__ import annotations

import threading
import time
from queue import Empty, Queue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

WINDOW = 60.0
"""Seconds of waiting over which the rate is averaged."""
MIN_RATE = 1024.0
"""Bytes per second; below that, a connection is as good as dead."""
_AHEAD = 16
"""Items that the thread may be ahead."""


class TooSlowError(Exception):
    """Less than `MIN_RATE` arrived in `WINDOW` seconds of waiting."""


def at_minimum_rate(
    items: Generator[T, None, None], size: Callable[[T], int]
) -> Generator[T, None, None]:
    """Pass on what `items` yields, as long as it arrives fast enough.

    The generator runs in a thread of its own. One that is too slow is abandoned: it is closed when
    it yields the next item, and does not keep the process from ending.

    Parameters
    ----------
    items : generator
        Its exceptions are passed on, too.
    size : callable
        Returns the size of an item in bytes.

    Yields
    ------
    object
        The items, in order.

    Raises
    ------
    TooSlowError
        If they arrive too slowly. Only the time spent waiting for them counts, not the time that
        the caller takes between them.

    Examples
    --------
    >>> list(at_minimum_rate((letter for letter in "abc"), len))
    ['a', 'b', 'c']
    """
    queue: Queue[tuple[list[T], BaseException | None]] = Queue(_AHEAD)
    abandoned = threading.Event()

    def work() -> None:
        try:
            for item in items:
                queue.put(([item], None))
                if abandoned.is_set():
                    break
            queue.put(([], None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            queue.put(([], error))
        finally:
            items.close()

    threading.Thread(target=work, daemon=True).start()
    waited, arrived = 0.0, 0
    try:
        while True:
            if waited >= WINDOW:
                if arrived < MIN_RATE * WINDOW:
                    raise TooSlowError
                waited, arrived = 0.0, 0
            started = time.monotonic()
            try:
                item, error = queue.get(timeout=WINDOW - waited)
            except Empty:
                continue
            finally:
                waited += time.monotonic() - started
            if error is not None:
                raise error
            if not item:
                return
            arrived += size(item[0])
            yield item[0]
    finally:
        abandoned.set()
        while not queue.empty():  # so that the thread does not wait for room in it
            queue.get_nowait()
