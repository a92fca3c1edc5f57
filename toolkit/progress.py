"""Progress of long work: the callback that reports it, and the displays that show it.

The library never prints. Long work calls a `Progress` callback, by default `silent`. A public
function whose parameter is ``progress=True`` turns it into a callback with `as_progress`.
"""

from __future__ import annotations

import html
import sys
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_UPDATES = 0.1


class Progress(Protocol):
    """A callback that long work calls with its stage, the units done and the units in total."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing: the default `Progress` of every library function."""


@contextmanager
def as_progress(progress: bool | Progress) -> Iterator[Progress]:
    """Turn the `progress` parameter of a public function into a callback.

    Parameters
    ----------
    progress : bool or Progress
        True shows a bar (see `ConsoleProgress`), False shows nothing. A callback is used as it is.

    Yields
    ------
    Progress
        To be called until the end of the ``with`` block, which removes the bar.

    Examples
    --------
    >>> with as_progress(False) as report:
    ...     report("hashing images", 1, 2)
    """
    if callable(progress):
        yield progress
    elif progress:
        with ConsoleProgress() as console:
            yield console
    else:
        yield silent


class ConsoleProgress:
    """Show progress with rate and time left, in the way that suits the place.

    - In a notebook: a bar in the output of the cell, which shows how far the work got.
    - On a terminal: a bar on standard error, which disappears at the end.
    - Elsewhere: a line on standard error every ten seconds.

    Parameters
    ----------
    quiet : bool, default=False
        Show nothing at all.

    Notes
    -----
    Use it as a context manager, so that the terminal is restored at the end.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._stage = ""
        self._display: _Display | None = None
        self._notebook: _NotebookBar | None = None

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `stage` are finished."""
        if self.quiet:
            return
        if self._display is None or stage != self._stage:
            self.close()
            self._stage = stage
            self._display = self._open()
            self._display.start(stage, total)
        self._display.note(done)
        self._display.update(done, total)

    def _open(self) -> _Display:
        if _in_notebook():
            self._notebook = self._notebook or _NotebookBar()  # one bar for all stages of a call
            return self._notebook
        return _TerminalBar() if sys.stderr.isatty() else _Lines(sys.stderr)

    def close(self) -> None:
        """Remove the bar, so that something can be printed; the next report shows it again."""
        if self._display is not None:
            self._display.close()
        self._display = None


class _Display(ABC):
    """Show one stage: `start` it, `update` it, `close` it."""

    def start(self, stage: str, total: int) -> None:  # noqa: ARG002 - for the bar on a terminal
        self.stage = stage
        self.started = self.updated = time.monotonic()
        self.first: tuple[float, int] | None = None

    def note(self, done: int) -> None:
        """Note when the first result was there."""
        if self.first is None and done:
            self.first = time.monotonic(), done

    @abstractmethod
    def update(self, done: int, total: int) -> None:
        """Show that `done` of `total` units are finished."""

    def close(self) -> None:  # noqa: B027 - only a bar on a terminal has something to close
        """Leave the display as it is."""

    def rate(self, done: int) -> float:
        """Return units per second since the first of them; 0 while it is unknown.

        What comes before the first result, such as starting workers, would make the rate too low
        and the time left too long.
        """
        now = time.monotonic()
        since, before = self.first or (now, done)
        return (done - before) / max(now - since, 1e-9)

    def text(self, done: int, total: int) -> str:
        rate = self.rate(done)
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
        return f"{self.stage}: {done} of {total}" + (f" ({rate:.1f}/s{left})" if rate > 0 else "")

    def is_due(self, seconds: float) -> bool:
        """Tell whether the last update is `seconds` ago, and if so, note the time."""
        now = time.monotonic()
        if now - self.updated < seconds:
            return False
        self.updated = now
        return True


class _Lines(_Display):
    """Print a line every ten seconds."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def update(self, done: int, total: int) -> None:
        if self.is_due(SECONDS_BETWEEN_LINES):
            print(self.text(done, total), file=self.file, flush=True)


class _TerminalBar(_Display):
    """Show a bar of rich on standard error."""

    def start(self, stage: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        super().start(stage, total)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True, force_jupyter=False),
            transient=True,
        )
        self.task = self.bar.add_task(stage, total=total, rate="")
        self.bar.start()

    def update(self, done: int, total: int) -> None:
        rate = self.rate(done)
        shown = f"{rate:.1f}/s" if rate > 0 else ""
        self.bar.update(self.task, completed=done, total=total, rate=shown)

    def close(self) -> None:
        self.bar.stop()


class _NotebookBar(_Display):
    """Show a bar in the output of a notebook's cell, and update it in place.

    Plain HTML, with text for front ends without HTML. The bar of rich would need ipywidgets, and
    their script in every page that shows the notebook.
    """

    def __init__(self) -> None:
        self.handle: Any = None

    def update(self, done: int, total: int) -> None:
        if self.handle is not None and done < total and not self.is_due(SECONDS_BETWEEN_UPDATES):
            return
        text = self.text(done, total)
        bar = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
        content = {"text/plain": text, "text/html": f"{bar} {html.escape(text)}"}
        if self.handle is None:
            display: Any = import_module("IPython.display").display
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def _in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook: IPython's shell then has a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
