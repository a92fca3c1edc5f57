"""The undo file: lines are appended completely or not at all."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from classify.serving.sorting.journal import Entry, Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENTRY = Entry(1, "/images/a\n\udcff.jpg", "cat/a\n\udcff.jpg", 3, 7, "ab")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Also names with line breaks and bytes that are no text; void entries are left out."""
    journal = Journal(tmp_path)
    assert journal.state() is None
    journal.begin({"how": "copy", "by": "class"}, is_new=True)
    journal.announce(["cat"], [ENTRY, Entry(2, "/b.jpg", "cat/b.jpg", 1, 1)])
    journal.append([{"void": 2}, {"done": 2}])
    state = journal.state()
    assert state is not None
    assert (state.settings["how"], state.is_new, state.folders) == ("copy", True, ["cat"])
    assert (state.n_entries, state.n_done, state.void) == (2, 2, {2})
    assert list(journal.entries(state)) == [ENTRY]
    assert journal.path.read_text(encoding="ascii").count("\n") == 6


def test_what_cannot_be_written_completely_is_not_there(
    tmp_path: Path, failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the next line is a line of its own."""
    journal = Journal(tmp_path)
    journal.begin({"how": "link"}, is_new=False)
    before = journal.path.read_bytes()
    failing("fsync", errno.ENOSPC)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        journal.announce([], [ENTRY])
    assert journal.path.read_bytes() == before
    monkeypatch.undo()
    journal.announce([], [ENTRY])
    assert journal.state() is not None
