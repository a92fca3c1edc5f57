"""Ctrl-C during code that it must not interrupt."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from toolkit.ctrl_c import deferred, kept_out_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

pytestmark = pytest.mark.usefixtures("ctrl_c_interrupts")


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_block_ends_before_it_is_interrupted() -> None:
    """What comes after it does not run."""
    ran = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with deferred():
            press()
            ran.append("the block")
        ran.append("what follows")
    assert ran == ["the block"]


def test_a_block_that_checks_is_interrupted_there() -> None:
    """Only after Ctrl-C."""
    ran = []
    with pytest.raises(KeyboardInterrupt), deferred() as check:  # noqa: PT012
        check()
        press()
        ran.append("until it checks")
        check()
        ran.append("after it")
    assert ran == ["until it checks"]


def test_afterwards_ctrl_c_interrupts_at_once() -> None:
    """Whether it was pressed in the block or not."""
    with deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_an_error_is_not_replaced() -> None:
    """It is what ends the block."""
    with pytest.raises(OSError, match="the disk is full"), deferred():  # noqa: PT012
        press()
        raise OSError("the disk is full")


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    """As in a process that a shell runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred() as check:
        press()
        check()


def test_other_threads_are_left_alone() -> None:
    """They may not change how a signal is handled, and are never interrupted."""
    checked = []

    def run() -> None:
        with deferred() as check:
            check()
            checked.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert checked == [True]


@pytest.mark.parametrize("checks", [False, True])
def test_a_generator_is_interrupted_where_it_checks_or_yields(checks: bool) -> None:
    """It is closed then, without an interruption either."""
    ran: list[object] = []

    def generate(check: Callable[[], None]) -> Generator[int]:
        try:
            yield 1
            press()
            ran.append("pressed")
            if checks:
                check()
            ran.append("not checked")
            yield 2
        finally:
            ran.append("closed")

    with pytest.raises(KeyboardInterrupt):
        ran.extend(kept_out_of(generate))
    assert ran == [1, "pressed", *([] if checks else ["not checked"]), "closed"]


def test_whoever_consumes_the_items_is_interrupted_at_once() -> None:
    """Ctrl-C is kept out of the generator only."""
    items = kept_out_of(lambda _: (i for i in range(3)))
    for _ in items:
        with pytest.raises(KeyboardInterrupt):
            press()
