"""Ctrl-C while a library is at work that must not be interrupted.

Ctrl-C raises KeyboardInterrupt between any two instructions of the main thread. In a library with
threads of its own, that may leave a lock held for which the others wait for ever; in a finalizer,
the exception is lost.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SECONDS_BETWEEN_CHECKS = 0.1
"""How long a block may wait before it checks again whether Ctrl-C was pressed."""

T = TypeVar("T")


def behind(error: BaseException) -> KeyboardInterrupt | None:
    """Return the Ctrl-C that led to an error, or None if it has another cause.

    A library in which Ctrl-C takes effect may turn it into an error of its own. Modules in C++
    say that they cannot be imported.

    Examples
    --------
    >>> behind(ValueError("no Ctrl-C"))
    >>> behind(KeyboardInterrupt("pressed"))
    KeyboardInterrupt('pressed')
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C to the end of a block, or to where the block checks for it.

    Yields
    ------
    callable
        Raises KeyboardInterrupt if Ctrl-C was pressed.

    Examples
    --------
    >>> with deferred() as check:
    ...     for number in range(3):
    ...         check()
    """
    pressed: list[int] = []

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield check  # Ctrl-C never interrupts other threads, nor without a handler in Python
        return
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, handler)
    check()


def kept_out_of(
    generate: Callable[[Callable[[], None]], Generator[T]],
) -> Generator[T]:
    """Yield from a generator that Ctrl-C does not interrupt but where the generator checks for it.

    Whoever consumes the items is interrupted as usual.

    Parameters
    ----------
    generate : callable
        Gets what `deferred` yields, and returns the generator.
    """
    checks: list[Callable[[], None]] = []
    items, end = generate(lambda: checks[-1]()), object()
    try:
        while True:
            with deferred() as check:
                checks[:] = [check]
                item = next(items, end)
            if item is end:
                return
            yield item  # type: ignore[misc]  # not the end
    finally:
        with deferred() as check:
            checks[:] = [check]
            items.close()
