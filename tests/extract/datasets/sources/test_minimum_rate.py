"""The minimum rate of a download."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from extract.datasets.sources import minimum_rate
from extract.datasets.sources.minimum_rate import TooSlowError, at_minimum_rate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect ten items in 0.2 s."""
    monkeypatch.setattr(minimum_rate, "WINDOW", 0.2)
    monkeypatch.setattr(minimum_rate, "MIN_RATE", 50.0)


def numbers(count: int, seconds: float) -> Iterator[int]:
    for number in range(count):
        time.sleep(seconds)
        yield number


def one(_: int) -> int:
    return 1


def test_items_and_their_end_are_passed_on() -> None:
    """Items that arrive fast enough are passed on in order, to the end."""
    assert list(at_minimum_rate(numbers(100, 0.0), one)) == list(range(100))


def test_errors_are_passed_on() -> None:
    """An error of the iterator is raised after the items before it."""

    def failing() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    found = []
    with pytest.raises(OSError, match="broken"):
        found.extend(at_minimum_rate(failing(), one))


def test_a_slow_iterator_is_stopped() -> None:
    """Fewer items than the minimum rate are an error."""
    with pytest.raises(TooSlowError):
        list(at_minimum_rate(numbers(1000, 0.05), one))


def test_silence_is_slow() -> None:
    """An iterator that yields nothing is stopped after the window."""
    started = time.monotonic()
    with pytest.raises(TooSlowError):
        list(at_minimum_rate(numbers(1, 2.0), one))
    assert time.monotonic() - started < 1


def test_an_iterator_that_is_fast_enough_is_never_stopped() -> None:
    """Many windows may pass as long as each of them brings enough."""
    assert len(list(at_minimum_rate(numbers(100, 0.008), one))) == 100


def test_the_time_of_the_caller_does_not_count() -> None:
    """Time that the caller takes does not count."""
    found = []
    for number in at_minimum_rate(numbers(5, 0.0), one):
        time.sleep(0.1)
        found.append(number)
    assert found == list(range(5))


def test_an_abandoned_iterator_is_closed() -> None:
    """The thread ends when the caller stops iterating."""
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with closing(at_minimum_rate(endless(), one)) as items:
        assert next(items) == 1
    assert closed.wait(2)
