"""Where the time goes: phases that exclude each other and add up."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from toolkit import phases
from toolkit.phases import IMPORTS, OTHER, phase, phase_table, spent, timed, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seconds:
    """A clock that only a test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr(phases, "time", clock)
    return clock


def test_an_inner_phase_is_not_counted_for_the_outer_one(seconds: Seconds) -> None:
    """Whatever begins and ends in it; and what is in no phase is called so."""
    with timed() as clock:
        seconds.sleep(1)
        with phase("outer"):
            seconds.sleep(2)
            with phase("inner"):
                seconds.sleep(4)
            seconds.sleep(8)
        seconds.sleep(16)
        assert clock.spent() == {OTHER: 17, "outer": 10, "inner": 4}


def test_a_phase_can_be_within_itself(seconds: Seconds) -> None:
    """As a function that calls itself; nothing is counted twice."""

    @phase("recursion")
    def descend(depth: int) -> None:
        seconds.sleep(1)
        if depth:
            descend(depth - 1)

    with timed():
        descend(4)
        assert spent() == {OTHER: 0, "recursion": 5}


def test_a_phase_that_is_not_over_is_counted_until_now(seconds: Seconds) -> None:
    """So the phases add up at any moment."""
    with timed(), phase("writing"):
        seconds.sleep(3)
        assert spent() == {OTHER: 0, "writing": 3}
        seconds.sleep(2)
        assert spent() == {OTHER: 0, "writing": 5}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_ends_all_phases_that_it_leaves(
    seconds: Seconds, error: type[BaseException]
) -> None:
    """Time after it belongs to what was going on before."""

    @phase("training")
    def fail(error: type[BaseException]) -> None:
        with phase("search"):
            seconds.sleep(1)
            raise error

    with timed(), phase("run"):
        with pytest.raises(error):
            fail(error)
        seconds.sleep(2)
        assert spent() == {OTHER: 0, "run": 2, "training": 0, "search": 1}


def test_a_phase_that_an_interrupt_kept_open_ends_with_the_outer_one(seconds: Seconds) -> None:
    """Ctrl-C can come between any two instructions, also while a phase ends."""
    with timed() as clock:
        left_open = clock.within("training")
        with phase("run"):
            left_open.__enter__()
            seconds.sleep(1)
        seconds.sleep(2)
        del left_open
        assert clock.spent() == {OTHER: 2, "run": 0, "training": 1}


def test_other_threads_are_not_counted_and_waiting_for_them_is() -> None:
    """Ten seconds of work in ten threads are one second of this one."""

    @phase("decoding")
    def decode(_: int) -> None:
        time.sleep(0.2)

    with timed(), ThreadPoolExecutor(10) as pool:
        started = time.monotonic()
        with phase("waiting"):
            list(pool.map(decode, range(10)))
        counted = spent()
        passed = time.monotonic() - started
    assert "decoding" not in counted
    assert sum(counted.values()) == pytest.approx(passed, abs=0.02)
    assert counted["waiting"] > 0.9 * passed


def test_a_thread_can_have_a_clock_of_its_own() -> None:
    """Which knows nothing of this thread's phases."""
    found = {}

    def work() -> None:
        with timed(), phase("there"):
            found.update(spent())

    with timed(), phase("here"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert list(found) == [OTHER, "there"]


def test_without_a_clock_nothing_is_kept() -> None:
    """Nobody has asked."""
    with phase("anything"):
        assert spent() == {}


def test_a_clock_within_a_clock_begins_anew(seconds: Seconds) -> None:
    """The outer one counts its time for the phase that it is in."""
    with timed() as outer, phase("call"):
        with timed() as inner, phase("part"):
            seconds.sleep(2)
        seconds.sleep(1)
        assert inner.spent() == {OTHER: 1, "part": 2}
        assert outer.spent() == {OTHER: 0, "call": 3}


def test_waiting_counts_only_until_an_item_comes(seconds: Seconds) -> None:
    """What is done with it belongs to somebody else."""

    def decoded() -> Iterator[None]:
        for _ in range(3):
            seconds.sleep(1)
            yield None

    with timed(), phase("computing"):
        for item in waiting("waiting", decoded()):
            assert item is None
            seconds.sleep(10)
        assert spent() == {OTHER: 0, "computing": 30, "waiting": 3}


def test_what_lies_before_the_clock_is_the_start(seconds: Seconds) -> None:
    """Of a process that has taken seven seconds to get there."""
    with timed(started=seconds.now - 7):
        assert spent() == {IMPORTS: 7, OTHER: 0}


def test_a_process_knows_when_it_started() -> None:
    """Before Python could import anything; not when the machine or another process started."""
    code = "import time; time.sleep(0.5); from toolkit.phases import process_started as p; "
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(p())"], capture_output=True, text=True, check=True
    )
    # Clocks of processes have ticks of a hundredth of a second.
    assert before - 0.02 <= float(done.stdout) <= time.monotonic() - 0.4


@pytest.mark.parametrize("content", ["", "1 (python) R", "1 (python) " + "x " * 50, None])
def test_where_the_system_does_not_say_it_the_import_is_the_start(
    content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS and Windows."""

    def read_text(**_: object) -> str:
        if content is None:
            raise FileNotFoundError
        return content

    monkeypatch.setattr(phases, "_STAT", SimpleNamespace(read_text=read_text))
    assert phases.process_started() == phases._IMPORTED


def test_the_table_adds_up_and_ends_with_what_is_in_no_phase() -> None:
    """The longest phase comes first."""
    lines = phase_table({OTHER: 3.0, "short": 1.0, "long": 4.0}).splitlines()
    assert [line.split()[0] for line in lines] == ["phase", "long", "short", OTHER, "all"]
    assert lines[1].split()[1:] == ["4.00", "50.0%"]
    assert lines[-1].split()[1:] == ["8.00", "100.0%"]
    assert phase_table({}).splitlines()[-1].split() == ["all", "0.00", "0.0%"]
