"""Progress of long work: the callback that reports it, and the bar that shows it.

The library never prints. Long work calls a `Progress` callback, by default `silent`.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What long work calls with the name of its stage, the units done and the units to do."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing: the default `Progress` of every library function."""


class ConsoleProgress:
    """Show progress on standard error: a bar on a terminal, elsewhere a line every ten seconds.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.

    Notes
    -----
    Used as a context manager, so that the terminal is left as it was found.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: RichBar | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._started = self._last_line = 0.0

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `stage` are finished."""
        if self.quiet:
            return
        if stage != self._stage:
            self._close()
            self._stage, self._started = stage, time.monotonic()
            self._last_line = self._started
            if sys.stderr.isatty():
                self._open_bar(stage, total)
        if self._bar is not None and self._task is not None:
            rate = f"{done / max(time.monotonic() - self._started, 1e-9):.1f}/s"
            self._bar.update(self._task, completed=done, total=total, rate=rate)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            print(self._line(done, total), file=sys.stderr, flush=True)  # noqa: T201 - the console

    def _open_bar(self, stage: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichBar

        self._bar = RichBar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(stage, total=total, rate="")
        self._bar.start()

    def _line(self, done: int, total: int) -> str:
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = done / elapsed
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
        return f"{self._stage}: {done} of {total} ({rate:.1f}/s{left})"

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None
        self._stage = ""
