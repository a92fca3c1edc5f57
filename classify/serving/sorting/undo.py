"""Put everything back that was sorted into a folder."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from classify.errors import ModelError
from classify.serving.sorting import actions
from classify.serving.sorting.journal import UNDO_NAME, Journal
from classify.serving.sorting.opening import claim
from classify.serving.sorting.settings import SortSettings, failing_clearly

if TYPE_CHECKING:
    from pathlib import Path

    from classify.serving.sorting.actions import Outcome
    from classify.serving.sorting.journal import State
    from toolkit.progress import Progress

_LISTED = 20


@dataclass
class UndoResult:
    """What an undo has done.

    Parameters
    ----------
    counts : Counter
        `Outcome` -> number of images.
    left : list of (str, Outcome)
        The first images that could not be put back: their paths in the folder.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    left: list[tuple[str, Outcome]] = field(default_factory=list)

    @property
    def n_left(self) -> int:
        """Number of images that could not be put back."""
        return sum(number for outcome, number in self.counts.items() if outcome.is_left)


def undo(folder: Path, progress: Progress) -> UndoResult:
    """Put everything back that was sorted into a folder, but nothing that has changed since.

    Links and copies are removed, moved images go back to where they were, and folders that become
    empty are removed. The undo file stays as long as an image could not be put back.

    Parameters
    ----------
    folder : Path
        What images were sorted into.
    progress : Progress
        Called with the stage "putting images back".

    Raises
    ------
    ModelError
        If nothing was sorted into it, or a file cannot be deleted or moved.
    """
    result = UndoResult()
    if not (folder / UNDO_NAME).is_file():
        raise ModelError(
            f"{folder} has no undo file ({UNDO_NAME}): nothing was sorted into it, or everything "
            "was put back already; name the folder that images were sorted into",
            setting="undo",
        )
    is_new = False
    with contextlib.ExitStack() as stack, failing_clearly(SortSettings(folder)):
        claim(folder, stack)
        actions.delete_temporary_files(folder)
        journal = Journal(folder)
        state = journal.state()
        if state is not None:
            is_new = state.is_new
            if not state.is_being_undone:
                journal.append([{"undo": True}])
            _put_back(journal, state, result, progress)
            _remove_folders(folder, state)
        if not result.n_left:
            journal.delete()
    if is_new:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return result


def _put_back(journal: Journal, state: State, result: UndoResult, progress: Progress) -> None:
    folder, how = journal.folder, state.settings["how"]
    for entry in journal.entries(state):
        is_begun = entry.number > state.n_done
        if is_begun and not actions.complete(entry, folder, how):
            continue
        outcome = actions.put_back(entry, folder, how)
        result.counts[outcome] += 1
        if outcome.is_left and len(result.left) < _LISTED:
            result.left.append((entry.target, outcome))
        progress("putting images back", entry.number, state.n_entries)


def _remove_folders(folder: Path, state: State) -> None:
    """Remove the folders that the sorting has created, unless something is in them."""
    for name in state.folders:
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
