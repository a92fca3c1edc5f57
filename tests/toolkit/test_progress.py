"""Progress is shown as a bar in a notebook and on a terminal, and as lines elsewhere."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from toolkit import progress as module
from toolkit.progress import ConsoleProgress, as_progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

Content = dict[str, str]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Content]]]:
    """Pretend to run in a notebook; what a cell shows: for each display, its contents in turn."""
    shown: list[list[Content]] = []

    class Handle:
        def __init__(self) -> None:
            self.contents = shown[-1]

        def update(self, content: Content, raw: bool) -> None:
            assert raw
            self.contents.append(content)

    def display(content: Content, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append([content])
        return Handle()

    ipython: Any = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(module, "SECONDS_BETWEEN_UPDATES", 0.0)
    return shown


def test_a_notebook_shows_one_bar_that_is_updated_in_place(cell: list[list[Content]]) -> None:
    """All stages of a call share it, and the last state stays."""
    with as_progress(True) as report:
        report("hashing <images>", 1, 2)
        report("hashing <images>", 2, 2)
        report("training svm", 1, 1)
    (contents,) = cell
    assert len(contents) == 3
    assert contents[0]["text/plain"].startswith("hashing <images>: 1 of 2")
    assert '<progress value="1" max="2">' in contents[0]["text/html"]
    assert "hashing &lt;images&gt;" in contents[0]["text/html"]
    assert contents[-1]["text/plain"].startswith("training svm: 1 of 1")


def test_each_call_has_a_bar_of_its_own_in_a_notebook(cell: list[list[Content]]) -> None:
    for _ in range(2):
        with as_progress(True) as report:
            report("hashing images", 1, 1)
    assert len(cell) == 2


def test_a_notebook_is_not_updated_too_often(
    cell: list[list[Content]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first and the last state are always shown."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_UPDATES", 3600.0)
    with as_progress(True) as report:
        for done in range(1, 101):
            report("hashing images", done, 100)
    assert [content["text/plain"].partition(" (")[0] for content in cell[0]] == [
        "hashing images: 1 of 100",
        "hashing images: 100 of 100",
    ]


def test_a_log_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a terminal nor a notebook: lines with the rate and the time left."""
    with ConsoleProgress() as report:
        report("hashing images", 1, 4)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
        report("hashing images", 2, 4)
        report("hashing images", 4, 4)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("hashing images: 2 of 4 (")
    assert first.endswith(" s left)")
    assert last.endswith("/s)")


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_rate_counts_from_the_first_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A minute in which workers start says nothing about how long the rest takes."""
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
    monkeypatch.setattr(module, "time", clock)
    with ConsoleProgress() as report:
        for clock.now, done in ((0.0, 0), (60.0, 32), (70.0, 52)):
            report("computing embeddings", done, 152)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "computing embeddings: 52 of 152 (2.0/s, 50 s left)"


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with as_progress(True) as report:
        report("hashing images", 1, 2)
        report("training svm", 1, 1)
    assert "hashing images" in terminal.getvalue()
    assert "training svm" in terminal.getvalue()


def test_a_bar_that_is_closed_lets_something_be_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a bar is shown, rich takes standard output; the next report shows a bar again."""
    terminal, printed = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setenv("TERM", "xterm")
    with ConsoleProgress() as report:
        report("hashing images", 1, 2)
        assert sys.stdout is not printed
        report.close()
        assert sys.stdout is printed
        before = len(terminal.getvalue())
        report("hashing images", 2, 2)
        assert "hashing images" in terminal.getvalue()[before:]


def test_quiet_shows_nothing(cell: list[list[Content]], capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress(quiet=True) as report:
        report("hashing images", 1, 1)
    assert cell == []
    assert capsys.readouterr().err == ""


def test_false_is_silent_and_a_callback_is_used_as_it_is() -> None:
    calls = []
    with as_progress(False) as report:
        assert report is silent
    with as_progress(lambda *call: calls.append(call)) as report:
        report("hashing images", 1, 2)
    assert calls == [("hashing images", 1, 2)]
